#include "tensor/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <ggufkit/quant/quantize.hpp>
#include <string>
#include <utility>

#include "core/try.hpp"
#include "tensor/gguf_source.hpp"
#include "tensor/scale.hpp"

namespace ggufkit::tensor {

namespace {

// Grows only: what is there need not be cleared.
template <class Buffer>
auto first_of(Buffer& buffer, std::uint64_t size) {
    if (buffer.size() < size) buffer.resize(size);
    return std::span(buffer).first(size);
}

}  // namespace

std::span<std::byte> Workspace::blocks(std::uint64_t bytes) { return first_of(blocks_, bytes); }
std::span<float> Workspace::values(std::uint64_t count) { return first_of(values_, count); }

Result<Reader> Reader::open(const Model& model, const ModelTensor& tensor, const ReadOptions& options) {
    TRY_LET(auto source, open_gguf(model, tensor, options.via, options.ranges));
    std::vector<float> factors;
    if (options.scaled) {
        TRY_LET(auto read, read_factors(model, tensor));
        factors = std::move(read);
    }
    Reader reader(*tensor.info, std::move(source), std::move(factors));
    if (options.via == Via::read) reader.name_ = tensor.info->name;
    return reader;
}

std::string Reader::subject() const {
    return fmt::format("tensor '{}'", name_.empty() ? info_->name : std::string_view(name_));
}

Reader::Reader(const TensorInfo& info, std::shared_ptr<const Source> source, std::vector<float> factors)
    : info_(&info), source_(std::move(source)), factors_(std::move(factors)), elements_(info.elements().value_or(0)) {}

std::uint64_t Reader::elements_in(std::uint64_t bytes) const {
    return std::max<std::uint64_t>(bytes / format().block_bytes, 1) * format().block_elements;
}

Result<std::span<const std::byte>> Reader::blocks(Range range, Workspace& workspace, Check check) const {
    assert(range.first <= elements_ && range.count <= elements_ - range.first);
    assert(range.first % format().block_elements == 0 && range.count % format().block_elements == 0);
    auto blocks = source_->blocks(range, workspace);
    if (!blocks) {
        blocks.error().subject = subject();
        return blocks;
    }
    if (check == Check::none) return blocks;
    if (auto checked = check_blocks(format().type(), *blocks); !checked) {
        const std::uint64_t block = checked.error().offset.value_or(0) / format().block_bytes;
        return fail(locate(range.first + block * format().block_elements, std::move(checked).error()));
    }
    return blocks;
}

Result<std::span<const float>> Reader::decode(Range range, std::span<const std::byte> blocks,
                                              Workspace& workspace) const {
    const auto values = workspace.values(range.count);
    TRY(dequantize_rows(format().type(), blocks, values));
    if (!factors_.empty()) {
        const std::uint64_t matrix = info_->ne[0] * info_->ne[1];
        for (std::size_t i = 0; i < values.size(); ++i) values[i] *= factors_[(range.first + i) / matrix];
    }
    return values;
}

Result<std::span<const float>> Reader::values(Range range, Workspace& workspace, Check check) const {
    TRY_LET(const auto read, blocks(range, workspace, check));
    return decode(range, read, workspace);
}

Error Reader::locate(std::uint64_t element, Error error) const {
    const std::uint64_t row = element / info_->ne[0];
    const bool one_matrix = info_->ne[2] * info_->ne[3] == 1;
    error.subject = subject();
    error.detail = one_matrix
                       ? fmt::format("row {}: {}", row, error.detail)
                       : fmt::format("row {} of matrix {}: {}", row % info_->ne[1], row / info_->ne[1], error.detail);
    const std::uint64_t block = element / format().block_elements * format().block_elements;
    const auto place = in_file({block, format().block_elements});
    error.offset = place ? std::optional(place->offset) : std::nullopt;
    return error;
}

Result<void> for_each_part(const Reader& reader, std::uint64_t part_bytes, Workspace& workspace,
                           const std::function<Result<void>(std::span<const std::byte>)>& take) {
    const std::uint64_t most = reader.elements_in(part_bytes);
    for (std::uint64_t first = 0; first < reader.elements(); first += most) {
        const Range part{first, std::min(most, reader.elements() - first)};
        reader.advise(part, Access::will_need);
        TRY_LET(const auto blocks, reader.blocks(part, workspace));
        TRY(take(blocks));
    }
    return {};
}

}  // namespace ggufkit::tensor
