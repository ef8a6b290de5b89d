#include <algorithm>
#include <array>
#include <cmath>
#include <ggufkit/inspect/stats.hpp>
#include <limits>

#include "core/aligned.hpp"
#include "core/parallel.hpp"
#include "core/try.hpp"
#include "inspect/scales.hpp"
#include "inspect/tiles.hpp"
#include "quant/kernels.hpp"
#include "quant/measure/code_moments.hpp"
#include "quant/measure/extremes.hpp"
#include "quant/measure/moments.hpp"
#include "quant/simd/target.hpp"

namespace ggufkit {

namespace inspect {

namespace {

using quant::Moments;
constexpr std::size_t chunk = quant::moments_chunk;
static_assert(tile_elements % chunk == 0);

// Of scales: those of one field.
struct ScaleSums {
    Moments moments{};
    std::uint64_t subnormal = 0;

    void add(const ScaleSums& behind) {
        moments.add(behind.moments);
        subnormal += behind.subnormal;
    }
};

// The memory of one worker.
struct Memory {
    AlignedVector<float> values = AlignedVector<float>(chunk);
    quant::Codes codes;
    std::vector<float> scales{};
    tensor::Workspace workspace{};
};

// Decodes whole blocks, a chunk at most, into the worker's memory.
std::span<const float> decode(const FormatInfo& format, std::span<const std::byte> blocks, Memory& memory) {
    const std::size_t n_blocks = blocks.size() / format.block_bytes;
    const auto values = std::span(memory.values).first(n_blocks * format.block_elements);
    quant::find_kernels(format.type())->decode(blocks.data(), n_blocks, values.data());
    return values;
}

double variance(const Moments& moments) {
    return moments.finite == 0 ? 0 : std::max(0.0, moments.m2 / static_cast<double>(moments.finite));
}
double rms(const Moments& moments) { return std::sqrt(variance(moments) + moments.mean * moments.mean); }

// What the first look at a tile finds, until it is its turn to be added.
struct Seen {
    Moments weights{};
    std::uint64_t outliers = 0;
    std::vector<ScaleSums> scales{};
};

float outliers_beyond(const Moments& moments) { return static_cast<float>(outlier_limit * rms(moments)); }

std::uint64_t count_outliers(std::span<const float> values, const Moments& moments, const quant::Reach& reach) {
    if (moments.finite == 0) return 0;
    const float limit = outliers_beyond(moments);
    std::uint64_t beyond = 0;
    for (std::size_t at = 0; at < values.size(); at += reach.stretch) {
        if (reach.of[at / reach.stretch] <= limit) continue;
        beyond += quant::count_beyond(&values[at], std::min(reach.stretch, values.size() - at), limit);
    }
    return beyond - moments.infinities;
}

ScaleSums sum_scales(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks, Memory& memory) {
    read_scales(format, field, blocks, memory.scales);
    ScaleSums sums;
    const std::span<const float> scales = memory.scales;
    const float largest_subnormal = std::nextafter(smallest_normal(field.number), 0.0f);
    std::uint64_t beyond = 0;
    for (std::size_t at = 0; at < scales.size(); at += chunk) {
        const auto some = scales.subspan(at, std::min(chunk, scales.size() - at));
        sums.moments.add(quant::moments(some.data(), some.size()));
        beyond += quant::count_beyond(some.data(), some.size(), largest_subnormal);
    }
    sums.subnormal = sums.moments.finite + sums.moments.infinities - sums.moments.zeros - beyond;
    return sums;
}

// Whether codes were enough to look at these blocks.
bool add_codes(quant::UnpackBlocks* unpack, const FormatInfo& format, std::span<const std::byte> blocks,
               quant::Codes& codes, Seen& seen) {
    if (!unpack) return false;
    unpack(blocks.data(), blocks.size() / format.block_bytes, codes);
    std::optional<Moments> found = quant::code_moments(codes);
    if (!found) return false;
    const auto extremes = quant::find_extremes(codes, seen.weights.min, seen.weights.max, outliers_beyond(*found));
    found->min = extremes.min;
    found->max = extremes.max;
    found->zeros = extremes.zeros;
    seen.weights.add(*found);
    seen.outliers += extremes.outliers;
    return true;
}

void look_at(const FormatInfo& format, std::span<const std::byte> bytes, Memory& memory, Seen& seen) {
    seen = {};
    const std::size_t most = chunk / format.block_elements * format.block_bytes;
    quant::UnpackBlocks* const unpack = quant::find_kernels(format.type())->unpack;
    for (std::size_t at = 0; at < bytes.size(); at += most) {
        const auto blocks = bytes.subspan(at, std::min(most, bytes.size() - at));
        if (add_codes(unpack, format, blocks, memory.codes, seen)) continue;
        const auto ahead = bytes.subspan(at + blocks.size(), std::min(most, bytes.size() - at - blocks.size()));
        const auto values = decode(format, blocks, memory);
        quant::Reach reach;
        const Moments found = quant::moments(values.data(), values.size(), ahead.data(), ahead.size(), &reach);
        seen.weights.add(found);
        seen.outliers += count_outliers(values, found, reach);
    }
    for (const Field& field : format.fields) {
        if (is_scale(format, field)) seen.scales.push_back(sum_scales(format, field, bytes, memory));
    }
}

NumberStats describe(const Moments& moments) {
    NumberStats stats{.count = moments.finite + moments.nans + moments.infinities,
                      .zeros = moments.zeros,
                      .nans = moments.nans,
                      .infinities = moments.infinities};
    if (moments.finite == 0) return stats;
    const auto n = static_cast<double>(moments.finite);
    const double squared = variance(moments);
    stats.min = moments.min;
    stats.max = moments.max;
    stats.mean = moments.mean;
    stats.rms = rms(moments);
    stats.spread = std::sqrt(squared);
    if (squared * squared > 0) {
        stats.skewness = moments.m3 / n / (squared * stats.spread);
        stats.kurtosis = moments.m4 / n / (squared * squared);
    }
    return stats;
}

static_assert(WeightHistogram::bins <= quant::Bins::most);

// Where the bins of a histogram lie.
quant::Bins place_bins(const NumberStats& weights) {
    constexpr double per_spread = 4, spreads = WeightHistogram::bins / per_spread / 2;
    constexpr double most = std::numeric_limits<float>::max();
    const auto per_unit = static_cast<float>(per_spread / weights.spread);
    const double spread = weights.spread > 0 && std::isfinite(per_unit) ? weights.spread : 1;
    return {.low = static_cast<float>(std::clamp(weights.mean - spreads * spread, -most, most)),
            .per_unit = static_cast<float>(per_spread / spread),
            .bins = WeightHistogram::bins};
}

// Adds up what is found in the first look at all tiles, in their order.
class Summary {
  public:
    Summary(const Tiles& tiles, const Work& work) : tiles_(tiles), work_(work), sums_(tiles.tensors()) {}

