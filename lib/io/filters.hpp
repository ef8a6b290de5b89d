// gzip, bzip2 and xz, read by the filters of Boost.Iostreams. The library can be built without them (CMake option
// GGUFKIT_IOSTREAMS): then each is UNSUPPORTED.
#pragma once

#include <ggufkit/error.hpp>

#include "io/byte_stream.hpp"

namespace ggufkit::io {

// See decompress() in compression.hpp. Memory: at most 32 MiB for gzip, 4 MiB for bzip2, 100 MiB for xz, which is enough
// for what `xz -9` writes.
Result<void> decompress_gzip(const Source& source, const Sink& sink);
Result<void> decompress_bzip2(const Source& source, const Sink& sink);
Result<void> decompress_xz(const Source& source, const Sink& sink);

}  // namespace ggufkit::io
