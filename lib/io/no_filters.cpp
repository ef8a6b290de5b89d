// What filters.hpp promises, in a library that was built without Boost.Iostreams.
#include "io/filters.hpp"

namespace ggufkit::io {

namespace {

tl::unexpected<Error> refuse() {
    return fail({.code = Errc::unsupported,
                 .detail = "is compressed with gzip, bzip2 or xz: this library was built without Boost.Iostreams"});
}

}  // namespace

Result<void> decompress_gzip(const Source&, const Sink&) { return refuse(); }
Result<void> decompress_bzip2(const Source&, const Sink&) { return refuse(); }
Result<void> decompress_xz(const Source&, const Sink&) { return refuse(); }

}  // namespace ggufkit::io
