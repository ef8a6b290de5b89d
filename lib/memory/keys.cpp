#include "memory/keys.hpp"

#include <algorithm>

namespace ggufkit::memory {

namespace {

// An integer, or a truth as 0 or 1.
std::optional<std::uint64_t> as_number(const ValueView& value) {
    if (value.type() == ValueType::boolean) {
        const auto truth = value.as_bool();
        return truth ? std::optional<std::uint64_t>(*truth ? 1 : 0) : std::nullopt;
    }
    const auto number = value.as_unsigned();
    return number ? std::optional(*number) : std::nullopt;
}

}  // namespace

const KeyValue* Keys::find(std::string_view key) const { return header_.find_key(full_name(key)); }

std::optional<std::uint64_t> Keys::number(std::string_view key, std::uint64_t layer) const {
    const KeyValue* const entry = find(key);
    if (entry == nullptr) return std::nullopt;
    if (entry->value.type() != ValueType::array) return as_number(entry->value);
    const auto element = entry->value.as_array().and_then([&](const ArrayView& array) { return array.at(layer); });
    return element ? as_number(*element) : std::nullopt;
}

std::uint64_t Keys::greatest(std::string_view key) const {
    std::uint64_t most = number(key).value_or(0);
    for (std::uint64_t layer = 1; layer < std::min(elements(key), max_layers); ++layer)
        most = std::max(most, number(key, layer).value_or(0));
    return most;
}

bool Keys::is_array(std::string_view key) const {
    const KeyValue* const entry = find(key);
    return entry != nullptr && entry->value.type() == ValueType::array;
}

std::uint64_t Keys::elements(std::string_view key) const {
    const KeyValue* const entry = find(key);
    if (entry == nullptr) return 0;
    const auto array = entry->value.as_array();
    return array ? array->size() : 0;
}

}  // namespace ggufkit::memory
