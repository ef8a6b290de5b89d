// A file without a name, in the folder TMPDIR or else /var/tmp: the system removes it when nobody has it open any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <span>

#include "io/mapped_file.hpp"

namespace ggufkit::io {

class Spool {
  public:
    // Errors of these: IO_NO_SPACE, IO_WRITE, with a detail that names the folder.
    static Result<Spool> create();

    // Makes it `size` bytes large: zeros, which take no room.
    Result<void> resize(std::uint64_t size) const;
    // The same where so much is to come: IO_NO_SPACE where there is not so much room now.
    Result<void> expect(std::uint64_t size) const;
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) const;

    // Makes the time of its last change one that stands for this number: so that the same content, got again, has the
    // stamp of the same file.
    void stamp(std::uint64_t number) const;

    // The same file once more, as it is now; `path` is what errors call it.
    Result<MappedFile> map(const std::filesystem::path& path) const;

  private:
    FileHandle file_;
};

// MappedFile::open(), and of a FIFO, as <(command) is, what comes out of it until its writer closes it. Waits for a writer.
Result<MappedFile> open_or_spool(const std::filesystem::path& path);

}  // namespace ggufkit::io
