// How hard zstd compresses, wherever a function takes a level. From any thread.
//
//     const int level = 12;
//     if (auto fits = ggufkit::check_zstd_level(level); !fits) return complain(fits.error());
//     auto done = ggufkit::execute_compressed(model, plan, "m.gguf.zst", level);
#pragma once

#include <ggufkit/error.hpp>

namespace ggufkit {

inline constexpr int default_zstd_level = 3;
inline constexpr int most_zstd_level = 19;  // 1 is the fastest

// BAD_ARGUMENT for what is not from 1 to most_zstd_level.
Result<void> check_zstd_level(int level);

}  // namespace ggufkit
