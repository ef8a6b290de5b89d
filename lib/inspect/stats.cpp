#include <algorithm>
#include <array>
#include <cmath>
#include <ggufkit/stats.hpp>
#include <limits>
#include <mutex>

#include "core/parallel.hpp"
#include "inspect/scales.hpp"
#include "inspect/tiles.hpp"
#include "quant/kernels.hpp"
#include "quant/moments.hpp"
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
    std::vector<float> values = std::vector<float>(chunk);
    std::vector<float> scales{};
    std::vector<std::byte> swapped{};
};

// visit(values, number of the chunk within the tile, the bytes of the next chunk) for each chunk of `wanted`.
template <class Wanted, class Visit>
void for_each_chunk(const FormatInfo& format, std::span<const std::byte> bytes, Memory& memory, Wanted wanted,
                    Visit visit) {
    const std::size_t most = chunk / format.block_elements * format.block_bytes;
    for (std::size_t at = 0, number = 0; at < bytes.size(); at += most, ++number) {
        if (!wanted(number)) continue;
        const auto blocks = bytes.subspan(at, std::min(most, bytes.size() - at));
        const std::size_t n_blocks = blocks.size() / format.block_bytes;
        const auto values = std::span(memory.values).first(n_blocks * format.block_elements);
        quant::find_kernels(format.type())->dequantize(format.type(), blocks.data(), n_blocks, values.data());
        visit(values, number, bytes.subspan(at + blocks.size(), std::min(most, bytes.size() - at - blocks.size())));
    }
}

// How far numbers reach from zero, by chunk: where outliers may be. Where there are so many chunks that remembering each
// would take more than a few megabytes, neighbours are remembered as one.
class Reach {
  public:
    explicit Reach(std::size_t tiles) {
        while (tiles * chunks_per_tile >> shift_ > most) ++shift_;
        reach_.resize((tiles * chunks_per_tile >> shift_) + 1);
    }
    void note(std::size_t tile, std::span<const float> of_chunks) {
        for (std::size_t i = 0; i < of_chunks.size(); ++i) {
            float& known = reach_[(tile * chunks_per_tile + i) >> shift_];
            known = std::max(known, of_chunks[i]);
        }
    }
    float of(std::size_t tile, std::size_t chunk_of_tile) const {
        return reach_[(tile * chunks_per_tile + chunk_of_tile) >> shift_];
    }

    static constexpr std::size_t chunks_per_tile = tile_elements / chunk;

  private:
    static constexpr std::size_t most = 1 << 20;
    unsigned shift_ = 0;
    std::vector<float> reach_;
};

// What the first look at a tile finds, until it is its turn to be added.
struct Seen {
    Moments weights{};
    std::vector<ScaleSums> scales{};
    std::vector<float> reach{};  // of each chunk
};

ScaleSums sum_scales(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks, Memory& memory) {
    read_scales(format, field, blocks, memory.scales);
    ScaleSums sums;
    const std::span<const float> scales = memory.scales;
    const float largest_subnormal = std::nextafter(smallest_normal(field.number), 0.0f);
    std::uint64_t normal = 0;
    for (std::size_t at = 0; at < scales.size(); at += chunk) {
        const auto some = scales.subspan(at, std::min(chunk, scales.size() - at));
        sums.moments.add(quant::moments(some.data(), some.size()));
        normal += quant::count_beyond(some.data(), some.size(), largest_subnormal);
    }
    sums.subnormal = sums.moments.finite - sums.moments.zeros - normal;
    return sums;
}

void look_at(const FormatInfo& format, std::span<const std::byte> bytes, Memory& memory, Seen& seen) {
    seen = {};
    for_each_chunk(
        format, bytes, memory, [](std::size_t) { return true; },
        [&](std::span<const float> values, std::size_t, std::span<const std::byte> ahead) {
            const Moments found = quant::moments(values.data(), values.size(), ahead.data(), ahead.size());
            seen.weights.add(found);
            seen.reach.push_back(found.finite == 0 ? 0 : std::max(-found.min, found.max));
        });
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
    const double variance = std::max(0.0, moments.m2 / n);
    stats.min = moments.min;
    stats.max = moments.max;
    stats.mean = moments.mean;
    stats.rms = std::sqrt(variance + moments.mean * moments.mean);
    stats.spread = std::sqrt(variance);
    if (variance > 0) {
        stats.skewness = moments.m3 / n / (variance * stats.spread);
        stats.kurtosis = moments.m4 / n / (variance * variance);
    }
    return stats;
}

// Where the bins of a histogram lie.
quant::Bins place_bins(const NumberStats& weights) {
    constexpr double per_spread = 4, spreads = Histogram::bins / per_spread / 2;
    constexpr double most = std::numeric_limits<float>::max();
    const auto per_unit = static_cast<float>(per_spread / weights.spread);
    const double spread = weights.spread > 0 && std::isfinite(per_unit) ? weights.spread : 1;
    return {.low = static_cast<float>(std::clamp(weights.mean - spreads * spread, -most, most)),
            .per_unit = static_cast<float>(per_spread / spread),
            .bins = Histogram::bins};
}

// Adds up what is found in the first look at all tiles, in their order.
class Summary {
  public:
    Summary(const Tiles& tiles, const StatsOptions& options)
        : tiles_(tiles), options_(options), reach_(tiles.count()), sums_(tiles.tensors().size()) {}

