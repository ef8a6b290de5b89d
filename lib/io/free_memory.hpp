// How much memory a file in memory may still take.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <optional>

namespace ggufkit::io {

// Of the volume of an open file, of the machine as the kernel estimates it (MemAvailable), and of the control groups that this process is
// in, as those of a container: the least of them. None where nothing is known. Asking first is the only safe way: a tmpfs that may grow larger than the machine's
// memory does not refuse a reservation, it has the kernel end processes to make room.
std::optional<std::uint64_t> free_memory(int fd);

// Reserves the first `bytes` of a file in memory. IO_NO_SPACE where that is more than free_memory(), or is refused; IO_WRITE.
Result<void> reserve_memory(int fd, std::uint64_t bytes);

// Of a control group (version 2) and those that it is in, up to the one that `mount` is. None where there are no limits.
std::optional<std::uint64_t> free_in_groups(const std::filesystem::path& mount, const std::filesystem::path& group);

}  // namespace ggufkit::io
