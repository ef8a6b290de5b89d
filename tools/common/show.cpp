#include "common/show.hpp"

#include <fmt/format.h>

#include <ggufkit/remote.hpp>

#include <limits>

#include "common/text.hpp"
#include "core/text.hpp"

namespace ggufkit::tool {

namespace {

// What a preview of an array holds at most: elements, and columns of one that is a string.
constexpr std::uint64_t previewed = 8;
constexpr std::size_t previewed_width = 24;

std::string quoted(std::string_view text) {
    std::string inside = elide(printable(text), previewed_width);
    for (std::size_t at = 0; (at = inside.find('"', at)) != inside.npos; at += 2) inside.insert(at, 1, '\\');
    return fmt::format("\"{}\"", inside);
}

std::string array_text(const ArrayView& array) {
    std::string text = "[";
    std::uint64_t shown = 0;
    for (const ValueView element : array) {
        if (shown != 0) text += ", ";
        if (shown++ == previewed) {
            text += "…";
            break;
        }
        text += element_text(element);
    }
    return text + "]";
}

std::string value_text(const ValueView& value) {
    switch (value.type()) {
        case ValueType::uint8:
        case ValueType::uint16:
        case ValueType::uint32:
        case ValueType::uint64: return fmt::format("{}", *value.as_unsigned());
        case ValueType::int8:
        case ValueType::int16:
        case ValueType::int32:
        case ValueType::int64: return fmt::format("{}", *value.as_signed());
        case ValueType::float32: return fmt::format("{}", static_cast<float>(*value.as_float()));
        case ValueType::float64: return fmt::format("{}", *value.as_float());
        case ValueType::boolean:
            if (const auto truth = value.as_bool()) return *truth ? "true" : "false";
            return fmt::format("not a bool: {}", std::to_integer<unsigned>(value.bytes().front()));
        case ValueType::string: {
            const std::string_view text = *value.as_string();
            return text.empty() ? "\"\"" : printable(text);
        }
        case ValueType::array: return array_text(*value.as_array());
    }
    return {};
}

std::string unknown(std::uint64_t number) { return fmt::format("unknown({})", number); }

}  // namespace

std::string type_text(const ValueView& value) {
    const auto array = value.as_array();
    return array ? fmt::format("{}[{}]", name(array->element_type()), array->size()) : std::string(name(value.type()));
}

Cell value_cell(const ValueView& value) {
    const auto text = value.as_string();
    return {value_text(value), Style::plain, text ? fmt::format(" ({} bytes)", grouped(text->size())) : ""};
}

std::string element_text(const ValueView& value) {
    const auto text = value.as_string();
    return text ? quoted(*text) : value_text(value);
}

std::string type_text(const TensorInfo& tensor) {
    return tensor.format == nullptr ? unknown(tensor.type_id) : std::string(tensor.format->name);
}

std::string file_type_text(std::uint64_t id) {
    const bool fits = id <= std::numeric_limits<std::uint32_t>::max();
    const FileType* type = fits ? find_file_type(static_cast<std::uint32_t>(id)) : nullptr;
    return type == nullptr ? unknown(id) : std::string(type->name);
}

std::string shown(const std::filesystem::path& file) {
    return file == "-" ? "standard input" : shown_name(file.string());
}

std::string sentence(const Error& error) {
    const bool of_the_file = !error.rule.empty() || error.code == Errc::bad_zstd ||
                             error.code == Errc::bad_compressed || error.code == Errc::truncated;
    if (error.code == Errc::no_memory) return error.detail;
    if (of_the_file || error.subject.empty()) return error.message();
    return fmt::format("{}: {}", printable(error.subject), printable(error.detail));
}

std::string sentence(const std::filesystem::path& file, const Error& error) {
    const std::string name = shown(file);
    if (error.subject.starts_with(name)) return sentence(error);
    return fmt::format("{}: {}", printable(name), sentence(error));
}

}  // namespace ggufkit::tool
