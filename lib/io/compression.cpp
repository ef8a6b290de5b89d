#include "io/compression.hpp"

#include <algorithm>
#include <vector>

#include "core/try.hpp"
#include "io/filters.hpp"
#include "io/seekable.hpp"
#include "io/zstd.hpp"

namespace ggufkit::io {

namespace {

Result<void> copy(const Source& source, const Sink& sink) {
    std::vector<std::byte> buffer(1 << 20);
    while (true) {
        TRY_LET(const auto got, source(buffer));
        if (got == 0) return {};
        TRY(sink(std::span(buffer).first(got)));
    }
}

}  // namespace

Compression compression_of(std::span<const std::byte> beginning) noexcept {
    using namespace std::string_view_literals;
    if (is_zstd(beginning)) return Compression::zstd;
    const std::string_view text(reinterpret_cast<const char*>(beginning.data()), beginning.size());
    if (text.starts_with("\x1f\x8b\x08")) return Compression::gzip;  // deflate is its only method
    if (text.starts_with("\xfd\x37zXZ\0"sv)) return Compression::xz;
    // "BZh", the size of a block, and either the first block or the end of an empty stream.
    const std::string_view block = text.substr(std::min<std::size_t>(text.size(), 4));
    const bool bzip2 = text.starts_with("BZh") && (block.starts_with("1AY&SY") || block.starts_with("\x17rE8P\x90"));
    return bzip2 ? Compression::bzip2 : Compression::none;
}

std::string_view compression_suffix(std::string_view name) noexcept {
    for (const std::string_view suffix : {".zst", ".gz", ".bz2", ".xz"}) {
        if (name.ends_with(suffix)) return suffix;
    }
    return {};
}

Result<void> decompress(Compression format, const Source& source, const Sink& sink) {
    switch (format) {
        case Compression::zstd: return decompress_zstd(source, sink);
        case Compression::gzip: return decompress_gzip(source, sink);
        case Compression::bzip2: return decompress_bzip2(source, sink);
        case Compression::xz: return decompress_xz(source, sink);
        case Compression::none: break;
    }
    return copy(source, sink);
}

}  // namespace ggufkit::io
