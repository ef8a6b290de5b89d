#include "requant/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/try.hpp"

namespace ggufkit::requant {

namespace {

// Floats of a piece, and bytes of one that is copied: with their blocks they stay in a core's second-level cache.
constexpr std::uint64_t piece_elements = 64 << 10;
constexpr std::uint64_t piece_copy_bytes = 256 << 10;

std::string subject_of(const PlannedTensor& tensor) { return fmt::format("tensor '{}'", tensor.name); }

}  // namespace

bool SourceTensor::converts() const { return std::ranges::any_of(targets, &Target::converts); }
bool SourceTensor::checked() const { return std::ranges::any_of(targets, &Target::checked); }

Piece SourceTensor::piece(std::uint64_t number) const {
    const std::uint64_t first = number * piece_units;
    return {.tensor = this, .first = first, .units = std::min(piece_units, units - first)};
}

std::uint64_t SourceTensor::workspace_bytes() const {
    std::uint64_t made = 0;
    for (const Target& target : targets) {
        if (target.converts() || target.big_endian) made = std::max(made, target.unit_bytes);
    }
    return piece_units * (unit_bytes + made + (converts() ? unit_elements * sizeof(float) : 0));
}

Result<SourceTensor> find_source(const Model& model, const PlannedTensor& tensor) {
    const auto other_model = [&] {
        return fail({.code = Errc::bad_argument,
                     .subject = subject_of(tensor),
                     .detail = "the plan was not made from this model"});
    };
    if (tensor.source >= model.tensors().size()) return other_model();
    const ModelTensor& source = model.tensors()[tensor.source];
    TRY_LET(auto reader, tensor::Reader::open(model, source, {.via = tensor::Via::read}));
    const bool weighed = !tensor.importance.empty();
    const auto bytes_out = tensor_bytes(format_of(tensor.to), tensor.ne);
    if (source.info->format->type() != tensor.from || source.info->ne != tensor.ne ||
        reader.bytes() != tensor.bytes_in || !bytes_out || *bytes_out != tensor.bytes_out ||
        (weighed && tensor.importance.size() != tensor.ne[0] * tensor.ne[2] * tensor.ne[3])) {
        return other_model();
    }
    return SourceTensor{.reader = std::move(reader)};
}

void divide(SourceTensor& source) {
    const PlannedTensor& tensor = source.planned();
    const FormatInfo& from = format_of(tensor.from);
    source.units = tensor.bytes_in / from.block_bytes;
    source.unit_elements = from.block_elements;
    source.unit_bytes = from.block_bytes;
    std::uint64_t most = piece_copy_bytes / from.block_bytes;
    if (source.converts() && tensor.bytes_in != 0) {
        source.units = tensor.rows();
        source.unit_elements = tensor.ne[0];
        source.unit_bytes = tensor.bytes_in / source.units;
        most = std::max<std::uint64_t>(1, piece_elements / tensor.ne[0]);
    }
    for (Target& target : source.targets) {
        target.unit_bytes =
            source.units == 0 ? format_of(target.tensor->to).block_bytes : target.tensor->bytes_out / source.units;
    }
    source.piece_units = std::clamp<std::uint64_t>(source.units, 1, most);
}

Result<SourcePiece> read_piece(const Piece& piece, Workspace& workspace) {
    if (workspace.piece_ && workspace.piece_->piece == piece) return *workspace.piece_;
    workspace.piece_.reset();
    const SourceTensor& source = *piece.tensor;
    const tensor::Range range{piece.first * source.unit_elements, piece.units * source.unit_elements};
    const auto check = source.checked() ? tensor::Check::finite : tensor::Check::none;
    TRY_LET(const auto bytes, source.reader.blocks(range, workspace.read_, check));
    std::span<const float> values;
    if (source.converts()) {
        TRY_LET(values, source.reader.decode(range, bytes, workspace.read_));
    }
    return workspace.piece_.emplace(SourcePiece{.piece = piece, .bytes = bytes, .values = values});
}

}  // namespace ggufkit::requant