    void add(std::size_t tile, const Seen& seen) {
        const Tile place = tiles_.at(tile);
        Seen& sums = sums_[place.tensor];
        sums.weights.add(seen.weights);
        sums.outliers += seen.outliers;
        sums.scales.resize(seen.scales.size());
        for (std::size_t i = 0; i < seen.scales.size(); ++i) sums.scales[i].add(seen.scales[i]);
        if (work_.progress) work_.progress({done_ += tiles_.bytes(place), tiles_.bytes()});
    }

    std::vector<TensorStats> describe_all() const {
        std::vector<TensorStats> all(sums_.size());
        for (std::size_t tensor = 0; tensor < all.size(); ++tensor) {
            all[tensor].weights = describe(sums_[tensor].weights);
            all[tensor].outliers = sums_[tensor].outliers;
            auto sums = sums_[tensor].scales.begin();
            for (const Field& field : tiles_.format(tensor).fields) {
                if (!is_scale(tiles_.format(tensor), field) || sums == sums_[tensor].scales.end()) continue;
                all[tensor].scales.push_back(
                    {.field = field.name, .numbers = describe(sums->moments), .subnormal = sums->subnormal});
                ++sums;
            }
        }
        return all;
    }

  private:
    const Tiles& tiles_;
    const Work& work_;
    std::vector<Seen> sums_;
    std::uint64_t done_ = 0;
};

// Of at most so many chunks of a tensor, evenly spread: a second look, for which mean and spread are known.
Result<WeightHistogram> draw(const Tiles& tiles, std::size_t tensor, const NumberStats& weights, Memory& memory) {
    constexpr std::uint64_t most = 32;
    const quant::Bins bins = place_bins(weights);
    const std::uint64_t chunks = (weights.count + chunk - 1) / chunk, drawn = std::min(chunks, most);
    std::array<std::uint64_t, WeightHistogram::bins + 2> counts{};
    for (std::uint64_t i = 0; i < drawn; ++i) {
        const Tile tile = tiles.part(tensor, i * chunks / drawn * chunk, chunk);
        TRY_LET(const auto blocks, tiles.blocks(tile, memory.workspace));
        const auto values = decode(tiles.format(tensor), blocks, memory);
        quant::count_bins(values.data(), values.size(), bins, counts.data());
    }
    WeightHistogram histogram{
        .below = counts.front(), .above = counts.back(), .low = bins.low, .width = 1 / bins.per_unit};
    std::copy(counts.begin() + 1, counts.end() - 1, histogram.counts.begin());
    return histogram;
}

}  // namespace

}  // namespace inspect

std::uint64_t WeightHistogram::total() const {
    std::uint64_t sum = below + above;
    for (const std::uint64_t count : counts) sum += count;
    return sum;
}

Result<std::vector<TensorStats>> tensor_stats(const Model& model, std::span<const ModelTensor> tensors,
                                              const Work& work) {
    using namespace inspect;
    TRY_LET(const auto tiles, Tiles::make(model, tensors));
    quant::choose_simd_target();

    const unsigned workers = worker_count(std::max(tiles.count(), tensors.size()), work.threads);
    std::vector<Memory> memory(workers);
    const std::size_t window = 2 * std::size_t{workers};
    std::vector<Seen> seen(window);
    Summary summary(tiles, work);
    auto done = parallel_in_order(
        tiles.count(), workers, window, work.stop,
        [&](std::size_t index, std::size_t slot, unsigned worker) -> Result<void> {
            const Tile tile = tiles.at(index);
            TRY_LET(const auto blocks, tiles.blocks(tile, memory[worker].workspace));
            look_at(tiles.format(tile.tensor), blocks, memory[worker], seen[slot]);
            return {};
        },
        [&](std::size_t index, std::size_t slot) -> Result<void> {
            summary.add(index, seen[slot]);
            return {};
        });
    if (!done) return fail(std::move(done).error());

    std::vector<TensorStats> all = summary.describe_all();
    done = parallel_for(all.size(), workers, work.stop, [&](std::size_t tensor, unsigned worker) -> Result<void> {
        TRY_LET(const auto histogram, draw(tiles, tensor, all[tensor].weights, memory[worker]));
        all[tensor].histogram = histogram;
        return {};
    });
    if (done) done = model.check_unchanged();
    if (!done) return fail(std::move(done).error());
    return all;
}

}  // namespace ggufkit
