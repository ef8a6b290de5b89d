#include "common/json.hpp"

#include <boost/json/serialize.hpp>
#include <cmath>

#include "core/control.hpp"
#include "core/text.hpp"

namespace ggufkit::cli {

namespace {

template <class Float>
std::string float_text(Float number) {
    if (std::isnan(number)) return R"("NaN")";
    if (std::isinf(number)) return number < 0 ? R"("-Infinity")" : R"("Infinity")";
    std::string text = fmt::format("{}", number);
    if (text.find_first_of(".e") == text.npos) text += ".0";  // stays a float to readers that tell
    return text;
}

// Of one to three bytes.
unsigned code_point(std::string_view character) {
    const auto bits = [&](std::size_t i) { return static_cast<unsigned char>(character[i]) & 0x3fu; };
    switch (character.size()) {
        case 1: return static_cast<unsigned char>(character[0]);
        case 2: return (bits(0) & 0x1f) << 6 | bits(1);
        default: return (bits(0) & 0x0f) << 12 | bits(1) << 6 | bits(2);
    }
}

}  // namespace

void JsonWriter::separate() {
    if (comma_) out_.write(",");
    comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
    separate();
    out_.write({&bracket, 1});
    comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    out_.write({&bracket, 1});
    comma_ = true;
    return *this;
}

JsonWriter& JsonWriter::literal(std::string_view text) {
    separate();
    out_.write(text);
    return *this;
}

void JsonWriter::string(std::string_view utf8) {
    std::string text = boost::json::serialize(boost::json::string_view(utf8.data(), utf8.size()));
    // These may stand in JSON, but terminals obey them.
    for (std::size_t at = 0; (at = text.find_first_of("\x7f\xc2\xd8\xe2", at)) != text.npos; ++at) {
        const std::string_view character = std::string_view(text).substr(at, text[at] == '\x7f'   ? 1
                                                                             : text[at] == '\xe2' ? 3
                                                                                                  : 2);
        if (is_control(character)) text.replace(at, character.size(), fmt::format("\\u{:04x}", code_point(character)));
    }
    out_.write(text);
}

JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    string(name);
    out_.write(":");
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

}  // namespace ggufkit::cli
