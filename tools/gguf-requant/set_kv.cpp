#include "set_kv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "core/number.hpp"
#include "core/text.hpp"

namespace ggufkit::tool::requant {

namespace {

namespace json = boost::json;

constexpr std::size_t largest_file = 256 << 20;
constexpr std::size_t most_bytes = 4 << 20;  // of an array: each takes 64 bytes of memory on the way
constexpr std::string_view type_names = "u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool, str, token and [TYPE]";

tl::unexpected<Error> misuse(std::string detail) {
    return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
}

std::optional<ValueType> scalar_type(std::string_view text) {
    using enum ValueType;
    for (const ValueType type :
         {uint8, int8, uint16, int16, uint32, int32, float32, boolean, string, uint64, int64, float64}) {
        if (name(type) == text) return type;
    }
    return std::nullopt;
}

// "[u8]" to "u8"; nothing where it is no array.
std::optional<std::string_view> element_of(std::string_view type) {
    const bool array = type.size() > 2 && type.starts_with('[') && type.ends_with(']');
    return array ? std::optional(type.substr(1, type.size() - 2)) : std::nullopt;
}

bool is_float(ValueType type) { return type == ValueType::float32 || type == ValueType::float64; }

// Nothing where it is out of the type's range.
std::optional<Value> integer(ValueType type, std::int64_t value) {
    Value made = Value::of_signed(type, value);
    return made.view().as_signed() == value ? std::optional(std::move(made)) : std::nullopt;
}
std::optional<Value> integer(ValueType type, std::uint64_t value) {
    Value made = Value::of_unsigned(type, value);
    return made.view().as_unsigned() == value ? std::optional(std::move(made)) : std::nullopt;
}

std::optional<Value> real(ValueType type, double value) {
    if (type == ValueType::float64) return Value::of_float64(value);
    const auto narrow = static_cast<float>(value);
    return std::isfinite(narrow) ? std::optional(Value::of_float32(narrow)) : std::nullopt;
}

// A value that is no array, from text; nothing where it is not of the type.
std::optional<Value> read_scalar(ValueType type, std::string_view text) {
    if (type == ValueType::string) return is_utf8(text) ? std::optional(Value::of_string(text)) : std::nullopt;
    if (type == ValueType::boolean) {
        if (text != "true" && text != "false") return std::nullopt;
        return Value::of_bool(text == "true");
    }
    if (type == ValueType::float32) {
        const auto value = read_number<float>(text);
        return value && std::isfinite(*value) ? std::optional(Value::of_float32(*value)) : std::nullopt;
    }
    if (type == ValueType::float64) {
        const auto value = read_number<double>(text);
        return value && std::isfinite(*value) ? std::optional(Value::of_float64(*value)) : std::nullopt;
    }
    if (const auto value = read_number<std::int64_t>(text)) return integer(type, *value);
    if (const auto value = read_number<std::uint64_t>(text)) return integer(type, *value);
    return std::nullopt;
}

std::optional<Value> of_json(ValueType type, const json::value& value) {
    if (const auto* text = value.if_string()) {
        return type == ValueType::string ? std::optional(Value::of_string({text->data(), text->size()})) : std::nullopt;
    }
    if (const auto* flag = value.if_bool()) {
        return type == ValueType::boolean ? std::optional(Value::of_bool(*flag)) : std::nullopt;
    }
    if (type == ValueType::string || type == ValueType::boolean) return std::nullopt;
    if (is_float(type)) return value.is_number() ? real(type, value.to_number<double>()) : std::nullopt;
    if (const auto* whole = value.if_int64()) return integer(type, *whole);
    if (const auto* whole = value.if_uint64()) return integer(type, *whole);
    return std::nullopt;
}

// An array of `element`, which may be an array type itself.
Result<Value> array_of(std::string_view element, const json::value& value) {
    const auto* list = value.if_array();
    if (list == nullptr) return misuse(fmt::format("is not a JSON array of {}", element));
    const auto inner = element_of(element);
    const auto type = inner ? std::optional(ValueType::array) : scalar_type(element);
    if (!type) return misuse(fmt::format("[{}] is not a type; there are {}", element, type_names));
    std::vector<Value> values;
    values.reserve(list->size());
    for (const json::value& each : *list) {
        if (inner) {
            auto made = array_of(*inner, each);
            if (!made) return made;
            values.push_back(*std::move(made));
        } else if (auto made = of_json(*type, each)) {
            values.push_back(*std::move(made));
        } else {
            return misuse(
                fmt::format("element {} ({}) is not {}", values.size(), printable(json::serialize(each)), element));
        }
    }
    return Value::of_array(*type, values);
}

Result<Value> read_array(std::string_view element, std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
    if (error || !value.is_array()) {
        return misuse(fmt::format("is not a JSON array; write {}", element == "str" ? R"(["a","b"])" : "[1,2]"));
    }
    return array_of(element, value);
}

Result<std::string> read_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    const auto failed = [&](Errc code, std::string_view what) {
        return fail({.code = code, .subject = path, .detail = fmt::format("{}: {}", what, std::strerror(errno))});
    };
    if (path.empty()) return misuse("@ needs the name of a file");
    if (!file) return failed(Errc::io_open, "cannot open");
    std::string text;
    std::array<char, 1 << 16> part{};
    while (file.read(part.data(), part.size()), file.gcount() > 0) {
        text.append(part.data(), static_cast<std::size_t>(file.gcount()));
        if (text.size() > largest_file) return misuse(fmt::format("{} has more than {} bytes", path, largest_file));
    }
    if (file.bad() || errno == EISDIR) return failed(Errc::io_read, "cannot read");
    return text;
}

std::string_view without_line_ends(std::string_view text) {
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos)
        text.remove_suffix(1);
    return text;
}

