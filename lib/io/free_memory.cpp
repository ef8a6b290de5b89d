#include "io/free_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>

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

// The number in a file of one; "max", or no such file, is unknown.
std::uint64_t number_in(const std::filesystem::path& file) {
    std::uint64_t number = 0;
    return std::ifstream(file) >> number ? number : unknown;
}

// Of a group and below: its limit less what it has, but for the page cache, which makes room.
std::uint64_t free_in_group(const std::filesystem::path& group) {
    const std::uint64_t limit = number_in(group / "memory.max"), used = number_in(group / "memory.current");
    if (limit == unknown || used == unknown) return unknown;
    std::uint64_t cache = 0, bytes = 0;
    std::ifstream lines(group / "memory.stat");
    for (std::string name; lines >> name >> bytes;) {
        if (name == "active_file" || name == "inactive_file") cache += bytes;
    }
    return limit - std::min(limit, used - std::min(used, cache));
}

std::uint64_t free_in_own_groups() {
    std::ifstream lines("/proc/self/cgroup");
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("0::/")) return free_in_groups("/sys/fs/cgroup", line.substr(4)).value_or(unknown);
    }
    return unknown;
}

}  // namespace

std::optional<std::uint64_t> free_in_groups(const std::filesystem::path& mount, const std::filesystem::path& group) {
    std::uint64_t least = free_in_group(mount);
    std::filesystem::path at = mount;
    for (const auto& name : group) least = std::min(least, free_in_group(at /= name));
    return least == unknown ? std::nullopt : std::optional(least);
}

std::optional<std::uint64_t> free_memory(int fd) {
    const std::uint64_t bytes = std::min({free_on_volume(fd), free_on_machine(), free_in_own_groups()});
    return bytes == unknown ? std::nullopt : std::optional(bytes);
}

Result<void> reserve_memory(int fd, std::uint64_t bytes) {
    if (bytes == 0) return {};
    if (const auto free = free_memory(fd); free && bytes > *free) {
        return fail({.code = Errc::io_no_space,
                     .detail = fmt::format("needs {} bytes of memory, and {} are free", bytes, *free)});
    }
    int result = 0;
    do {
        result = ::fallocate(fd, 0, 0, static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    if (result == 0) return {};
    return fail({.code = errno == ENOSPC || errno == ENOMEM ? Errc::io_no_space : Errc::io_write,
                 .detail = fmt::format("cannot reserve {} bytes of memory: {}", bytes,
                                       std::generic_category().message(errno))});
}

}  // namespace ggufkit::io
