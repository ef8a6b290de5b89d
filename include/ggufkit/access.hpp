// How mapped bytes will be used: advice for the kernel (madvise).
//
//     model.advise(tensor.shard, begin, size, ggufkit::Access::sequential);
//     read(bytes);
//     model.advise(tensor.shard, begin, size, ggufkit::Access::dont_need);
//
// Ownership, thread-safety: a plain value.
#pragma once

#include <cstdint>

namespace ggufkit {

enum class Access : std::uint8_t { normal, sequential, random, will_need, dont_need };

}  // namespace ggufkit
