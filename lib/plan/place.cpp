#include "plan/place.hpp"

#include <charconv>

namespace ggufkit::plan {

namespace {

constexpr std::string_view block_prefix = "blk.";

}  // namespace

std::optional<BlockNumber> find_block(std::string_view tensor) noexcept {
    for (std::size_t at = tensor.find(block_prefix); at != tensor.npos; at = tensor.find(block_prefix, at + 1)) {
        if (at != 0 && tensor[at - 1] != '.') continue;
        BlockNumber number{at + block_prefix.size(), 0, 0};
        const char* const end = tensor.data() + tensor.size();
        const auto [after, error] = std::from_chars(tensor.data() + number.begin, end, number.value);
        number.end = static_cast<std::size_t>(after - tensor.data());
        if (error == std::errc{} && after != end && *after == '.') return number;
    }
    return std::nullopt;
}

TensorPlace place_of(std::string_view tensor) {
    constexpr std::string_view ending = ".weight";
    if (tensor.ends_with(ending)) tensor.remove_suffix(ending.size());
    const auto block = find_block(tensor);
    if (!block) return {std::nullopt, std::string(tensor)};
    std::string part(tensor.substr(0, block->begin - block_prefix.size()));
    return {block->value, part.append(tensor.substr(block->end + 1))};
}

}  // namespace ggufkit::plan