    void add(std::size_t tile, const Seen& seen) {
        const Tile place = tiles_.at(tile);
        Sums& sums = sums_[place.tensor];
        sums.weights.add(seen.weights);
        sums.scales.resize(seen.scales.size());
        for (std::size_t i = 0; i < seen.scales.size(); ++i) sums.scales[i].add(seen.scales[i]);
        reach_.note(tile, seen.reach);
        if (options_.progress) options_.progress(done_ += place.bytes.size(), tiles_.bytes());
    }

    std::vector<TensorStats> describe_all() const {
        std::vector<TensorStats> all(sums_.size());
        for (std::size_t tensor = 0; tensor < all.size(); ++tensor) {
            all[tensor].weights = describe(sums_[tensor].weights);
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
    const Reach& reach() const { return reach_; }

  private:
    struct Sums {
        Moments weights{};
        std::vector<ScaleSums> scales{};
    };
    const Tiles& tiles_;
    const StatsOptions& options_;
    Reach reach_;
    std::vector<Sums> sums_;
    std::uint64_t done_ = 0;
};

// The second look, for what needs the spread to be known: outliers where numbers reach so far, and the histogram of
// some chunks.
class SecondLook {
  public:
    SecondLook(const Tiles& tiles, const Reach& reach, std::vector<TensorStats>& stats)
        : tiles_(tiles), reach_(reach), stats_(stats) {}

    void at(std::size_t index, Memory& memory) {
        const Tile tile = tiles_.at(index);
        TensorStats& stats = stats_[tile.tensor];
        const auto limit = static_cast<float>(outlier_limit * stats.weights.rms);
        const quant::Bins bins = place_bins(stats.weights);
        const std::uint64_t chunks = (stats.weights.count + chunk - 1) / chunk;
        const auto far = [&](std::size_t number) { return reach_.of(index, number) > limit; };
        const auto sampled = [&](std::size_t number) { return is_sampled(tile.first / chunk + number, chunks); };
        const auto wanted = [&](std::size_t number) { return far(number) || sampled(number); };
        std::size_t number = 0;
        while (number * chunk < tile.elements && !wanted(number)) ++number;
        if (number * chunk >= tile.elements) return;

        std::array<std::uint64_t, Histogram::bins + 2> counts{};
        std::uint64_t outliers = 0;
        for_each_chunk(tiles_.format(tile.tensor), tiles_.native(tile, memory.swapped), memory, wanted,
                       [&](std::span<const float> values, std::size_t chunk_of_tile, std::span<const std::byte>) {
                           if (far(chunk_of_tile)) outliers += quant::count_beyond(values.data(), values.size(), limit);
                           if (sampled(chunk_of_tile))
                               quant::count_bins(values.data(), values.size(), bins, counts.data());
                       });
        const std::lock_guard lock(mutex_);
        stats.outliers += outliers;
        stats.histogram.low = bins.low;
        stats.histogram.width = 1 / bins.per_unit;
        stats.histogram.below += counts.front();
        stats.histogram.above += counts.back();
        for (std::size_t i = 0; i < Histogram::bins; ++i) stats.histogram.counts[i] += counts[i + 1];
    }

  private:
    // At most so many chunks of a tensor, evenly spread.
    static bool is_sampled(std::uint64_t number, std::uint64_t chunks) {
        constexpr std::uint64_t most = 32;
        return chunks <= most || number * most % chunks < most;
    }

    const Tiles& tiles_;
    const Reach& reach_;
    std::vector<TensorStats>& stats_;
    std::mutex mutex_;
};

}  // namespace

}  // namespace inspect

std::uint64_t Histogram::total() const {
    std::uint64_t sum = below + above;
    for (const std::uint64_t count : counts) sum += count;
    return sum;
}

Result<std::vector<TensorStats>> stats(const Model& model, std::span<const ModelTensor> tensors,
                                       const StatsOptions& options) {
    using namespace inspect;
    const auto tiles = Tiles::make(model, tensors);
    if (!tiles) return fail(tiles.error());
    quant::choose_simd_target();

    const unsigned workers = worker_count(tiles->count(), options.threads);
    std::vector<Memory> memory(workers);
    const std::size_t window = 2 * std::size_t{workers};
    std::vector<Seen> seen(window);
    Summary summary(*tiles, options);
    auto done = parallel_in_order(
        tiles->count(), workers, window, options.stop,
        [&](std::size_t index, std::size_t slot, unsigned worker) -> Result<void> {
            const Tile tile = tiles->at(index);
            look_at(tiles->format(tile.tensor), tiles->native(tile, memory[worker].swapped), memory[worker],
                    seen[slot]);
            return {};
        },
        [&](std::size_t index, std::size_t slot) -> Result<void> {
            summary.add(index, seen[slot]);
            return {};
        });
    if (!done) return fail(std::move(done).error());

    std::vector<TensorStats> all = summary.describe_all();
    SecondLook second(*tiles, summary.reach(), all);
    done = parallel_for(tiles->count(), workers, options.stop, [&](std::size_t index, unsigned worker) -> Result<void> {
        second.at(index, memory[worker]);
        return {};
    });
    if (done) done = model.check_unchanged();
    if (!done) return fail(std::move(done).error());
    return all;
}

}  // namespace ggufkit
