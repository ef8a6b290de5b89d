// What to call a file that is not a regular one.
#pragma once

#include <sys/stat.h>

namespace ggufkit::io {

inline const char* file_kind(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG: return "a regular file";
        case S_IFDIR: return "a folder";
        case S_IFLNK: return "a symbolic link";
        case S_IFIFO: return "a FIFO";
        case S_IFSOCK: return "a socket";
        default: return "a device";
    }
}

}  // namespace ggufkit::io
