// A regular file, mapped for reading. Boost.Interprocess does the mapping; its exceptions end here.
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

#include <ggufkit/access.hpp>
#include <ggufkit/error.hpp>

struct stat;

namespace ggufkit::io {

// A file descriptor that closes itself; a memory-mappable object to Boost.
class FileHandle {
  public:
    explicit FileHandle(int fd = -1) : fd_(fd) {}
    FileHandle(FileHandle&& other) noexcept : fd_(other.release()) {}
    FileHandle& operator=(FileHandle&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileHandle();

    int get() const { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }
    boost::interprocess::mapping_handle_t get_mapping_handle() const { return {fd_, false}; }

  private:
    int fd_;
};

class MappedFile {
  public:
    // IO_OPEN where there is no such file, or it is no regular one (a FIFO is not waited for); IO_READ where it cannot
    // be mapped. An empty file is mapped to no bytes.
    static Result<MappedFile> open(const std::filesystem::path& path);
    // An open regular file. `path` is what errors call it.
    static Result<MappedFile> adopt(FileHandle handle, const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    int fd() const { return handle_.get(); }
    std::span<const std::byte> bytes() const {
        return {static_cast<const std::byte*>(region_.get_address()), region_.get_size()};
    }

    void advise(std::uint64_t begin, std::uint64_t size, Access access) const;

    // IO_CHANGED where the file was written to since it was mapped, by its size and its times; even if the time of the last
    // write was put back.
    Result<void> check_unchanged() const;

  private:
    using Time = std::pair<std::int64_t, std::int64_t>;  // seconds, nanoseconds
    struct Stamp {
        std::int64_t size = 0;
        Time written{}, changed{};
        std::uint64_t links = 0;
        std::uint32_t mode = 0;
        std::pair<std::uint32_t, std::uint32_t> owner{};  // and group
        bool named = false;

        bool has_same_content(const Stamp& other) const;
    };
    Stamp stamp_of(const struct stat& status) const;
    bool is_named(const struct stat& status) const;

    std::filesystem::path path_;
    FileHandle handle_;
    boost::interprocess::mapped_region region_;
    Stamp stamp_;
};

}  // namespace ggufkit::io
