#include "plan/edits.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "container/alignment.hpp"
#include "container/llama_keys.hpp"
#include "core/text.hpp"
#include "core/try.hpp"

namespace ggufkit::plan {

namespace {

constexpr std::uint64_t largest_alignment = 64 << 10;  // of those that make sense: pages are 4 to 64 KiB

tl::unexpected<Error> refuse(std::string_view key, std::string_view predicate) {
    return fail({.code = Errc::bad_argument, .detail = fmt::format("key '{}' {}", printable(key), predicate)});
}

bool is_integer(ValueType type) {
    using enum ValueType;
    return type != float32 && type != float64 && type != boolean && type != string && type != array;
}

bool holds(ValueType type, std::int64_t value) { return Value::of_signed(type, value).view().as_signed() == value; }
bool holds(ValueType type, std::uint64_t value) {
    return Value::of_unsigned(type, value).view().as_unsigned() == value;
}

Value made(ValueType type, std::int64_t value) { return Value::of_signed(type, value); }
Value made(ValueType type, std::uint64_t value) { return Value::of_unsigned(type, value); }

// An integer of the key's type if that holds it, else of the first of these types that does.
template <class Integer>
Value integer(Integer value, std::optional<ValueType> wanted) {
    using enum ValueType;
    if (wanted && is_integer(*wanted) && holds(*wanted, value)) return made(*wanted, value);
    for (const ValueType type : {uint32, int32, uint64}) {
        if (holds(type, value)) return made(type, value);
    }
    return made(int64, value);
}

Value number(double value, std::optional<ValueType> wanted) {
    const bool too_large = std::isfinite(value) && std::abs(value) > double{std::numeric_limits<float>::max()};
    if (wanted == ValueType::float64 || too_large) return Value::of_float64(value);
    return Value::of_float32(static_cast<float>(value));
}

// "u32"; "an array of str".
std::string type_text(const ValueView& value) {
    const auto array = value.as_array();
    return array ? fmt::format("an array of {}", name(array->element_type())) : std::string(name(value.type()));
}

// "u32, from 0 to 4294967295".
std::string range_text(ValueType type) {
    const int bits = static_cast<int>(fixed_size(type)) * 8;
    const bool is_signed = name(type).starts_with('i');
    const std::uint64_t all = ~std::uint64_t{0} >> (64 - bits);
    if (!is_signed) return fmt::format("{}, from 0 to {}", name(type), all);
    return fmt::format("{0}, from -{1} to {2}", name(type), (all >> 1) + 1, all >> 1);
}

const ValueView* find(const Header& header, std::string_view key) {
    const auto entry = std::ranges::find(header.metadata(), key, &Header::Entry::key);
    return entry == header.metadata().end() ? nullptr : &entry->value;
}

std::string_view architecture_of(const Header& header) {
    const ValueView* name = find(header, "general.architecture");
    return name == nullptr ? "" : name->as_string().value_or("");
}

// What a key can be set to.
struct Kind {
    ValueType type;    // of a single value
    bool single;       // whether the key can have one
    std::string text;  // "u32", "an array of str"
};

// The kind of a key that programs which run models read: llama.cpp's, else that of the value that the key has. Nothing for
// keys that may have any.
std::optional<Kind> kind_of(const Header& header, std::string_view key, const ValueView* before) {
    const std::string_view architecture = architecture_of(header);
    if (const auto* known = container::find_llama_key(key, architecture)) {
        const bool single = known->arrays != container::Arrays::only;
        return Kind{known->type, single, fmt::format("{}{}", single ? "" : "an array of ", name(known->type))};
    }
    constexpr std::array<std::string_view, 4> namespaces{"general.", "tokenizer.", "adapter.", "clip."};
    const bool read =
        std::ranges::any_of(namespaces, [&](std::string_view prefix) { return key.starts_with(prefix); }) ||
        (!architecture.empty() && key.starts_with(std::string(architecture) + "."));
    if (before == nullptr || !read) return std::nullopt;
    return Kind{before->type(), before->type() != ValueType::array, type_text(*before)};
}

constexpr std::string_view way_out = "--set-kv KEY=TYPE:VALUE writes any type";

// A value of the key's kind.
struct Fitting {
    const std::string& key;
    const Kind& kind;

    tl::unexpected<Error> wrong(std::string_view given) const {
        return refuse(key, fmt::format("is {}, not {}; {}", kind.text, given, way_out));
    }
    bool is(ValueType type) const { return kind.single && kind.type == type; }
    template <class Integer>
    Result<Value> integral(Integer value) const {
        if (!kind.single || !is_integer(kind.type)) return wrong("an integer");
        if (holds(kind.type, value)) return made(kind.type, value);
        return refuse(key, fmt::format("is {}, not {}; {}", range_text(kind.type), value, way_out));
    }

