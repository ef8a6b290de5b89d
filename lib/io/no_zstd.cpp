// What zstd.hpp promises, in a library that was built without zstd.
#include "io/zstd.hpp"

namespace ggufkit::io {

namespace {

tl::unexpected<Error> refuse() {
    return fail({.code = Errc::unsupported, .detail = "zstd frames: this library was built without zstd"});
}

}  // namespace

std::uint64_t compression_memory(int) noexcept { return 0; }
Result<void> compress_frame(std::span<const std::byte>, int, std::vector<std::byte>&, std::span<const std::byte>) {
    return refuse();
}
Result<void> decompress_frames(std::span<const std::byte>, std::span<std::byte>, std::span<const std::byte>) {
    return refuse();
}
Result<void> decompress_each(std::span<const Packed>) { return refuse(); }
Result<void> decompress_zstd(const Source&, const Sink&) { return refuse(); }

}  // namespace ggufkit::io
