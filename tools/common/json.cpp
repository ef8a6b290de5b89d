#include "common/json.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "core/text.hpp"

namespace ggufkit::tool {

namespace {

template <class Float>
std::string float_text(Float number) {
    if (std::isnan(number)) return R"("NaN")";
    if (std::isinf(number)) return number < 0 ? R"("-Infinity")" : R"("Infinity")";
    std::string text = fmt::format("{}", number);
    if (text.find_first_of(".e") == text.npos) text += ".0";  // stays a float to readers that tell
    return text;
}

// JSON may hold DEL, C1 and deceptive characters as they are, but it is read on terminals too.
std::string escaped(char32_t code) {
    if (code <= 0xffff) return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
    const std::uint32_t rest = static_cast<std::uint32_t>(code) - 0x10000;
    return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
}

}  // namespace

void JsonWriter::separate() {
    if (comma_) out_.write_raw(",");
    comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
    separate();
    out_.write_raw({&bracket, 1});
    comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    out_.write_raw({&bracket, 1});
    comma_ = true;
    return *this;
}

JsonWriter& JsonWriter::literal(std::string_view text) {
    separate();
    out_.write_raw(text);
    return *this;
}

// A piece at a time: a text may be as long as the file.
void JsonWriter::string(std::string_view utf8) {
    constexpr std::size_t longest = 64 << 10;
    out_.write_raw("\"");
    while (!utf8.empty()) {
        std::size_t end = std::min(utf8.size(), longest);
        while (end < utf8.size() && (static_cast<unsigned char>(utf8[end]) & 0xc0) == 0x80)
            --end;  // within a character
        characters(utf8.substr(0, end));
        utf8.remove_prefix(end);
    }
    out_.write_raw("\"");
}

void JsonWriter::characters(std::string_view utf8) {
    const std::string quoted = boost::json::serialize(boost::json::string_view(utf8.data(), utf8.size()));
    const auto text = std::string_view(quoted).substr(1, quoted.size() - 2);
    const auto is_plain = [](char c) { return c >= ' ' && c != '\x7f'; };  // ASCII
    std::string safe;
    for (std::size_t at = 0; at < text.size();) {
        const auto* const from = text.data() + at;
        const auto* const other = std::find_if_not(from, text.data() + text.size(), is_plain);
        safe.append(from, other);
        at = static_cast<std::size_t>(other - text.data());
        if (at == text.size()) break;
        const auto [code, length] = first_character(text.substr(at));
        if (is_control(code) || is_deceptive(code)) {
            safe += escaped(code);
        } else {
            safe += text.substr(at, length);
        }
        at += length;
    }
    out_.write_raw(safe);
}

JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    string(name);
    out_.write_raw(":");
    comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
    if (!is_utf8(text)) {
        std::string hex;
        for (const char byte : text) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
        return begin_object().field("hex", hex).end_object();
    }
    separate();
    string(text);
    return *this;
}

JsonWriter& JsonWriter::value(bool value) { return literal(value ? "true" : "false"); }
JsonWriter& JsonWriter::value(float number) { return literal(float_text(number)); }
JsonWriter& JsonWriter::value(double number) { return literal(float_text(number)); }

JsonWriter& JsonWriter::value(std::span<const std::uint64_t> numbers) {
    begin_array();
    for (const std::uint64_t number : numbers) value(number);
    return end_array();
}

JsonWriter& JsonWriter::value(const ValueView& view) {
    switch (view.type()) {
        case ValueType::uint8:
        case ValueType::uint16:
        case ValueType::uint32:
        case ValueType::uint64: return value(*view.as_unsigned());
        case ValueType::int8:
        case ValueType::int16:
        case ValueType::int32:
        case ValueType::int64: return value(*view.as_signed());
        case ValueType::float32: return value(static_cast<float>(*view.as_float()));
        case ValueType::float64: return value(*view.as_float());
        case ValueType::boolean:
            if (const auto truth = view.as_bool()) return value(*truth);
            return value(std::to_integer<unsigned>(view.bytes().front()));  // not a bool: the byte that is there
        case ValueType::string: return value(*view.as_string());
        case ValueType::array: {
            const ArrayView array = *view.as_array();
            begin_array();
            for (const ValueView element : array) value(element);
            return end_array();
        }
    }
    return null();
}

}  // namespace ggufkit::tool