    Result<Value> operator()(std::int64_t value) const { return integral(value); }
    Result<Value> operator()(std::uint64_t value) const { return integral(value); }
    Result<Value> operator()(double value) const {
        if (is(ValueType::float32) || is(ValueType::float64)) return number(value, kind.type);
        return wrong("a float");
    }
    Result<Value> operator()(bool value) const {
        return is(ValueType::boolean) ? Result<Value>(Value::of_bool(value)) : wrong("a bool");
    }
    Result<Value> operator()(const std::string& value) const {
        return is(ValueType::string) ? Result<Value>(Value::of_string(value)) : wrong("a string");
    }
    Result<Value> operator()(const Value& value) const { return value; }
    Result<Value> operator()(const TokenText&) const { return wrong("a token"); }  // resolved before
};

// A value of any kind, where the key had the type `before` or was not there.
struct Free {
    std::optional<ValueType> before;

    Value operator()(std::int64_t value) const { return integer(value, before); }
    Value operator()(std::uint64_t value) const { return integer(value, before); }
    Value operator()(double value) const { return number(value, before); }
    Value operator()(bool value) const { return Value::of_bool(value); }
    Value operator()(const std::string& value) const { return Value::of_string(value); }
    Value operator()(const Value& value) const { return value; }
    Value operator()(const TokenText& token) const { return Value::of_string(token.text); }  // resolved before
};

// The id of a token of the vocabulary as it is by now.
Result<std::uint64_t> find_token(const Header& header, const KeyOverride& edit, const TokenText& token) {
    const ValueView* vocabulary = find(header, "tokenizer.ggml.tokens");
    const auto tokens = vocabulary == nullptr ? fail({}) : vocabulary->as_array();
    if (!tokens) return refuse(edit.key, "cannot be a token: the model has no tokenizer.ggml.tokens");
    std::uint64_t id = 0;
    for (const ValueView each : *tokens) {
        if (each.as_string() == token.text) return id;
        ++id;
    }
    return refuse(edit.key, fmt::format("cannot be '{}': none of the {} tokens has this text", printable(token.text),
                                        tokens->size()));
}

Result<void> check_alignment(const KeyOverride& edit, const Value& value) {
    const auto alignment = value.view().as_unsigned();
    if (edit.key != container::alignment_key || !alignment) return {};
    if (!std::has_single_bit(*alignment)) {
        return refuse(edit.key, fmt::format("cannot be {}: an alignment is a power of two", *alignment));
    }
    if (*alignment <= largest_alignment) return {};
    return refuse(edit.key, fmt::format("cannot be {}: {} is the largest alignment that can be set", *alignment,
                                        largest_alignment));
}

Result<Value> value_of(const Header& header, const KeyOverride& edit) {
    const ValueView* before = find(header, edit.key);
    if (const auto* token = std::get_if<TokenText>(&edit.value)) {
        TRY_LET(const auto id, find_token(header, edit, *token));
        const auto* known = container::find_llama_key(edit.key, architecture_of(header));
        if (known != nullptr) return integer(id, known->type);
        return integer(id, before == nullptr ? std::nullopt : std::optional(before->type()));
    }
    const auto kind = kind_of(header, edit.key, before);
    if (kind) return std::visit(Fitting{edit.key, *kind}, edit.value);
    return std::visit(Free{before == nullptr ? std::nullopt : std::optional(before->type())}, edit.value);
}

}  // namespace

void remove_keys(Header& header, std::span<const std::string> globs, std::vector<std::string>& notes) {
    for (const std::string& glob : globs) {
        std::vector<std::string> fitting;
        for (const auto& [key, value] : header.metadata()) {
            if (::fnmatch(glob.c_str(), key.c_str(), 0) == 0) fitting.push_back(key);
        }
        for (const std::string& key : fitting) header.remove(key);
        if (fitting.empty()) notes.push_back(fmt::format("--remove-kv '{}' fits no key", printable(glob)));
    }
}

Result<void> set_keys(Header& header, std::span<const KeyOverride> edits, std::vector<std::string>& notes) {
    for (const KeyOverride& edit : edits) {
        if (edit.key.starts_with("split.")) {
            return fail({.code = Errc::bad_argument,
                         .subject = fmt::format("key '{}'", edit.key),
                         .detail = "tells the place of a file among others, and cannot be overridden"});
        }
        TRY_LET(auto value, value_of(header, edit));
        TRY(check_alignment(edit, value));
        const ValueView* before = find(header, edit.key);
        if (before != nullptr && std::holds_alternative<Value>(edit.value)) {
            const std::string was = type_text(*before), is = type_text(value.view());
            if (was != is) notes.push_back(fmt::format("key '{}' was {} and becomes {}", printable(edit.key), was, is));
        }
        header.set_last(edit.key, std::move(value));
    }
    return {};
}

}  // namespace ggufkit::plan
