// Sums of powers in float, as quant/moments.cpp takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace ggufkit::quant {

// Every sum is kept in parts: number n of a chunk goes into part n modulo `parts`, on every instruction set, so that all
// of them add the same numbers in the same order. Floats add up no more than `run` numbers before doubles take over.
struct PowerSums {
    static constexpr std::size_t parts = 16;
    static constexpr std::size_t run = 2048;

    PowerSums() {
        for (std::size_t i = 0; i < parts; ++i) {
            min[i] = std::numeric_limits<float>::infinity();
            max[i] = -min[i];
        }
    }

    bool about_zero() const { return pivot == 0 && per_unit == 1; }

    float pivot = 0;
    float per_unit = 1;
    double s1[parts]{}, s2[parts]{}, s3[parts]{}, s4[parts]{};  // of ((x - pivot) per_unit)^1, ^2, ^3, ^4
    float min[parts], max[parts];
    std::uint64_t zeros = 0;
};

}  // namespace ggufkit::quant
