// Files that ggufkit keeps beside a file of the user: partial files, journals, notes, cached headers.
//
// Whoever may write to a folder can put something else under these names first. So there is one way to open them: without
// following a symbolic link, without waiting for a FIFO, and only if this program can have made them: a regular file
// with one name that belongs to the user.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <string>
#include <string_view>

#include "io/mapped_file.hpp"

namespace ggufkit::io {

// `name` and `suffix`. Where that is longer than a file name may be (255 bytes), a hash of `name` replaces its end, so
// that different names still have different side files.
std::string side_name(std::string_view name, std::string_view suffix);
// The same in the folder of `file`.
std::filesystem::path side_path(const std::filesystem::path& file, std::string_view suffix);

enum class SideAccess : std::uint8_t {
    read,
    write,   // and read
    create,  // write; makes an empty file where there is none, and keeps what is there
};

// Opens `path`; a relative one in the open folder `folder`. Errors: NOT_FOUND where there is no such file and none is to
// be made; IO_NO_SPACE; IO_OPEN, also where this program cannot have made it.
Result<FileHandle> open_side_file(const std::filesystem::path& path, SideAccess access, int folder = AT_FDCWD);

// Opens a side file and reads its first `most` bytes, or all where it has fewer. Errors: those of open_side_file() and
// read_at().
Result<std::string> read_side_file(const std::filesystem::path& path, std::uint64_t most);

}  // namespace ggufkit::io
