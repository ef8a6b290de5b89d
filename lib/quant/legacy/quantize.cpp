// Encoders of Q4_0, Q4_1, Q5_0 and Q5_1. A block is all there is, so the lanes hold blocks, and what a search finds
// only has to be made binary16. spec/quantizers.md tells the story.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/legacy/blocks.hpp"
#include "quant/legacy/legacy.hpp"
#include "quant/planes.hpp"
#include "quant/search/affine.hpp"
#include "quant/search/magnitude.hpp"
#include "quant/search/symmetric.hpp"
#include "quant/search/weights.hpp"

namespace ggufkit::quant {
namespace {

constexpr int n = 32;  // elements of a block

// Up to as many blocks as there are lanes, each in a unit of its own. Lanes that are left over hold zeros.
class BlockLanes {
  public:
    BlockLanes(const float* x, int count, const float* importance, float row_rms) {
        for (int k = 0; k < count; ++k) load(x + k * n, k, unit_[k], group.x);
        if (importance) {
            Lanes spread{};
            for (int k = 0; k < count; ++k) {
                Unit own;
                load(importance + k * n, k, own, group.w);
                const float rms = row_rms * unit_[k].inverse;
                spread[k] = rms * rms;
            }
            weigh_importance(group, spread);
        } else {
            weigh(group, Weighting::linear);
        }
    }

    Lanes nearest_half(Lanes value) const {
        for (int k = 0; k < lane_count; ++k) value[k] = unit_[k].nearest_half(value[k]);
        return value;
    }
    // What the file gets for `value`, which should have been `wanted`: infinity where that is too much for a binary16.
    float stored(Lanes value, Lanes wanted, int k) const {
        return unit_[k].overflows_half(wanted[k]) ? std::numeric_limits<float>::infinity() : value[k] * unit_[k].size;
    }

    LaneGroup<n> group{};

  private:
    static void load(const float* from, int k, Unit& unit, Lanes (&to)[n]) {
        unit = Unit::of(from, n);
        for (int i = 0; i < n; ++i) to[i][k] = from[i] * unit.inverse;
    }
    Unit unit_[lane_count];
};

// Makes a fit binary16, lets the codes follow, and once more; keeps the better one of the two.
constexpr int rounding_steps = 2;

template <int max_code>
struct Affine {
    using Search = AffineSearch<n, max_code>;

    Affine(const BlockLanes& b, std::uint8_t* codes) : blocks(b) {
        AffineMoments m = Search::search(b.group, true);
        wanted = m.best(true);
        Lanes least = splat(std::numeric_limits<float>::infinity());
        for (int step = 0; step < rounding_steps; ++step) {
            if (step > 0) m = Search::moments(b.group, m, fit);
            const Lanes scale = b.nearest_half(m.best(true).scale);
            const Lanes min = b.nearest_half(m.best_min(scale));
            const Lanes error = m.error({scale, min});
            const LaneMask better = error < least;
            least = select(better, error, least);
            fit = {select(better, scale, fit.scale), select(better, min, fit.min)};
        }
        const Lanes inverse = ratio(splat(1), fit.scale);
        write_codes(b.group, inverse, fit.min * inverse, 0, max_code, codes);
    }
    template <class Block>
    void set(int k, Block& block) const {
        block.d.set(blocks.stored(fit.scale, wanted.scale, k));
        block.m.set(-blocks.stored(fit.min, wanted.min, k));
    }

    const BlockLanes& blocks;
    AffineFit wanted;
    AffineFit fit{};
};

template <int half_range>
struct Symmetric {
    using Search = SymmetricSearch<n, half_range>;

    Symmetric(const BlockLanes& b, std::uint8_t* codes) : blocks(b) {
        SymmetricMoments m = Search::search(b.group);
        wanted = m.best();
        Lanes least = splat(std::numeric_limits<float>::infinity());
        for (int step = 0; step < rounding_steps; ++step) {
            if (step > 0) m = Search::moments(b.group, m.xx, ratio(splat(1), scale));
            const Lanes next = b.nearest_half(m.best());
            const Lanes error = m.error(next);
            const LaneMask better = error < least;
            least = select(better, error, least);
            scale = select(better, next, scale);
        }
        write_codes(b.group, ratio(splat(1), scale), Lanes{}, -half_range, half_range - 1, codes);
    }
    template <class Block>
    void set(int k, Block& block) const {
        block.d.set(blocks.stored(scale, wanted, k));
    }

    const BlockLanes& blocks;
    Lanes wanted;
    Lanes scale{};
};

template <class Block>
void pack_codes(const std::uint8_t* codes, Block& block) {
    pack_planes<4, 16>(codes, 0, block.qs);
    if constexpr (requires { block.qh; }) pack_planes<1, 1>(codes, 4, block.qh.bytes);
}

float root_mean_square(const float* row, std::size_t count) {
    const Unit unit = Unit::of(row, count);
    float squares = 0;
    for (std::size_t i = 0; i < count; ++i) squares += row[i] * unit.inverse * (row[i] * unit.inverse);
    return std::sqrt(squares / static_cast<float>(count)) * unit.size;
}

template <class Encoder, class Block>
void quantize(const float* row, std::size_t ne0, std::byte* out, const float* importance) {
    const float row_rms = importance ? root_mean_square(row, ne0) : 0;
    std::uint8_t codes[n * lane_count];
    for (std::size_t i = 0; i < ne0; i += n * lane_count) {
        const int count = static_cast<int>(std::min<std::size_t>(lane_count, (ne0 - i) / n));
        const BlockLanes blocks(row + i, count, importance ? importance + i : nullptr, row_rms);
        const Encoder found(blocks, codes);
        for (int k = 0; k < count; ++k, out += sizeof(Block)) {
            Block block;
            found.set(k, block);
            pack_codes(codes + k * n, block);
            std::memcpy(out, &block, sizeof block);
        }
    }
}

}  // namespace

void quantize_q4_0(const float* row, std::size_t ne0, std::byte* out, const float* importance) {
    quantize<Symmetric<8>, BlockQ4_0>(row, ne0, out, importance);
}
void quantize_q4_1(const float* row, std::size_t ne0, std::byte* out, const float* importance) {
    quantize<Affine<15>, BlockQ4_1>(row, ne0, out, importance);
}
void quantize_q5_0(const float* row, std::size_t ne0, std::byte* out, const float* importance) {
    quantize<Symmetric<16>, BlockQ5_0>(row, ne0, out, importance);
}
void quantize_q5_1(const float* row, std::size_t ne0, std::byte* out, const float* importance) {
    quantize<Affine<31>, BlockQ5_1>(row, ne0, out, importance);
}

}  // namespace ggufkit::quant
