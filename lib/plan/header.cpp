#include "plan/header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.hpp"
#include "plan/provenance.hpp"

namespace ggufkit::plan {

namespace {

constexpr std::uint32_t quantization_version = 2;
constexpr std::string_view file_type_key = "general.file_type";

Value u32(std::uint64_t value) { return Value::of_unsigned(ValueType::uint32, value); }

// Texts longer than llama.cpp keeps are cut like there, but between characters.
std::string_view cut(std::string_view text) {
    constexpr std::size_t longest = 127;
    if (text.size() <= longest) return text;
    std::size_t end = longest;
    while (end > longest - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end);
}

// Where the importance came from, in llama-quantize's keys.
void describe_imatrix(Header& header, const Imatrix& imatrix) {
    const auto& [file, dataset, chunks] = imatrix.origin();
    const auto text = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) header.set_last(key, Value::of_string(is_utf8(value) ? cut(value) : cut(printable(value))));
    };
    text("quantize.imatrix.file", file);
    text("quantize.imatrix.dataset", dataset);
    header.set_last("quantize.imatrix.entries_count", u32(imatrix.entries().size()));
    if (chunks > 0) header.set_last("quantize.imatrix.chunks_count", u32(chunks));
}

// An integer of the first of these types that holds it.
Value integer(std::int64_t value, std::optional<ValueType> wanted) {
    using enum ValueType;
    const auto holds = [&](ValueType type) {
        const Value made = Value::of_signed(type, value);
        return made.view().as_signed() == value;
    };
    const auto is_integer = [](ValueType type) {
        return type != float32 && type != float64 && type != boolean && type != string && type != array;
    };
    if (wanted && is_integer(*wanted) && holds(*wanted)) return Value::of_signed(*wanted, value);
    for (const ValueType type : {uint32, int32, uint64}) {
        if (holds(type)) return Value::of_signed(type, value);
    }
    return Value::of_signed(int64, value);
}

Value number(double value, std::optional<ValueType> wanted) {
    const bool too_large = std::isfinite(value) && std::abs(value) > double{std::numeric_limits<float>::max()};
    if (wanted == ValueType::float64 || too_large) return Value::of_float64(value);
    return Value::of_float32(static_cast<float>(value));
}

// The value of an override, where the key had the type `before` or was not there.
Value value_of(const KeyOverride& override, std::optional<ValueType> before) {
    struct Visitor {
        std::optional<ValueType> before;
        Value operator()(std::int64_t value) const { return integer(value, before); }
        Value operator()(double value) const { return number(value, before); }
        Value operator()(bool value) const { return Value::of_bool(value); }
        Value operator()(const std::string& value) const { return Value::of_string(value); }
    };
    return std::visit(Visitor{before}, override.value);
}

Result<void> apply_overrides(Header& header, std::span<const KeyOverride> overrides) {
    for (const KeyOverride& override : overrides) {
        if (override.key.starts_with("split.")) {
            return fail({.code = Errc::bad_argument,
                         .subject = fmt::format("key '{}'", override.key),
                         .detail = "tells the place of a file among others, and cannot be overridden"});
        }
        const auto entry = std::ranges::find(header.metadata(), override.key, &Header::Entry::key);
        const auto before = entry == header.metadata().end() ? std::nullopt : std::optional(entry->value.type());
        header.set_last(override.key, value_of(override, before));
    }
    return {};
}

// A copy keeps the file type that the model says it has, if it says so.
void set_file_type(Header& header, const Model& model, const Recipe& recipe) {
    if (!recipe.copy) {
        header.set_last(file_type_key, u32(recipe.file_type->id));
    } else if (const auto said = model.header().get_unsigned(file_type_key)) {
        header.set_last(file_type_key, u32(*said));
    }
}

}  // namespace

Result<Header> make_header(const Model& model, const Recipe& recipe, const ModelFacts& facts, const Pruning& pruning,
                           std::span<const Choice> choices) {
    auto header = Header::from(model.header());
    if (!header) return header;
    for (const auto* key : {"split.no", "split.count", "split.tensors.count"}) header->remove(key);
    header->set_last("general.quantization_version", u32(quantization_version));
    set_file_type(*header, model, recipe);
    if (auto applied = apply_overrides(*header, recipe.metadata); !applied) return fail(std::move(applied).error());
    if (recipe.imatrix != nullptr) describe_imatrix(*header, *recipe.imatrix);
    if (auto said = describe_provenance(*header, model, recipe); !said) return fail(std::move(said).error());
    if (auto pruned = pruning.adjust(*header, facts.architecture); !pruned) return fail(std::move(pruned).error());
    header->tensors.clear();
    header->tensors.reserve(choices.size());
    for (const Choice& choice : choices) {
        header->tensors.push_back({choice.name, choice.tensor->n_dims, choice.tensor->ne, choice.type});
    }
    return header;
}

}  // namespace ggufkit::plan
