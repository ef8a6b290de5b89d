// JSON as it is made, without a tree: compact, in the order of the calls.
//
// Purpose: what --json prints; spec/json.md says how values of GGUF are represented.
#pragma once

#include <concepts>
#include <cstdint>
#include <ggufkit/value.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "common/console.hpp"

namespace ggufkit::tool {

class JsonWriter {
  public:
    explicit JsonWriter(Output& out) : out_(out) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }
    JsonWriter& key(std::string_view name);

    // {"hex": "ff00"} where `text` is not UTF-8, which JSON has no strings for.
    JsonWriter& value(std::string_view text);
    JsonWriter& value(const char* text) { return value(std::string_view(text)); }
    JsonWriter& value(bool value);
    JsonWriter& value(std::unsigned_integral auto number) { return literal(fmt::format("{}", number)); }
    JsonWriter& value(std::signed_integral auto number) { return literal(fmt::format("{}", number)); }
    // The shortest digits that give the same number back; "NaN", "Infinity", "-Infinity".
    JsonWriter& value(float number);
    JsonWriter& value(double number);
    JsonWriter& value(const ValueView& view);
    JsonWriter& value(std::span<const std::uint64_t> numbers);
    JsonWriter& null() { return literal("null"); }
    // null where there is none.
    template <class T>
    JsonWriter& value(const std::optional<T>& content) {
        return content ? value(*content) : null();
    }

    template <class T>
    JsonWriter& field(std::string_view name, const T& content) {
        key(name);
        return value(content);
    }

    // Ends the document with a newline.
    void finish() { out_.write_raw("\n"); }

  private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    JsonWriter& literal(std::string_view text);
    void separate();
    void string(std::string_view utf8);
    void characters(std::string_view utf8);  // of a string

    Output& out_;
    bool comma_ = false;  // something stands before the next value at its level
};

}  // namespace ggufkit::tool
