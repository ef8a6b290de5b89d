// What many numbers are like together: their range, their mean and the powers of what they are away from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ggufkit::quant {

// Of some numbers, and of those behind them once they are added. All but the last four counts are of finite ones.
struct Moments {
    std::uint64_t finite = 0;
    float min = std::numeric_limits<float>::infinity();  // never -0
    float max = -std::numeric_limits<float>::infinity();
    double mean = 0;
    double m2 = 0, m3 = 0, m4 = 0;  // sums of the powers of x - mean
    std::uint64_t zeros = 0;
    std::uint64_t nans = 0;
    std::uint64_t infinities = 0;

    // Of both together. The result depends, in its last bits, on which are added to which: keep to one order.
    void add(const Moments& behind);
};

// The numbers that moments() is called with at a time: they stay in the nearest cache.
inline constexpr std::size_t moments_chunk = 4096;

// How far from zero the numbers of each stretch of a chunk are; infinitely far where that was not looked at.
struct Reach {
    static constexpr std::size_t stretch = 512;
    std::array<float, moments_chunk / stretch> of;
};

// Of at most a chunk of numbers, the same bits on every instruction set. `ahead` may be where the source of the next numbers
// lies, as many bytes for each of this chunk's numbers as `ahead_bytes` says for all: they are fetched meanwhile.
Moments moments(const float* values, std::size_t count, const std::byte* ahead = nullptr, std::size_t ahead_bytes = 0,
                Reach* reach = nullptr);

// How many numbers are further than `limit` from zero, infinities among them; of at most 2^31.
std::uint64_t count_beyond(const float* values, std::size_t count, float limit);

// Counts finite numbers by bin: below `low`, then `bins` of equal width, then above. `counts` has bins + 2 elements; fewer
// than 2^32 numbers.
struct Bins {
    static constexpr int most = 32;
    float low;
    float per_unit;  // bins for 1
    int bins;
};
void count_bins(const float* values, std::size_t count, const Bins& bins, std::uint64_t* counts);

}  // namespace ggufkit::quant
