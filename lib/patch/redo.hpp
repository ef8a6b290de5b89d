// Bytes of a file that are about to be replaced, written down beside it: FILE.ggufkit-redo.
//
// From the moment that the note of them has its name, the file becomes the new one whatever happens: whoever finds it writes
// them again. Before that moment the file is as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ggufkit/error.hpp>
#include <span>
#include <vector>

namespace ggufkit::patch {

struct Edit {
    std::uint64_t offset;
    std::vector<std::byte> bytes;
    friend bool operator==(const Edit&, const Edit&) = default;
};

// Where the note about a file is.
std::filesystem::path note_of(const std::filesystem::path& file);

// Writes to the file itself; a test may stop in the middle.
using WriteAt = std::function<Result<void>(int fd, std::uint64_t offset, std::span<const std::byte> bytes)>;

// Of the open file `fd`, whose name is `path`; nobody else may be at work on it.
class Redo {
  public:
    Redo(int fd, const std::filesystem::path& path);
    Redo(int fd, const std::filesystem::path& path, WriteAt write);

    // Finishes what an earlier run began, if there is a note. Errors: IO_OPEN, also if this user's ggufkit cannot have made
    // the note (see io::open_side_file()); IO_READ, IO_WRITE, IO_NO_SPACE; BAD_PATCH if the note is damaged, is of another
    // file, or would write past the end of this one. The file is then unchanged, unless writing to it failed.
    Result<void> recover() const;

    // Notes the edits, makes them, and takes the note away. Errors: those of an output.
    Result<void> perform(std::span<const Edit> edits) const;

  private:
    struct About {
        std::uint64_t identity;
        std::uint64_t bytes;  // the size
    };
    Result<About> about() const;
    Result<void> note(std::span<const Edit> edits) const;
    Result<void> make(std::span<const Edit> edits) const;

    int fd_;
    std::filesystem::path file_;
    std::filesystem::path note_;
    WriteAt write_;
};

}  // namespace ggufkit::patch
