#include <algorithm>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/inspect/peek.hpp>

#include "core/try.hpp"
#include "tensor/reader.hpp"

namespace ggufkit {

namespace {

Result<std::vector<BlockPart>> parts_of(const Model& model, const ModelTensor& tensor, std::uint64_t block) {
    TRY_LET(const auto reader, tensor::Reader::open(model, tensor));
    const FormatInfo& format = reader.format();
    if (block >= reader.elements() / format.block_elements) {
        return fail({.code = Errc::out_of_range,
                     .subject = "tensor '" + std::string(tensor.info->name) + "'",
                     .detail = "has no block " + std::to_string(block)});
    }
    tensor::Workspace workspace;
    TRY_LET(const auto bytes, reader.blocks({block * format.block_elements, format.block_elements}, workspace));
    return explain_block(format.type(), bytes);
}

PartChange change_of(const BlockPart& a, const BlockPart& b) {
    PartChange change{.name = a.name, .count = a.reals.size() + a.integers.size()};
    const auto compare = [&](const auto& in_a, const auto& in_b) {
        for (std::size_t i = 0; i < std::min(in_a.size(), in_b.size()); ++i) {
            const auto x = static_cast<double>(in_a[i]), y = static_cast<double>(in_b[i]);
            if (x == y || (x != x && y != y)) continue;
            if (++change.differ <= PartChange::most) change.first.push_back({i, x, y});
        }
    };
    compare(a.reals, b.reals);
    compare(a.integers, b.integers);
    return change;
}

}  // namespace

Result<std::vector<PartChange>> explain_difference(const Model& a, const ModelTensor& in_a, const Model& b,
                                                   const ModelTensor& in_b, std::uint64_t block) {
    if (in_a.info->type_id != in_b.info->type_id) {
        return fail({.code = Errc::bad_argument, .detail = "blocks of two types have no parts in common"});
    }
    TRY_LET(const auto parts_a, parts_of(a, in_a, block));
    TRY_LET(const auto parts_b, parts_of(b, in_b, block));
    std::vector<PartChange> changes;
    for (std::size_t i = 0; i < std::min(parts_a.size(), parts_b.size()); ++i) {
        changes.push_back(change_of(parts_a[i], parts_b[i]));
    }
    return changes;
}

}  // namespace ggufkit
