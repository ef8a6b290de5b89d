#include "plan/header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/validate.hpp>
#include <ranges>

#include "container/alignment.hpp"
#include "container/llama_keys.hpp"
#include "container/rules.hpp"
#include "core/text.hpp"
#include "core/try.hpp"
#include "plan/edits.hpp"
#include "plan/provenance.hpp"

namespace ggufkit::plan {

namespace {

constexpr std::uint32_t quantization_version = 2;

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

// Rules that an edited key breaks by itself; others say that two keys do not go together.
bool is_of_the_value(std::string_view rule) {
    using container::R;
    return rule == container::rule(R::known_keys).id || rule == container::rule(R::token_id).id ||
           rule == container::rule(R::architecture).id || rule == container::rule(R::llama_types).id;
}

}  // namespace

Result<Metadata> edit_metadata(const Model& model, const Recipe& recipe, Label label) {
    TRY_LET(auto source, Header::from(model.header()));
    Metadata made{std::move(source), {}};
    Header& header = made.header;
    header.tensors.clear();
    header.byte_order = recipe.byte_order.value_or(header.byte_order);
    for (const auto* key : {"split.no", "split.count", "split.tensors.count"}) header.remove(key);
    if (const Mix* const mix = recipe.mix(); mix != nullptr && label == Label::of_recipe) {
        header.set_last("general.quantization_version", u32(quantization_version));
        header.set_last("general.file_type", u32(mix->file_type->id));
    }
    remove_keys(header, recipe.removed_keys, made.notes);
    TRY(set_keys(header, recipe.metadata, made.notes));
    return made;
}

Result<void> complete(Header& header, const Model& model, const Recipe& recipe, const ModelFacts& facts,
                      const Pruning& pruning, std::span<const Choice> choices) {
    if (const Mix* const mix = recipe.mix(); mix != nullptr && mix->imatrix != nullptr) {
        describe_imatrix(header, *mix->imatrix);
    }
    TRY(describe_provenance(header, model, recipe));
    TRY(pruning.adjust(header, facts.architecture));
    header.tensors.reserve(choices.size());
    for (const Choice& choice : choices) {
        header.tensors.push_back({choice.name, choice.tensor->n_dims, choice.tensor->ne, choice.type});
    }
    return {};
}

Result<void> check_edits(const Layout& layout, const Recipe& recipe, std::vector<std::string>& notes) {
    if (recipe.metadata.empty()) return {};
    const auto view = parse(layout.header);
    if (!view) return {};  // make_layout() has read it
    std::vector<Diagnostic> found = check_semantics(*view).diagnostics;
    container::Findings types({.profile = Profile::llama});
    container::check_llama_keys(*view, types);
    for (Diagnostic& each : types.take().diagnostics) {
        const auto is_of = [&](const Diagnostic& other) { return other.error.subject == each.error.subject; };
        if (std::ranges::none_of(found, is_of)) found.push_back(std::move(each));
    }
    for (const auto& [severity, error] : found) {
        const auto is_of = [&](const KeyOverride& edit) {
            return container::subject("key", edit.key) == error.subject;
        };
        const auto edits = std::views::reverse(recipe.metadata);
        const auto edit = std::ranges::find_if(edits, is_of);
        if (edit == edits.end()) continue;
        if (std::holds_alternative<Value>(edit->value) || !is_of_the_value(error.rule)) {
            notes.push_back(fmt::format("{} {}", printable(error.subject), printable(error.detail)));
        } else {
            return fail({.code = Errc::bad_argument,
                         .detail = fmt::format("{} {}; --set-kv KEY=TYPE:VALUE writes it all the same",
                                               printable(error.subject), printable(error.detail))});
        }
    }
    return {};
}

Result<void> check_padding(std::span<const Layout> files, const Recipe& recipe) {
    if (std::ranges::find(recipe.metadata, container::alignment_key, &KeyOverride::key) == recipe.metadata.end())
        return {};
    std::uint64_t data = 0, padding = 0;
    for (const Layout& file : files) {
        const std::uint64_t before = data;
        for (const std::uint64_t size : file.sizes) data += size;
        if (!file.sizes.empty()) padding += file.file_bytes - file.data_offset - (data - before);
    }
    if (padding <= data) return {};
    return fail({.code = Errc::bad_argument,
                 .detail = fmt::format("{} cannot be {}: {} bytes of tensors would have {} bytes of padding",
                                       container::subject("key", container::alignment_key), files.front().alignment,
                                       data, padding)});
}

}  // namespace ggufkit::plan
