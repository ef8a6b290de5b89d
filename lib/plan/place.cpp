#include <charconv>
#include <ggufkit/place.hpp>

namespace ggufkit {

TensorPlace place_of(std::string_view tensor) {
    constexpr std::string_view block = "blk.", ending = ".weight";
    if (tensor.ends_with(ending)) tensor.remove_suffix(ending.size());
    std::size_t at = tensor.find(block);
    while (at != tensor.npos && at != 0 && tensor[at - 1] != '.') at = tensor.find(block, at + 1);
    if (at == tensor.npos) return {std::nullopt, std::string(tensor)};
    std::uint64_t layer = 0;
    const char* const end = tensor.data() + tensor.size();
    const auto [after, error] = std::from_chars(tensor.data() + at + block.size(), end, layer);
    if (error != std::errc{} || after == end || *after != '.') return {std::nullopt, std::string(tensor)};
    return {layer, std::string(tensor.substr(0, at)).append(after + 1, end)};
}

}  // namespace ggufkit
