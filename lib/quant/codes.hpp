// The codes of many blocks, unpacked, with the scales and minimums of their groups.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "format/code_groups.hpp"

namespace ggufkit::quant {

using namespace format;  // kernels are about block structs and little else

// At most so many codes, group after group.
struct Codes {
    static constexpr std::size_t most = 4096;
    static constexpr std::size_t most_groups = most / 16;
    static constexpr std::size_t batch = 512;  // kernels look at so many at a time

    CodeGroups groups;
    std::size_t count;
    alignas(64) std::int8_t codes[most];
    alignas(64) float scales[most_groups];
    alignas(64) float mins[most_groups];

    std::size_t group_count() const { return count / static_cast<std::size_t>(groups.size); }

    // Makes the last batch a whole one: of groups whose scale and min are zero, whose codes are not.
    void fill_up() {
        if (count % batch == 0) return;
        const std::size_t end = count / batch * batch + batch, n = group_count();
        const std::size_t size = static_cast<std::size_t>(groups.size);
        std::fill(codes + count, codes + end, static_cast<std::int8_t>(groups.zero + 1));
        std::fill(scales + n, scales + end / size, 0.0f);
        std::fill(mins + n, mins + end / size, 0.0f);
    }
};

}  // namespace ggufkit::quant
