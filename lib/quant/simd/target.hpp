// The instruction sets that the kernels are compiled for, and which of them is used.
//
// Every kernel is one source, compiled once a target by Highway; scalar is its portable emulation, and the specification
// of the bytes: all targets write the same. The best one that the CPU has is taken, unless GGUFKIT_SIMD names another.
#pragma once

#include <string_view>
#include <vector>

namespace ggufkit::quant {

// The names of the targets that were compiled and that this CPU can run, the best first: "avx512", "avx2", "sse4",
// "scalar", or "neon".
std::vector<std::string_view> simd_targets();

// The one in use.
std::string_view simd_target();

// Uses another from now on; false, and nothing changes, where it is not one of simd_targets(). For tests and benches: not
// while kernels are running.
bool use_simd_target(std::string_view name);

// Reads GGUFKIT_SIMD, the first time that it is called. Whoever dispatches calls this before.
void choose_simd_target();

}  // namespace ggufkit::quant
