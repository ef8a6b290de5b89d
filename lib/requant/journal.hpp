// What of an unfinished output is on disk already: a small text file beside it.
//
// A line for each moment at which the data had been brought to disk, only ever appended: how many pieces were
// complete from the first one on, a hash of those since the line before, and a checksum of the line. The
// journal is bound to a run by a digest of all that its bytes depend on.
// Source: spec/resume.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.hpp"

namespace ggufkit::requant {

class Journal {
  public:
    struct Mark {
        std::uint64_t pieces;  // all below this one are on disk
        std::uint64_t hash;    // of those since the mark before
        friend bool operator==(const Mark&, const Mark&) = default;
    };

    // Where the journal of an output is; of several outputs, or shards, that of the first.
    static std::filesystem::path path_of(const std::filesystem::path& output);

    // Whether there is a journal of any run, with at least one mark. False where it cannot be read.
    static bool has_marks(const std::filesystem::path& path);

    // `run` is the digest, in hexadecimal digits. `copies` are the journals of the run's further outputs: they
    // get the first marks only, and say that the partial file beside them is worth keeping.
    Journal(std::filesystem::path path, std::string run, std::vector<std::filesystem::path> copies = {})
        : path_(std::move(path)), run_(std::move(run)), copies_(std::move(copies)) {}

    // The marks that a run of the same digest left, up to the first line that is not as it was written; in
    // rising order. Errors: IO_OPEN where this program cannot have made what has a name that append() needs;
    // IO_READ.
    Result<std::vector<Mark>> read() const;

    // Begins with `marks`, which read() gave, or some of the first of them. Nothing is made before the first append().
    void begin(std::vector<Mark> marks) { kept_ = std::move(marks); }

    // On disk when it returns. Errors: IO_OPEN, IO_WRITE, IO_NO_SPACE.
    Result<void> append(Mark mark);

    void remove() const;

  private:
    std::string line(const Mark& mark) const;
    Result<io::FileHandle> create(const std::filesystem::path& path, std::string_view text) const;
    Result<void> write(const io::FileHandle& file, std::string_view text) const;
    Error error(std::string_view doing) const;

    std::filesystem::path path_;
    std::string run_;
    std::vector<std::filesystem::path> copies_;
    std::vector<Mark> kept_;
    io::FileHandle file_;
};

// IO_UNFINISHED where an earlier run left a partial file of this output, with a journal that says how much of
// it is done, and no run is at work on it: nothing may throw it away without being told to. The error's subject
// is the partial file.
Result<void> check_nothing_kept(const std::filesystem::path& output);

}  // namespace ggufkit::requant
