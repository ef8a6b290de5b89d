// A file that appears under its name complete and on disk, or not at all.
//
// Purpose: bytes go to NAME.ggufkit-partial in the same folder, whose full size is reserved before the first of them;
// commit() gives the file its name. Until then whatever has that name stays as it is, and a destroyed OutputFile removes
// what it wrote. A lock on the partial file, which ends with its process, tells a run that is at work from one that was
// killed: the next run takes over what that left, to continue it or to begin anew.
// What may be replaced: with `overwrite` a regular file, never one of the inputs (by device and inode, so under any
// name). A symbolic link is refused: to write through it would replace a file that nobody named, to replace it would
// leave that file as it was.
// Thread-safety: write() and copy() may be called from many threads for disjoint ranges.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ggufkit/error.hpp>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace ggufkit::io {

// What OutputFile asks of the system and a test may answer in its place.
struct OutputCalls {
    std::function<ssize_t(int, const void*, std::size_t, off_t)> pwrite = ::pwrite;
    std::function<int(int, int, off_t, off_t)> fallocate = ::fallocate;
    std::function<ssize_t(int, off_t*, int, off_t*, std::size_t, unsigned)> copy_file_range = ::copy_file_range;
    std::function<int(int)> fdatasync = ::fdatasync;
    std::function<int(int)> fsync = ::fsync;
};

class OutputFile {
  public:
    struct Options {
        bool overwrite = false;
        bool resume = false;            // begin with what a killed run left
        bool may_be_published = false;  // that run had come to its commit()
        std::vector<int> inputs{};      // open files that the output must not be
        const OutputFile* beside =
            nullptr;  // shares its folder's descriptor, if it is the same folder; borrowed by create()
        OutputCalls calls{};
    };

    // Where the bytes of an output at `path` are until commit().
    static std::filesystem::path partial_path_of(const std::filesystem::path& path);

    // Without a size no room is reserved, and the file ends behind the last byte that was written. Errors: IO_SAME_FILE,
    // IO_EXISTS, IO_BUSY (another run is at work on it), IO_OPEN (also where it is no regular file), IO_NO_SPACE (how much
    // it takes and how much there is).
    static Result<OutputFile> create(const std::filesystem::path& path, std::optional<std::uint64_t> size,
                                     Options options);

    // What create() would refuse now because of the folder or of what has the name, before the work that the file is for.
    // Makes nothing. Errors: IO_SAME_FILE, IO_EXISTS, IO_OPEN.
    static Result<void> check(const std::filesystem::path& path, Options options);

    OutputFile(OutputFile&&) noexcept;
    OutputFile& operator=(OutputFile&&) noexcept;
    ~OutputFile();

    // As create() was given it.
    const std::filesystem::path& path() const;

    // Where the bytes are until commit(). What was not written reads as zeros, or, with Options::resume and before clear(),
    // as the run before left it.
    std::filesystem::path partial_path() const;

    // With Options::may_be_published: the output has its name already. It can be read, and commit() is done; write()
    // refuses.
    bool published() const;

    // Forgets what the run before left: all of it reads as zeros. Not of a published output. Errors: IO_WRITE, IO_NO_SPACE.
    Result<void> clear();

    // When destroyed before commit(), leave the partial file for a run that resumes.
    // With Options::resume that is so from the start if there was one with content: a run that cannot begin destroys no work.
    void keep(bool wanted = true);

    // Of what was written, by this run or the one that it continues. Errors: those of read_at().
    Result<void> read(std::uint64_t offset, std::span<std::byte> into) const;

    // Waits until what was written so far is on disk. Errors: IO_WRITE, IO_NO_SPACE.
    Result<void> sync();

    // Errors: IO_WRITE, IO_NO_SPACE.
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes);

    // Copies `size` bytes of the file `from`; within the kernel, or sharing blocks, where the filesystem can. Errors:
    // those of write() and read_at().
    Result<void> copy(std::uint64_t offset, int from, std::uint64_t from_offset, std::uint64_t size);

    // To disk, then under its name, in two steps for those who write several files: prepare() can be called
    // before. A failure is final: after a failed fsync nobody knows what the disk holds. Errors: IO_WRITE, IO_NO_SPACE; IO_EXISTS where a file took the name meanwhile and nothing may be replaced.
    Result<void> prepare();
    Result<void> commit();

  private:
    struct State;
    explicit OutputFile(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace ggufkit::io
