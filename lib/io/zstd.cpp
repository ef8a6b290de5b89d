#include "io/zstd.hpp"

#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <boost/iostreams/filter/symmetric.hpp>
#include <memory>
#include <new>

#include "core/no_memory.hpp"
#include "core/try.hpp"
#include "io/filter_stream.hpp"

namespace ggufkit::io {

namespace {

constexpr int window_log_max = 27;       // what every zstd reads without being asked to
constexpr int prefixed_window_log = 23;  // 8 MiB: over a prefix and the content behind it

struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, Free>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, Free>;

Error truncated(std::uint64_t at) {
    return {.code = Errc::truncated, .offset = at, .detail = "ends within a zstd frame"};
}

Error fault(std::size_t result, std::uint64_t at) {
    switch (ZSTD_getErrorCode(result)) {
        case ZSTD_error_frameParameter_windowTooLarge:
            return {.code = Errc::unsupported,
                    .offset = at,
                    .detail = fmt::format("needs a zstd window of more than {} MiB", (1 << window_log_max) >> 20)};
        case ZSTD_error_dictionary_wrong:
            return {.code = Errc::unsupported, .offset = at, .detail = "needs a zstd dictionary"};
        case ZSTD_error_memory_allocation: return no_memory();
        case ZSTD_error_srcSize_wrong: return truncated(at);
        case ZSTD_error_prefix_unknown:
            return {.code = Errc::bad_zstd, .offset = at, .detail = "no zstd frame begins here"};
        default:
            return {.code = Errc::bad_zstd,
                    .offset = at,
                    .detail = fmt::format("is damaged: {}", ZSTD_getErrorName(result))};
    }
}

Decompressor new_decompressor() {
    Decompressor context(ZSTD_createDCtx());
    if (context) ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_log_max);
    return context;
}

Result<void> decompress(const Decompressor& context, const Packed& packed, std::uint64_t at) {
    const auto& [frames, content] = packed;
    const std::size_t size =
        ZSTD_decompressDCtx(context.get(), content.data(), content.size(), frames.data(), frames.size());
    const bool too_large = ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall;
    if (ZSTD_isError(size) != 0 && !too_large) return fail(fault(size, at));
    if (too_large || size != content.size()) {
        return fail(
            {.code = Errc::bad_zstd,
             .offset = at,
             .detail = fmt::format("does not hold the {} bytes of its entry in the seek table", content.size())});
    }
    return {};
}

// In place of Boost's own filter, which takes a file that ends within a frame for a whole one, and cannot say where the
// damage is.
class FrameFilter {
  public:
    using char_type = char;

    FrameFilter() : context_(new_decompressor()) {
        if (!context_) throw std::bad_alloc();
    }

    // See symmetric_filter.hpp: reads from `in`, writes to `out`, and returns false when all is done.
    bool filter(const char*& in, const char* in_end, char*& out, const char* out_end, bool at_end) {
        ZSTD_inBuffer from{in, static_cast<std::size_t>(in_end - in), 0};
        ZSTD_outBuffer to{out, static_cast<std::size_t>(out_end - out), 0};
        while (from.pos < from.size || wanted_ != 0) {
            const std::size_t at = from.pos;
            wanted_ = ZSTD_decompressStream(context_.get(), &to, &from);
            if (ZSTD_isError(wanted_) != 0) throw Thrown{fault(wanted_, read_ + at)};
            if (from.pos == from.size || to.pos == to.size) break;
        }
        read_ += from.pos;
        in += from.pos;
        out += to.pos;
        if (at_end && to.pos == 0 && wanted_ != 0) throw Thrown{truncated(read_)};
        return !at_end || to.pos != 0;
    }
    void close() {}

  private:
    Decompressor context_;
    std::size_t wanted_ = 0;  // bytes, more or less; 0 between frames
    std::uint64_t read_ = 0;
};

}  // namespace

// As measured, rounded up.
std::uint64_t compression_memory(int level) noexcept {
    const std::uint64_t mebibytes = level <= 3 ? 2 : level <= 8 ? 7 : 18;
    return mebibytes << 20;
}

Result<void> compress_frame(std::span<const std::byte> content, int level, std::vector<std::byte>& frames,
                            std::span<const std::byte> prefix) {
    // A new context each time: what an old one remembers could decide between two equally good matches.
    const Compressor context(ZSTD_createCCtx());
    if (!context) return fail(no_memory());
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    if (!prefix.empty()) {
        ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, prefixed_window_log);
        ZSTD_CCtx_refPrefix(context.get(), prefix.data(), prefix.size());
    }
    const std::size_t before = frames.size();
    frames.resize(before + ZSTD_compressBound(content.size()));
    const std::size_t size =
        ZSTD_compress2(context.get(), frames.data() + before, frames.size() - before, content.data(), content.size());
    if (ZSTD_isError(size) != 0) return fail(fault(size, 0));
    frames.resize(before + size);
    return {};
}

Result<void> decompress_frames(std::span<const std::byte> frames, std::span<std::byte> content,
                               std::span<const std::byte> prefix) {
    const Decompressor context = new_decompressor();
    if (!context) return fail(no_memory());
    if (!prefix.empty()) ZSTD_DCtx_refPrefix(context.get(), prefix.data(), prefix.size());
    return decompress(context, {frames, content}, 0);
}

Result<void> decompress_each(std::span<const Packed> parts) {
    const Decompressor context = new_decompressor();
    if (!context) return fail(no_memory());
    std::uint64_t at = 0;
    for (const Packed& part : parts) {
        TRY(decompress(context, part, at));
        at += part.frames.size();
    }
    return {};
}

Result<void> decompress_zstd(const Source& source, const Sink& sink) {
    FilterSource from(source);
    const auto buffer = static_cast<std::streamsize>(ZSTD_DStreamInSize());
    try {
        return pull(boost::iostreams::symmetric_filter<FrameFilter>(buffer), from, sink);
    } catch (const Thrown& thrown) {
        return fail(thrown.error);
    } catch (const std::bad_alloc&) {
        return fail(no_memory());
    }
}

}  // namespace ggufkit::io
