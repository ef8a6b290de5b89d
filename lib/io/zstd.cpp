#include "io/zstd.hpp"

#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <memory>

#include "core/no_memory.hpp"

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
        if (auto done = decompress(context, part, at); !done) return done;
        at += part.frames.size();
    }
    return {};
}

Result<void> decompress_stream(const Source& source, const Sink& sink) {
    const Decompressor context = new_decompressor();
    if (!context) return fail(no_memory());
    std::vector<std::byte> compressed(ZSTD_DStreamInSize()), content(ZSTD_DStreamOutSize());
    std::uint64_t before = 0;  // bytes of the source that are dealt with
    std::size_t wanted = 0;    // 0: between frames
    while (true) {
        const auto got = source(compressed);
        if (!got) return fail(got.error());
        if (*got == 0 && wanted != 0) return fail(truncated(before));
        if (*got == 0) return {};
        ZSTD_inBuffer in{compressed.data(), *got, 0};
        // Once more where the content filled its buffer: there may be more of it without more input.
        for (bool full = false; full || in.pos < in.size;) {
            ZSTD_outBuffer out{content.data(), content.size(), 0};
            const std::size_t at = in.pos;
            wanted = ZSTD_decompressStream(context.get(), &out, &in);
            if (ZSTD_isError(wanted) != 0) return fail(fault(wanted, before + at));
            if (auto taken = sink(std::span(content).first(out.pos)); !taken) return taken;
            full = out.pos == out.size && wanted != 0;
        }
        before += *got;
    }
}

}  // namespace ggufkit::io
