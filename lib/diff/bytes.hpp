// The bytes of a part of a tensor, for the time that they are looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/model.hpp>
#include <ggufkit/quantize.hpp>
#include <span>
#include <vector>

namespace ggufkit::diff {

// Those of `size` bytes from `begin` on, where they lie in the mapping. The kernel may forget them when this goes: so
// what is mapped at a time does not grow with the model.
class Bytes {
  public:
    // The part must lie within the tensor, of which `data` is all.
    Bytes(const Model& model, const ModelTensor& tensor, std::span<const std::byte> data, std::uint64_t begin,
          std::uint64_t size)
        : model_(model), tensor_(tensor), bytes_(data.subspan(begin, size)) {
        advise(Access::will_need);
    }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    ~Bytes() { advise(Access::dont_need); }

    std::span<const std::byte> get() const { return bytes_; }

  private:
    void advise(Access access) const {
        const auto begin = static_cast<std::uint64_t>(bytes_.data() - model_.shard(tensor_.shard).file().data());
        model_.advise(tensor_.shard, begin, bytes_.size(), access);
    }

    const Model& model_;
    const ModelTensor& tensor_;
    std::span<const std::byte> bytes_;
};

inline ByteOrder order_of(const Model& model, const ModelTensor& tensor) {
    return model.shard(tensor.shard).byte_order();
}

// Whole blocks of `format` in the other byte order, in `memory`.
inline std::span<const std::byte> turned(const FormatInfo& format, std::span<const std::byte> blocks,
                                         std::vector<std::byte>& memory) {
    memory.assign(blocks.begin(), blocks.end());
    swap_block_bytes(format, memory);
    return memory;
}

}  // namespace ggufkit::diff
