#include "io/filters.hpp"

#include <fmt/format.h>

#include <boost/iostreams/filter/bzip2.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <exception>
#include <new>
#include <string_view>

#include "core/no_memory.hpp"
#include "io/filter_stream.hpp"

namespace ggufkit::io {

namespace {

namespace iostreams = boost::iostreams;

// Also how close behind an error's offset the damage lies.
constexpr std::streamsize buffer = 4 << 10;

Error truncated(std::string_view format, const FilterSource& source) {
    return {.code = Errc::truncated,
            .offset = source.end(),
            .detail = fmt::format("ends within {}-compressed data", format)};
}

Error damaged(std::string_view format, const FilterSource& source) {
    return {.code = Errc::bad_compressed,
            .offset = source.last(),
            .detail = fmt::format("is damaged: cannot be decompressed as {}", format)};
}

// Errors without an exact meaning come when the filter asks for more than there is, or else from damage.
Error fault(std::string_view format, const FilterSource& source, bool ended) {
    return ended ? truncated(format, source) : damaged(format, source);
}

Error fault_of(const iostreams::gzip_error& error, const FilterSource& source) {
    const bool checksum = error.error() == iostreams::gzip::bad_crc;
    const bool data = error.zlib_error_code() == iostreams::zlib::data_error;
    return fault("gzip", source, source.ended() && !checksum && !data);
}

Error fault_of(const iostreams::bzip2_error& error, const FilterSource& source) {
    return fault("bzip2", source, error.error() == iostreams::bzip2::unexpected_eof);
}

// Boost gives liblzma 100 MiB; a file may ask for 4 GiB.
Error fault_of(const iostreams::lzma_error& error, const FilterSource& source) {
    constexpr int memory_limit = 6;  // LZMA_MEMLIMIT_ERROR, which Boost has no name for
    if (error.error() == memory_limit) {
        return {.code = Errc::unsupported,
                .offset = source.last(),
                .detail = "needs more than 100 MiB of memory to decompress; decompress it with 'unxz'"};
    }
    if (error.error() == iostreams::lzma::options_error) {
        return {.code = Errc::unsupported, .offset = source.last(), .detail = "uses an unknown feature of xz"};
    }
    return fault("xz", source, error.error() == iostreams::lzma::buf_error);
}

template <class Filter, class FilterError>
Result<void> decompress(FilterSource source, const Sink& sink, auto... arguments) {
    try {
        return pull(Filter(arguments...), source, sink);
    } catch (const FilterError& error) {
        return fail(fault_of(error, source));
    } catch (const Thrown& thrown) {
        return fail(thrown.error);
    } catch (const std::bad_alloc&) {
        return fail(no_memory());
    } catch (const std::exception&) {  // of the gzip filter, where a header has no room in its buffer
        return fail(damaged("compressed data", source));
    }
}

}  // namespace

Result<void> decompress_gzip(const Source& source, const Sink& sink) {
    // Boost keeps the name in a gzip header, however long it is.
    constexpr std::uint64_t most_without_content = 16 << 20;
    return decompress<iostreams::gzip_decompressor, iostreams::gzip_error>(
        FilterSource(source, most_without_content), sink, iostreams::gzip::default_window_bits, buffer);
}

Result<void> decompress_bzip2(const Source& source, const Sink& sink) {
    return decompress<iostreams::bzip2_decompressor, iostreams::bzip2_error>(FilterSource(source), sink,
                                                                             iostreams::bzip2::default_small, buffer);
}

Result<void> decompress_xz(const Source& source, const Sink& sink) {
    return decompress<iostreams::lzma_decompressor, iostreams::lzma_error>(FilterSource(source), sink, buffer);
}

}  // namespace ggufkit::io
