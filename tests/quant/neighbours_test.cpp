// The lists of near points, against a search through all of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "quant/iq/formats.hpp"
#include "quant/iq/neighbours.hpp"
#include "support/random_blocks.hpp"

using namespace ggufkit;
using quant::Neighbours;
using quant::PackedGrid;

namespace {

// Levels of the coordinates of a word.
std::vector<int> levels_of_word(const PackedGrid& grid, unsigned word) {
    std::vector<int> levels;
    for (int i = 0; i < grid.length; ++i)
        levels.push_back(grid.levels[word >> (grid.bits() * i) & ((1u << grid.bits()) - 1)]);
    return levels;
}

int distance(const std::vector<int>& a, const std::vector<int>& b) {
    int sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

// The words of a cell's list, in its order.
std::vector<unsigned> listed(const Neighbours& table, std::size_t cell) {
    std::vector<unsigned> words;
    for (std::size_t i = 0; i < Neighbours::listed / 2; ++i) {
        const auto pair = static_cast<std::uint32_t>(table.lists()[cell * (Neighbours::listed / 2) + i]);
        words.push_back(pair & 0xffffu);
        words.push_back(pair >> 16);
    }
    return words;
}

// The values that an encoder works with are the levels of its codebook, `unit` each, and shifted alike.
template <class Format>
void check_values(float unit) {
    const PackedGrid& grid = quant::packed_grids()[static_cast<std::size_t>(Format::grid)];
    CAPTURE(std::string(grid.name));
    REQUIRE(grid.levels.size() == Format::levels);
    REQUIRE(grid.length == Format::length);
    REQUIRE(grid.bits() * grid.length == Format::word_bits);
    const float shift = Format::signs == quant::Signs::shifted ? 0.125f : 0.0f;
    for (std::size_t i = 0; i < grid.levels.size(); ++i) {
        const float level = static_cast<float>(grid.levels[i]) * unit;
        CHECK(Format::values[0].of[i] == level + shift);
        CHECK(Format::values[1].of[i] == level - shift);
    }
}

}  // namespace

TEST_CASE("encoders work with the values that decoders make of a codebook's levels") {
    check_values<quant::IQ2_XXS>(1 / 8.0f);
    check_values<quant::IQ2_XS>(1 / 8.0f);
    check_values<quant::IQ2_S>(1 / 8.0f);
    check_values<quant::IQ3_XXS>(1 / 4.0f);
    check_values<quant::IQ3_S>(1);
    check_values<quant::IQ1_S>(1);
    check_values<quant::IQ1_M>(1);
}

TEST_CASE("the list of a cell has the nearest points of the codebook, the nearest first") {
    test::Random random(91);
    for (const PackedGrid& grid : quant::packed_grids()) {
        CAPTURE(std::string(grid.name));
        const Neighbours table(grid);
        for (std::size_t i = 0; i < grid.words.size(); ++i) REQUIRE(table.index_of(grid.words[i]) == i);
        for (int trial = 0; trial < 200; ++trial) {
            std::size_t cell = 0, weight = 1;
            std::vector<int> middle;
            for (int i = 0; i < grid.length; ++i) {
                const std::size_t level = random.below(static_cast<std::uint32_t>(grid.levels.size()));
                middle.push_back(grid.levels[level]);
                cell += weight * level;
                weight *= grid.levels.size();
            }
            std::vector<int> all, found;
            for (const std::uint16_t word : grid.words) all.push_back(distance(middle, levels_of_word(grid, word)));
            for (const unsigned word : listed(table, cell)) {
                REQUIRE(std::ranges::binary_search(grid.words, word));
                found.push_back(distance(middle, levels_of_word(grid, word)));
            }
            std::ranges::sort(all);
            all.resize(found.size());
            CHECK(found == all);
        }
    }
}
