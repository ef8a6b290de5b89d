// Models that cannot be mapped as they are: compressed files, pipes, files on servers. Their content goes to a spool
// (spool_file.hpp) and is mapped from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ggufkit/error.hpp>
#include <ggufkit/work.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "io/mapped_file.hpp"

namespace ggufkit::io {

class Frames;

// How many bytes are kept of a file that is not a model, to recognize what it is.
inline constexpr std::size_t recognized_bytes = (64 << 10) + 1;

struct SpoolOptions {
    // Progress in bytes of content; of what can be read only to its end, in bytes read.
    Work work{};
    // Asked with the first bytes of the content, more of them each time. Once it says yes, the rest is not needed: it
    // reads as zeros until Input::fill brings it.
    std::function<bool(std::span<const std::byte>)> enough{};
    // How many of the first bytes may be looked at for that; UNSUPPORTED where they are not enough.
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

    Error too_much() const;
    // Tells of progress; CANCELLED where a stop was requested.
    Result<void> go_on(std::uint64_t done, std::uint64_t total) const;
};

// What there is to read.
struct Input {
    MappedFile file;
    std::optional<MappedFile> compressed{};  // what `file` is the content of
    // Where `file` has no more than was enough: makes the bytes from `begin` to `end` be there too. From one thread at a time.
    std::function<Result<void>(std::uint64_t begin, std::uint64_t end)> fill{};
};

// `file`, or its content if it is compressed.
Result<Input> unpack_input(MappedFile file, const SpoolOptions& options);
// The content that `frames` have; errors call it `name`.
Result<Input> unpack_frames(const std::shared_ptr<Frames>& frames, const std::filesystem::path& name,
                            const SpoolOptions& options);

// Whether content that begins so may be a model; true as long as too little is there to say.
bool may_be_gguf(std::span<const std::byte> beginning) noexcept;

// The file, or its content if it is compressed. With a seek table of zstd all threads decompress, and no more frames than
// are enough; without, it is read from front to back. Content that does not begin as GGUF does ends early: it is not
// worth the disk. Errors: those of MappedFile and compression.hpp; IO_NO_SPACE, IO_WRITE (also where there is no folder
// for temporary files).
Result<Input> open_input(const std::filesystem::path& path, const SpoolOptions& options);

// The same for what `fd` has to give, which stays the caller's. `name` is what errors call it.
Result<Input> read_input(int fd, const std::filesystem::path& name, const SpoolOptions& options);

}  // namespace ggufkit::io
