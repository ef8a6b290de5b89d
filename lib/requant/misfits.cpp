#include <algorithm>
#include <cmath>
#include <ggufkit/requant/execute.hpp>
#include <mutex>
#include <optional>

#include "core/try.hpp"
#include "requant/runner.hpp"

namespace ggufkit {

namespace {

using requant::SourcePiece;
using requant::SourceTensor;
using requant::Workspace;

// Every type holds magnitudes up to this: no type ends lower than NVFP4.
constexpr float always_fits = 2688;

float greatest_of(std::span<const float> values) {
    float greatest = 0;
    for (const float value : values) greatest = std::max(greatest, std::abs(value));
    return greatest;
}

// The first row of a piece that its type cannot hold; nothing where all fit.
Result<std::optional<std::uint64_t>> first_bad_row(const SourcePiece& source, Workspace& workspace) {
    const SourceTensor& tensor = *source.piece.tensor;
    const auto made = requant::make(segment_of(source.piece, tensor.targets.front()), workspace);
    if (made) return std::nullopt;
    if (made.error().code != Errc::bad_quant) return fail(made.error());
    if (!tensor.place || !made.error().offset) return source.piece.first;
    return (*made.error().offset - tensor.place->offset) / tensor.unit_bytes;
}

// What is known of one tensor so far.
struct Seen {
    float greatest = 0;
    std::optional<std::uint64_t> row{};
};

}  // namespace

Result<std::vector<Misfit>> find_misfits(const Model& model, const Plan& plan, const Work& work) {
    const auto may_be_one = [](const PlannedTensor& tensor) {
        return tensor.from != tensor.to && tensor.to != TensorType::F32;
    };
    TRY_LET(const auto assembly, requant::Assembly::make(model, {&plan}, may_be_one));
    TRY_LET(const auto workers, requant::choose_workers(assembly, assembly.pieces(), work.threads));
    Meter meter(work.progress, assembly.source_bytes());
    const auto tensors = assembly.tensors();
    std::vector<Seen> seen(tensors.size());
    std::mutex mutex;

    const auto look_at = [&](std::uint64_t number, Workspace& workspace) -> Result<void> {
        TRY_LET(const auto source, requant::read_piece(assembly.piece(number), workspace));
        const float greatest = greatest_of(source.values);
        Result<std::optional<std::uint64_t>> row = std::nullopt;
        if (greatest > always_fits) row = first_bad_row(source, workspace);
        if (!row) return fail(std::move(row).error());
        meter.add(source.bytes.size());
        const std::lock_guard lock(mutex);
        Seen& tensor = seen[static_cast<std::size_t>(source.piece.tensor - tensors.data())];
        tensor.greatest = std::max(tensor.greatest, greatest);
        if (*row) tensor.row = std::min(tensor.row.value_or(**row), **row);
        return {};
    };
    requant::Runner runner(workers);
    TRY(runner.each(0, assembly.pieces(), work.stop, look_at));
    TRY(model.check_unchanged());

    std::vector<Misfit> misfits;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        if (!seen[i].row) continue;
        const auto tensor = static_cast<std::size_t>(&tensors[i].planned() - plan.tensors.data());
        misfits.push_back({tensor, *seen[i].row, seen[i].greatest});
    }
    return misfits;
}

}  // namespace ggufkit
