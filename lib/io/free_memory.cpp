#include "io/free_memory.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace ggufkit::io {

namespace {

constexpr std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();

std::uint64_t free_on_volume(int fd) {
    struct statvfs volume {};
    // One without a limit of its own, such as that of memfd_create(), has no blocks.
    if (::fstatvfs(fd, &volume) != 0 || volume.f_blocks == 0) return unknown;
    return std::uint64_t{volume.f_bavail} * volume.f_frsize;
}

std::uint64_t free_on_machine() {
    std::ifstream lines("/proc/meminfo");
    std::uint64_t kibibytes = 0;
    for (std::string name, unit; lines >> name >> kibibytes; std::getline(lines, unit)) {
        if (name == "MemAvailable:") return kibibytes * 1024;
    }
    return unknown;
}

}  // namespace

std::optional<std::uint64_t> free_memory(int fd) {
    const std::uint64_t bytes = std::min(free_on_volume(fd), free_on_machine());
    return bytes == unknown ? std::nullopt : std::optional(bytes);
}

}  // namespace ggufkit::io
