// How much memory a file in memory may still take.
#pragma once

#include <cstdint>
#include <optional>

namespace ggufkit::io {

// Of the volume of an open file, and of the machine as the kernel estimates it (MemAvailable): the smaller of the two.
// None where neither is known. Asking first is the only safe way: a tmpfs that may grow larger than the machine's
// memory does not refuse a reservation, it has the kernel end processes to make room.
std::optional<std::uint64_t> free_memory(int fd);

}  // namespace ggufkit::io
