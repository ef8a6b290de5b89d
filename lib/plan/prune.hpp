// Blocks left out of a model, and what becomes of the rest of it.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/writer.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::plan {

class Pruning {
  public:
    // Of a model with that many blocks. BAD_ARGUMENT where it has not all of those named, or no others.
    static Result<Pruning> of(std::span<const std::uint32_t> layers, std::uint64_t blocks);

    // "blk.5.attn_q.weight" as "blk.3.attn_q.weight"; nothing where the block is gone.
    std::optional<std::string> rename(std::string_view name) const;

    // Makes the metadata that counts or lists blocks agree: ARCH.block_count, which goes to the end as llama.cpp's does,
    // and in their places the numbers of blocks at either end and arrays with an element for each block.
    Result<void> adjust(Header& header, std::string_view architecture) const;

  private:
    std::uint64_t gone_between(std::uint64_t begin, std::uint64_t end) const;
    Result<std::optional<Value>> adjusted(const ValueView& value, std::string_view key) const;

    std::uint64_t blocks_ = 0;
    std::vector<std::uint64_t> gone_;  // ascending
};

}  // namespace ggufkit::plan
