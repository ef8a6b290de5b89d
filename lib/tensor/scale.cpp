#include "tensor/scale.hpp"

#include <cstdint>
#include <ggufkit/quant/quantize.hpp>
#include <string>
#include <string_view>

#include "core/try.hpp"
#include "tensor/reader.hpp"

namespace ggufkit::tensor {

namespace {

constexpr std::string_view weight_suffix = ".weight", scale_suffix = ".scale";

std::string with_suffix(std::string_view name, std::string_view old, std::string_view suffix) {
    return std::string(name.substr(0, name.size() - old.size())).append(suffix);
}

std::uint64_t matrices_of(const TensorInfo& tensor) { return tensor.ne[2] * tensor.ne[3]; }

bool is_scale_of(const TensorInfo& scale, const TensorInfo& tensor) {
    const auto count = scale.elements();
    if (scale.format == nullptr || scale.format->block_elements != 1 || !can_dequantize(scale.format->type()))
        return false;
    const auto weights = tensor.elements();  // or matrices without any would have factors without bounds
    return count && *count > 0 && weights && *weights > 0 && (*count == 1 || *count == matrices_of(tensor));
}

}  // namespace

const ModelTensor* find_scale(const Model& model, const ModelTensor& tensor) {
    const std::string_view name = tensor.info->name;
    if (!name.ends_with(weight_suffix)) return nullptr;
    const ModelTensor* const scale = model.find_tensor(with_suffix(name, weight_suffix, scale_suffix));
    return scale != nullptr && is_scale_of(*scale->info, *tensor.info) ? scale : nullptr;
}

bool is_scale(const Model& model, const ModelTensor& tensor) {
    const std::string_view name = tensor.info->name;
    if (!name.ends_with(scale_suffix)) return false;
    const ModelTensor* const weights = model.find_tensor(with_suffix(name, scale_suffix, weight_suffix));
    return weights != nullptr && find_scale(model, *weights) == &tensor;
}

Result<std::vector<float>> read_factors(const Model& model, const ModelTensor& tensor) {
    const ModelTensor* const scale = find_scale(model, tensor);
    if (scale == nullptr) return std::vector<float>();
    TRY_LET(const auto reader, Reader::open(model, *scale));
    Workspace workspace;
    TRY_LET(const auto values, reader.values(reader.all(), workspace));
    std::vector<float> factors(values.begin(), values.end());
    factors.resize(matrices_of(*tensor.info), factors.front());
    return factors;
}

}  // namespace ggufkit::tensor