Result<Value> read_value(std::string_view type, std::string_view text, bool from_file) {
    const auto element = element_of(type);
    if (from_file && (element == "u8" || element == "i8")) {
        if (text.size() > most_bytes) {
            return misuse(
                fmt::format("the file has {} bytes; arrays of bytes have at most {}", text.size(), most_bytes));
        }
        std::vector<Value> bytes;
        bytes.reserve(text.size());
        for (const char c : text) bytes.push_back(Value::of_signed(*scalar_type(*element), c));
        return Value::of_array(*scalar_type(*element), bytes);
    }
    if (from_file && type != "str") text = without_line_ends(text);
    if (element) return read_array(*element, text);
    const auto scalar = scalar_type(type);
    if (!scalar) return misuse(fmt::format("'{}' is not a type; there are {}", type, type_names));
    auto value = read_scalar(*scalar, text);
    if (value) return *std::move(value);
    constexpr std::size_t shown = 60;
    return misuse(fmt::format("'{}' is not {}", printable(text.substr(0, shown)),
                              *scalar == ValueType::string ? "UTF-8 text" : std::string(type)));
}

// KEY=TYPE:VALUE.
struct Setting {
    std::string_view key, type, value;
    bool from_file() const { return value.starts_with('@') && !value.starts_with("@@"); }
};

std::optional<Setting> part(std::string_view text) {
    const std::size_t equals = text.find('='), colon = text.find(':', std::min(equals, text.size()));
    if (equals == 0 || equals == text.npos || colon == text.npos) return std::nullopt;
    return Setting{text.substr(0, equals), text.substr(equals + 1, colon - equals - 1), text.substr(colon + 1)};
}

}  // namespace

Result<KeyOverride> read_set_kv(std::string_view text) {
    const auto setting = part(text);
    if (!setting) return misuse(fmt::format("'{}' is not KEY=TYPE:VALUE", text));
    const std::string key(setting->key);
    std::string value(setting->value.starts_with("@@") ? setting->value.substr(1) : setting->value);
    if (setting->from_file()) {
        auto content = read_file(value.substr(1));
        if (!content) return fail(std::move(content).error());
        value = *std::move(content);
    }
    if (setting->type == "token") return KeyOverride{key, TokenText(std::move(value))};
    auto made = read_value(setting->type, value, setting->from_file());
    if (made) return KeyOverride{key, *std::move(made)};
    made.error().detail = fmt::format("--set-kv {}: {}", key, made.error().detail);
    return fail(std::move(made).error());
}

std::optional<std::filesystem::path> file_of_set_kv(std::string_view text) {
    const auto setting = part(text);
    if (!setting || !setting->from_file()) return std::nullopt;
    const std::filesystem::path file(setting->value.substr(1));
    std::error_code none;
    return std::filesystem::is_regular_file(file, none) ? std::optional(file) : std::nullopt;
}

}  // namespace ggufkit::tool::requant
