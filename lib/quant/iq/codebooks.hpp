// The codebooks of the IQ types: points of a lattice of 8 (or 4) small coordinates.
//
// They are kept packed, 2 or 3 bits a coordinate, as 16-bit words, and unpacked at compile time. They were found by the
// authors of the format (MIT licence) by searching for points that occur often in weights; no formula gives them.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string_view>

namespace ggufkit::quant {

template <int count, int length>
struct Grid {
    std::int8_t points[count][length];
};

extern const Grid<256, 8> grid_iq2_xxs;
extern const Grid<512, 8> grid_iq2_xs;
extern const Grid<1024, 8> grid_iq2_s;
extern const Grid<256, 4> grid_iq3_xxs;
extern const Grid<512, 4> grid_iq3_s;
extern const Grid<2048, 8> grid_iq1;  // of IQ1_S and IQ1_M

// A codebook as it is kept. Coordinate i of a word is the level that its bits b i and up select, b bits for each.
enum class GridId : std::uint8_t { iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s, iq1 };
struct PackedGrid {
    std::string_view name;
    std::span<const std::uint16_t> words;  // ascending
    int length;                            // coordinates
    std::span<const std::int8_t> levels;

    constexpr int bits() const { return static_cast<int>(std::bit_width(levels.size() - 1)); }
};
std::span<const PackedGrid> packed_grids() noexcept;  // by id

// The signs that a 7-bit code stands for: bit 7 makes the number of set bits even.
constexpr unsigned signs_of_code(unsigned code) noexcept {
    unsigned parity = code ^ code >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return code | (parity & 1u) << 7;
}

// The values of IQ4_NL and IQ4_XS.
inline constexpr std::int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace ggufkit::quant
