// How hard zstd compresses, wherever a function takes a level. From any thread.
#pragma once

#include <ggufkit/error.hpp>

namespace ggufkit {

inline constexpr int default_zstd_level = 3;
inline constexpr int most_zstd_level = 19;  // 1 is the fastest

// BAD_ARGUMENT for what is not from 1 to most_zstd_level.
Result<void> check_zstd_level(int level);

}  // namespace ggufkit
