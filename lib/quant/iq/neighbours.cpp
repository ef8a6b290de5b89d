#include "quant/iq/neighbours.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace ggufkit::quant {
namespace {

// Squared distances between all cells of half as many coordinates.
class HalfDistances {
  public:
    HalfDistances(int coordinates, std::span<const std::int8_t> levels) {
        for (int i = 0; i < coordinates; ++i) count_ *= levels.size();
        distances_.resize(count_ * count_);
        for (std::size_t a = 0; a < count_; ++a) {
            for (std::size_t b = 0; b < count_; ++b) distances_[a * count_ + b] = distance(a, b, coordinates, levels);
        }
    }
    std::size_t count() const { return count_; }
    const int* from(std::size_t cell) const { return &distances_[cell * count_]; }

  private:
    static int distance(std::size_t a, std::size_t b, int coordinates, std::span<const std::int8_t> levels) {
        int sum = 0;
        for (int i = 0; i < coordinates; ++i) {
            const int difference = levels[a % levels.size()] - levels[b % levels.size()];
            sum += difference * difference;
            a /= levels.size();
            b /= levels.size();
        }
        return sum;
    }

    std::size_t count_ = 1;
    std::vector<int> distances_;
};

// The cell whose middle a point is.
std::size_t cell_of(unsigned word, const PackedGrid& grid) {
    std::size_t cell = 0;
    for (int i = grid.length - 1; i >= 0; --i) {
        cell = cell * grid.levels.size() + (word >> (grid.bits() * i) & ((1u << grid.bits()) - 1));
    }
    return cell;
}

// What points are sorted by: the distance, then the index.
constexpr int index_bits = 11;
constexpr std::uint32_t index_mask = (1u << index_bits) - 1;

// Puts a key into its place among ascending ones, the last of which drops out.
template <std::size_t count>
void insert(std::uint32_t (&keys)[count], std::uint32_t key) {
    std::size_t i = count - 1;
    for (; i > 0 && keys[i - 1] > key; --i) keys[i] = keys[i - 1];
    keys[i] = key;
}

}  // namespace

Neighbours::Neighbours(const PackedGrid& grid) : index_(std::size_t{1} << (grid.bits() * grid.length)) {
    const HalfDistances halves(grid.length / 2, grid.levels);
    std::vector<std::pair<std::size_t, std::size_t>> points;  // low and high half
    for (std::size_t i = 0; i < grid.words.size(); ++i) {
        index_[grid.words[i]] = static_cast<std::uint16_t>(i);
        const std::size_t cell = cell_of(grid.words[i], grid);
        points.emplace_back(cell % halves.count(), cell / halves.count());
    }
    lists_.reserve(halves.count() * halves.count() * (listed / 2));
    for (std::size_t cell = 0; cell < halves.count() * halves.count(); ++cell) {
        const int* const low = halves.from(cell % halves.count());
        const int* const high = halves.from(cell / halves.count());
        std::uint32_t nearest[listed];  // ascending
        std::ranges::fill(nearest, ~0u);
        for (std::size_t i = 0; i < points.size(); ++i) {
            const auto distance = static_cast<std::uint32_t>(low[points[i].first] + high[points[i].second]);
            const std::uint32_t key = distance << index_bits | static_cast<std::uint32_t>(i);
            if (key < nearest[listed - 1]) insert(nearest, key);
        }
        for (std::size_t i = 0; i < listed; i += 2) {
            const std::uint32_t near = grid.words[nearest[i] & index_mask];
            const std::uint32_t far = grid.words[nearest[i + 1] & index_mask];
            lists_.push_back(static_cast<std::int32_t>(near | far << 16));
        }
    }
}

}  // namespace ggufkit::quant
