#include "quant/simd/target.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace ggufkit::quant {
namespace {

struct Target {
    std::string_view name;
    std::int64_t bit;
};

// The best first.
constexpr Target known[] = {
#if HWY_ARCH_X86
    {"avx512", HWY_AVX3},
    {"avx2", HWY_AVX2},
    {"sse4", HWY_SSE4},
#elif HWY_ARCH_ARM
    {"neon", HWY_NEON},
#endif
    {"scalar", HWY_BASELINE_SCALAR},
};

// What the CPU has, before anything was switched off. SupportedTargets() also lists what was not compiled.
std::int64_t available() {
    static const std::int64_t bits = (hwy::SupportedTargets() | HWY_BASELINE_SCALAR) & HWY_TARGETS;
    return bits;
}

std::int64_t& in_use() {
    static std::int64_t bit = 0;
    return bit;
}

void use(const Target& target) {
    hwy::GetChosenTarget().Update(target.bit);
    in_use() = target.bit;
}

bool initialise() {
    const char* const forced = std::getenv("GGUFKIT_SIMD");
    const auto named = std::ranges::find_if(known, [&](const Target& target) {
        return forced != nullptr && target.name == forced && (target.bit & available()) != 0;
    });
    const auto best = std::ranges::find_if(known, [](const Target& target) { return (target.bit & available()) != 0; });
    use(named != std::end(known) ? *named : *best);
    return true;
}

}  // namespace

void choose_simd_target() { [[maybe_unused]] static const bool done = initialise(); }

std::vector<std::string_view> simd_targets() {
    std::vector<std::string_view> names;
    for (const Target& target : known) {
        if ((target.bit & available()) != 0) names.push_back(target.name);
    }
    return names;
}

std::string_view simd_target() {
    choose_simd_target();
    return std::ranges::find(known, in_use(), &Target::bit)->name;
}

bool use_simd_target(std::string_view name) {
    choose_simd_target();
    const auto named = std::ranges::find(known, name, &Target::name);
    if (named == std::end(known) || (named->bit & available()) == 0) return false;
    use(*named);
    return true;
}

}  // namespace ggufkit::quant
