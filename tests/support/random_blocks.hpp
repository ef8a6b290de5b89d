// Seeded random data that is the same everywhere, so that its hash can be written down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/format.hpp>
#include <vector>

namespace ggufkit::test {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t bits() {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t z = state_;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    std::uint64_t below(std::uint64_t bound) { return bits() % bound; }
    // In [0, 1): 24 bits.
    float unit() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }

  private:
    std::uint64_t state_;
};

// `n` blocks of random bits in which every scale is finite: subnormal, zero and huge ones included.
std::vector<std::byte> random_blocks(const FormatInfo& format, std::size_t n, std::uint64_t seed);

}  // namespace ggufkit::test
