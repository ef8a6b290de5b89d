// Models that cannot be mapped as they are: compressed files, pipes. Their content goes to a file that has no name, in
// TMPDIR or else /var/tmp, and is mapped from there; the system removes it when nobody has it open any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ggufkit/error.hpp>
#include <optional>
#include <span>

#include "io/mapped_file.hpp"

namespace ggufkit::io {

struct SpoolOptions {
    unsigned threads = 0;  // 0: as many as the machine has
    // Bytes of content that are there, and of all there will be; of what can be read only to its end, bytes read, and
    // of all; the total is 0 where nobody knows.
    std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
    // Asked with the first bytes of the content, more of them each time. Once it says yes, the rest is not needed and
    // may read as zeros.
    std::function<bool(std::span<const std::byte>)> enough{};
};

// What there is to read.
struct Input {
    MappedFile file;
    std::optional<MappedFile> compressed{};  // what `file` is the content of
};

// The file, or its content where it is made of zstd frames. With a seek table all threads decompress, and no more frames
// than are enough; without, it is read from front to back. Content that does not begin as GGUF does ends early: it is
// not worth the disk. Errors: those of MappedFile and zstd.hpp; IO_NO_SPACE, IO_WRITE (also where there is no folder for
// temporary files).
Result<Input> open_input(const std::filesystem::path& path, const SpoolOptions& options);

// The same for what `fd` has to give, which stays the caller's. `name` is what errors call it.
Result<Input> read_input(int fd, const std::filesystem::path& name, const SpoolOptions& options);

}  // namespace ggufkit::io
