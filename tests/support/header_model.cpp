#include "support/header_model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "support/files.hpp"
#include "support/must.hpp"

namespace ggufkit::test {

HeaderModel::HeaderModel(std::string_view architecture, TensorType weights)
    : architecture_(architecture), weights_(weights) {
    header_.set("general.architecture", Value::of_string(architecture));
    header_.set("general.name", Value::of_string("synthetic"));
}

HeaderModel& HeaderModel::set(std::string_view key, std::uint32_t value) {
    header_.set(fmt::format("{}.{}", architecture_, key), Value::of_unsigned(ValueType::uint32, value));
    return *this;
}

HeaderModel& HeaderModel::set(std::string_view key, float value) {
    header_.set(fmt::format("{}.{}", architecture_, key), Value::of_float32(value));
    return *this;
}

HeaderModel& HeaderModel::set(std::string_view key, bool value) {
    header_.set(fmt::format("{}.{}", architecture_, key), Value::of_bool(value));
    return *this;
}

HeaderModel& HeaderModel::set(std::string_view key, const std::vector<std::uint32_t>& values) {
    std::vector<Value> elements;
    elements.reserve(values.size());
    for (const std::uint32_t value : values) elements.push_back(Value::of_unsigned(ValueType::uint32, value));
    header_.set(fmt::format("{}.{}", architecture_, key), Value::of_array(ValueType::uint32, elements).value());
    return *this;
}

HeaderModel& HeaderModel::matrix(std::string_view name, std::initializer_list<std::uint64_t> ne) {
    const bool whole_blocks = *ne.begin() % format_of(weights_).block_elements == 0;
    return tensor(name, ne, whole_blocks ? weights_ : TensorType::F16);
}

HeaderModel& HeaderModel::vector(std::string_view name, std::uint64_t ne0) {
    return tensor(name, {ne0}, TensorType::F32);
}

HeaderModel& HeaderModel::tensor(std::string_view name, std::initializer_list<std::uint64_t> ne, TensorType type) {
    Header::Tensor tensor{.name = std::string(name), .n_dims = static_cast<std::uint32_t>(ne.size()), .type = type};
    std::ranges::copy(ne, tensor.ne.begin());
    header_.tensors.push_back(std::move(tensor));
    return *this;
}

void HeaderModel::save(const std::filesystem::path& path) const {
    const Layout layout = must(make_layout(header_));
    write_file(path, layout.header);
    std::filesystem::resize_file(path, layout.file_bytes);
}

}  // namespace ggufkit::test
