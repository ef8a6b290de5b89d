// Whether two names or descriptors mean one file: by device and inode, so under any name.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <span>

namespace ggufkit::io {

inline bool is_one_of(const struct stat& file, std::span<const int> open_files) {
    return std::ranges::any_of(open_files, [&](int fd) {
        struct stat other {};
        return ::fstat(fd, &other) == 0 && other.st_dev == file.st_dev && other.st_ino == file.st_ino;
    });
}

}  // namespace ggufkit::io
