#include <algorithm>
#include <cmath>
#include <ggufkit/requant.hpp>
#include <mutex>
#include <optional>

#include "core/parallel.hpp"
#include "requant/job.hpp"
#include "requant/meter.hpp"
#include "requant/piece_numbers.hpp"
#include "requant/workers.hpp"

namespace ggufkit {

namespace {

using requant::Job;
using requant::PieceNumbers;
using requant::SourcePiece;
using requant::Tile;

// Every type holds magnitudes up to this: no type ends lower than NVFP4.
constexpr float always_fits = 2688;

float greatest_of(std::span<const float> values) {
    float greatest = 0;
    for (const float value : values) greatest = std::max(greatest, std::abs(value));
    return greatest;
}

// The first row of a piece that its type cannot hold; nothing where all fit.
Result<std::optional<std::uint64_t>> first_bad_row(const Job& job, const SourcePiece& source) {
    const auto piece = requant::make_piece(job, job.targets.front(), source);
    if (piece) return std::nullopt;
    if (piece.error().code != Errc::bad_quant) return fail(piece.error());
    const std::uint64_t at = piece.error().offset.value_or(source.offset);  // of the row, in the source file
    return (at - job.source_offset) / job.unit_bytes;
}

// What is known of one tensor so far.
struct Seen {
    float greatest = 0;
    std::optional<std::uint64_t> row{};
};

}  // namespace

Result<std::vector<Misfit>> find_misfits(const Model& model, const Plan& plan, const MisfitOptions& options) {
    auto jobs = requant::make_jobs(model, plan);
    if (!jobs) return fail(std::move(jobs).error());
    std::erase_if(*jobs, [](const Job& job) { return !job.converts() || job.tensor().to == TensorType::F32; });
    const PieceNumbers numbers(*jobs);
    const auto workers = requant::choose_workers(*jobs, numbers.count(), options.threads);
    if (!workers) return fail(workers.error());
    std::uint64_t bytes = 0;
    for (const Job& job : *jobs) bytes += job.units * job.unit_bytes;
    requant::Meter meter(options.progress, bytes);
    std::vector<Tile> tiles(*workers, Tile(*jobs));
    std::vector<Seen> seen(jobs->size());
    std::mutex mutex;

    auto read =
        parallel_for(numbers.count(), *workers, options.stop, [&](std::size_t i, unsigned worker) -> Result<void> {
            const auto [number, piece] = numbers.at(i);
            const Job& job = (*jobs)[number];
            const auto source = requant::read_piece(job, piece, tiles[worker]);
            if (!source) return fail(source.error());
            const float greatest = greatest_of(source->values);
            Result<std::optional<std::uint64_t>> row = std::nullopt;
            if (greatest > always_fits) row = first_bad_row(job, *source);
            if (!row) return fail(std::move(row).error());
            meter.add(source->bytes.size());
            const std::lock_guard lock(mutex);
            Seen& tensor = seen[number];
            tensor.greatest = std::max(tensor.greatest, greatest);
            if (*row) tensor.row = std::min(tensor.row.value_or(**row), **row);
            return {};
        });
    if (!read) return fail(std::move(read).error());
    if (auto same = model.check_unchanged(); !same) return fail(std::move(same).error());

    std::vector<Misfit> misfits;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        if (!seen[i].row) continue;
        const auto tensor = static_cast<std::size_t>(&(*jobs)[i].tensor() - plan.tensors.data());
        misfits.push_back({tensor, *seen[i].row, seen[i].greatest});
    }
    return misfits;
}

}  // namespace ggufkit
