// Any bytes: unpacking them as a compressed file returns, by the seek table of zstd and from front to back; where both
// give content, it is the same.
#include <sys/mman.h>
#include <unistd.h>
#include <ggufkit/model.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "io/compression.hpp"
#include "io/spool.hpp"

using namespace ggufkit;

namespace {

// More content than this makes the run slow and finds nothing.
constexpr std::size_t most = 32 << 20;

Result<std::vector<std::byte>> front_to_back(std::span<const std::byte> bytes) {
    std::vector<std::byte> content;
    const io::Source source = [&](std::span<std::byte> into) -> Result<std::size_t> {
        const std::size_t n = std::min(into.size(), bytes.size());
        std::copy_n(bytes.begin(), n, into.begin());
        bytes = bytes.subspan(n);
        return n;
    };
    const io::Sink sink = [&](std::span<const std::byte> next) -> Result<void> {
        content.insert(content.end(), next.begin(), next.end());
        if (content.size() > most) return fail({.code = Errc::out_of_range});
        return {};
    };
    if (auto done = io::decompress(io::compression_of(bytes), source, sink); !done) return fail(done.error());
    return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto expected = front_to_back(bytes);
    if (!expected && expected.error().code == Errc::out_of_range) return 0;
    if (!expected && expected.error().detail.empty()) std::abort();

    const io::FileHandle file(::memfd_create("fuzz", MFD_CLOEXEC));
    if (::write(file.get(), data, size) != static_cast<ssize_t>(size) || ::lseek(file.get(), 0, SEEK_SET) != 0)
        return 0;
    const auto input = io::read_input(file.get(), "fuzz", {.work = {.threads = 1}});
    if (!input) return input.error().message().empty() ? (std::abort(), 0) : 0;
    if (!input->compressed || !expected) return 0;
    // Content that is no model may end early: behind its first part, or in zeros.
    const auto content = input->file.bytes();
    const bool model = content.size() >= 4 &&
                       std::equal(content.begin(), content.begin() + 4, std::as_bytes(std::span("GGUF")).begin());
    if (model && !std::ranges::equal(content, *expected)) {
        std::fprintf(stderr, "the seek table gives other content\n");
        std::abort();
    }
    for (const bool header_only : {false, true}) {
        const auto opened = Model::read(file.get(), "fuzz", {.work = {.threads = 1}, .header_only = header_only});
        if (!opened && opened.error().message().empty()) std::abort();
    }
    return 0;
}
