#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ggufkit/inspect/check_data.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <optional>

#include "core/aligned.hpp"
#include "core/parallel.hpp"
#include "core/try.hpp"
#include "inspect/scales.hpp"
#include "inspect/tiles.hpp"
#include "inspect/zero_runs.hpp"
#include "quant/measure/finite.hpp"
#include "quant/measure/moments.hpp"
#include "quant/simd/target.hpp"

namespace ggufkit {

namespace inspect {

namespace {

// What is decoded at a time: whole blocks of any type.
constexpr std::size_t chunk = 4096;

// What a worker finds in a tile, until it is its turn to be told.
struct TileFaults {
    Zeros zeros{};
    std::uint64_t blocks = 0;
    std::vector<DataFault> first{};
};

struct Memory {
    tensor::Workspace workspace{};
    AlignedVector<float> values = AlignedVector<float>(chunk);
    std::vector<float> scales{};
};

class Checker {
  public:
    Checker(const tensor::Reader& reader, tensor::Range range, Memory& memory)
        : format_(reader.format()), reader_(reader), range_(range), memory_(memory) {}

    TileFaults check(std::span<const std::byte> bytes) {
        TileFaults faults;
        const std::size_t most = chunk / format_.block_elements * format_.block_bytes;
        for (std::size_t at = 0; at < bytes.size(); at += most) {
            const auto blocks = bytes.subspan(at, std::min(most, bytes.size() - at));
            if (is_sound(blocks)) continue;
            for (std::size_t i = 0; i < blocks.size(); i += format_.block_bytes) {
                const auto block = blocks.subspan(i, format_.block_bytes);
                if (is_sound(block)) continue;
                ++faults.blocks;
                if (faults.first.size() < listed_faults) faults.first.push_back(describe(block, at + i));
            }
        }
        return faults;
    }

  private:
    bool is_sound(std::span<const std::byte> blocks) {
        if (!check_blocks(format_.type(), blocks)) return false;
        if (!may_overflow(blocks)) return true;
        const auto values = decode(blocks);
        return quant::all_finite(values.data(), values.size());
    }

    // Whether finite scales could make weights that are not: only such as have the range of the float that a weight is.
    bool may_overflow(std::span<const std::byte> blocks) {
        constexpr float large = 0x1p99f;
        return std::ranges::any_of(format_.fields, [&](const Field& field) {
            const bool wide = field.number == Number::e8m0 || field.number == Number::f32;
            if (!wide || !is_scale(format_, field)) return false;
            read_scales(format_, field, blocks, memory_.scales);
            return quant::count_beyond(memory_.scales.data(), memory_.scales.size(), large) != 0;
        });
    }

    std::span<const float> decode(std::span<const std::byte> blocks) {
        const auto values =
            std::span(memory_.values).first(blocks.size() / format_.block_bytes * format_.block_elements);
        [[maybe_unused]] const auto done = dequantize_rows(format_.type(), blocks, values);  // sizes agree
        return values;
    }

    DataFault describe(std::span<const std::byte> block, std::size_t at) {
        const std::uint64_t element = range_.first + at / format_.block_bytes * format_.block_elements;
        const std::uint64_t row = reader_.info().ne[0];
        const auto place = reader_.in_file({element, format_.block_elements});
        DataFault fault{.row = element / row,
                        .column = element % row,
                        .offset = place ? place->offset : 0,
                        .field = "value",
                        .value = 0};
        const auto not_finite = [](float number) { return !std::isfinite(number); };
        for (const Field& field : format_.fields) {
            // The NaN of UE4M3 reads as zero: see check_blocks().
            if (!is_scale(format_, field) || field.number == Number::ue4m3) continue;
            read_scales(format_, field, block, memory_.scales);
            const auto found = std::ranges::find_if(memory_.scales, not_finite);
            if (found == memory_.scales.end()) continue;
            fault.field = field.name;
            fault.value = *found;
            return fault;
        }
        const auto values = decode(block);
        const auto found = std::ranges::find_if(values, not_finite);
        if (found != values.end()) fault.value = *found;
        return fault;
    }

    const FormatInfo& format_;
    const tensor::Reader& reader_;
    const tensor::Range range_;
    Memory& memory_;
};

// The zeros that a tile begins and ends with in its file; a tensor that is in none has none that count.
Zeros zeros_of(const Model& model, const ModelTensor& tensor, const tensor::Reader& reader, tensor::Range range) {
    const auto place = reader.in_file(range);
    return place ? count_zeros(model.shard(tensor.shard).file().subspan(place->offset, place->size)) : Zeros{};
}

}  // namespace

}  // namespace inspect

std::string DataFault::text(const FormatInfo& format) const {
    const std::string what = std::isnan(value) ? "NaN" : value < 0 ? "-infinite" : "infinite";
    if (!format.quantized()) return fmt::format("row {}, column {} is {}", row, column, what);
    return fmt::format("row {}, block {} (columns {} to {}): {} is {}", row, column / format.block_elements, column,
                       column + format.block_elements - 1, field == "value" ? "a weight" : field, what);
}

Result<DataFindings> check_data(const Model& model, std::span<const ModelTensor> tensors, const Work& work) {
    using namespace inspect;
    TRY_LET(const auto tiles, Tiles::make(model, tensors));
    quant::choose_simd_target();
    const unsigned workers = worker_count(tiles.count(), work.threads);
    const std::size_t window = 2 * std::size_t{workers};
    std::vector<Memory> memory(workers);
    std::vector<TileFaults> made(window);
    std::vector<TensorFaults> found;
    std::vector<Zeros> zeros(tensors.size());
    std::uint64_t seen = 0;
    auto done = parallel_in_order(
        tiles.count(), workers, window, work.stop,
        [&](std::size_t index, std::size_t slot, unsigned worker) -> Result<void> {
            const Tile tile = tiles.at(index);
            const tensor::Reader& reader = tiles.reader(tile.tensor);
            TRY_LET(const auto blocks, tiles.blocks(tile, memory[worker].workspace));
            made[slot] = Checker(reader, tile.range, memory[worker]).check(blocks);
            made[slot].zeros = zeros_of(model, tensors[tile.tensor], reader, tile.range);
            return {};
        },
        [&](std::size_t index, std::size_t slot) -> Result<void> {
            const Tile tile = tiles.at(index);
            const TileFaults& faults = made[slot];
            zeros[tile.tensor].add(faults.zeros);
            if (faults.blocks != 0) {
                if (found.empty() || found.back().tensor != tile.tensor) found.push_back({.tensor = tile.tensor});
                TensorFaults& all = found.back();
                all.blocks += faults.blocks;
                const std::size_t room = listed_faults - all.first.size();
                all.first.insert(
                    all.first.end(), faults.first.begin(),
                    faults.first.begin() + static_cast<std::ptrdiff_t>(std::min(room, faults.first.size())));
            }
            if (work.progress) work.progress({seen += tiles.bytes(tile), tiles.bytes()});
            return {};
        });
    if (done) done = model.check_unchanged();
    if (!done) return fail(std::move(done).error());
    DataFindings findings{.faults = std::move(found), .zeros = find_runs(model, tensors, zeros, work.stop)};
    if (work.stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    findings.zero_tensors = static_cast<std::size_t>(std::ranges::count_if(zeros, &Zeros::all));
    return findings;
}

}  // namespace ggufkit
