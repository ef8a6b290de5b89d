#include "tensor/gguf_source.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ggufkit/quant/quantize.hpp>
#include <vector>

#include "core/try.hpp"
#include "io/read_at.hpp"

namespace ggufkit::tensor {

namespace {

class GgufSource final : public Source {
  public:
    // `data`: all of the tensor, in the mapping.
    GgufSource(const Model& model, const ModelTensor& tensor, Via via, std::span<const std::byte> data)
        : model_(model),
          shard_(tensor.shard),
          format_(*tensor.info->format),
          via_(via),
          order_(model.shard(tensor.shard).byte_order()),
          data_(data) {}

    Result<std::span<const std::byte>> blocks(Range range, Workspace& workspace) const override {
        const auto mapped = mapped_bytes(range);
        if (via_ == Via::mapping && order_ == ByteOrder::little) return mapped;
        const auto copy = workspace.blocks(mapped.size());
        if (via_ == Via::mapping) {
            std::ranges::copy(mapped, copy.begin());
        } else if (auto read = io::read_at(model_.shard_fd(shard_), offset_of(mapped), copy); !read) {
            return fail(std::move(read).error());
        }
        if (order_ == ByteOrder::big) swap_block_bytes(format_, copy);
        return copy;
    }

    std::optional<FileRange> in_file(Range range) const override {
        const auto mapped = mapped_bytes(range);
        return FileRange{
            .fd = model_.shard_fd(shard_), .offset = offset_of(mapped), .size = mapped.size(), .order = order_};
    }

    void advise(Range range, Access access) const override {
        if (via_ == Via::read) return;
        const auto mapped = mapped_bytes(range);
        model_.advise(shard_, offset_of(mapped), mapped.size(), access);
    }

  private:
    std::span<const std::byte> mapped_bytes(Range range) const {
        const auto bytes_of = [&](std::uint64_t elements) {
            return elements / format_.block_elements * format_.block_bytes;
        };
        return data_.subspan(bytes_of(range.first), bytes_of(range.count));
    }
    std::uint64_t offset_of(std::span<const std::byte> mapped) const {
        return static_cast<std::uint64_t>(mapped.data() - model_.shard(shard_).file().data());
    }

    const Model model_;  // shared: keeps the mapping
    const std::uint32_t shard_;
    const FormatInfo& format_;
    const Via via_;
    const ByteOrder order_;
    const std::span<const std::byte> data_;
};

Result<std::span<const std::byte>> bring(const Model& model, const ModelTensor& tensor, std::span<const Range> ranges) {
    if (ranges.empty() || tensor.info->format == nullptr) return model.data(tensor);
    const FormatInfo& format = *tensor.info->format;
    std::vector<DataPart> parts;
    parts.reserve(ranges.size());
    for (const auto& [first, count] : ranges) {
        parts.push_back(
            {first / format.block_elements * format.block_bytes, count / format.block_elements * format.block_bytes});
    }
    return model.data(tensor, parts);
}

}  // namespace

Result<std::shared_ptr<const Source>> open_gguf(const Model& model, const ModelTensor& tensor, Via via,
                                                std::span<const Range> ranges) {
    TRY_LET(const auto data, bring(model, tensor, ranges));
    return std::make_shared<GgufSource>(model, tensor, via, data);
}

}  // namespace ggufkit::tensor
