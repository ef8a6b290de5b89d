// The control file of a file in shared memory: whose it is, which pieces are ready, who is making it.
//
// NAME.ggufkit beside NAME. Its lock (flock) is held while the file is made and ends with the process that makes it. A
// control file is made under another name and renamed, so one that can be opened is complete, and its size never
// changes: whoever has mapped it can go on looking at it whatever happens to the name.
// Thread-safety: set_ready() and is_ready() from any thread and process: what was written before the one is seen after
// the other. One process at a time calls the rest, under the lock.
// Source: spec/shared.md.
#pragma once

#include <boost/endian/arithmetic.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cstdint>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/mapped_file.hpp"

namespace ggufkit::requant {

// The files of one NAME.
struct SharedNames {
    std::filesystem::path data;         // NAME, once it is whole
    std::filesystem::path partial;      // until then
    std::filesystem::path control;      // the control file
    std::filesystem::path new_control;  // before it gets its name

    // BAD_ARGUMENT where `name` is no plain file name.
    static Result<SharedNames> of(std::string_view name);
};

// A file as it is now: another one, or one that was written to, differs. As it lies in the control file.
struct FileStamp {
    boost::endian::little_uint64_t inode = 0;
    boost::endian::little_uint64_t bytes = 0;
    boost::endian::little_uint64_t seconds = 0;  // of the last change
    boost::endian::little_uint64_t nanoseconds = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
std::optional<FileStamp> stamp_of(int fd);
std::optional<FileStamp> stamp_of(const std::filesystem::path& path);

class Control {
  public:
    // What there is, or with `create` an empty one where there is none. Errors: NOT_FOUND; IO_OPEN, also where it is
    // another user's or no regular file.
    static Result<Control> open(const SharedNames& names, bool create);

    // A new one in the place of that which `names` has, whose lock the caller holds; its own is taken at once. `data`
    // is the partial file. Errors: IO_OPEN, IO_WRITE, IO_NO_SPACE.
    static Result<Control> replace(const SharedNames& names, std::string_view run, std::uint64_t pieces,
                                   const FileStamp& data);

    // False where another process, or another Control of this one, has the lock.
    bool lock() const;
    // Whether this is still what `names` leads to.
    bool is_current() const;

    // One that is empty, or one that is not as written, has no run.
    const std::string& run() const { return run_; }
    std::uint64_t pieces() const { return ready_.size(); }
    bool is_of(std::string_view run, std::uint64_t pieces) const { return run_ == run && ready_.size() == pieces; }
    // Of the file that the pieces are in.
    FileStamp data() const;
    Result<void> set_data(const FileStamp& data);

    bool is_ready(std::uint64_t piece) const;
    void set_ready(std::uint64_t piece);
    std::uint64_t count_ready() const;

  private:
    Control(std::filesystem::path path, io::FileHandle file) : path_(std::move(path)), file_(std::move(file)) {}
    Result<void> map();

    std::filesystem::path path_;
    io::FileHandle file_;
    boost::interprocess::mapped_region region_;
    std::string run_;
    std::span<std::uint8_t> ready_;  // in the region: 1 where the piece is ready
};

}  // namespace ggufkit::requant
