// Sums by layer and type, the tokenizer, texts.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <ggufkit/format.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <optional>

#include "common/markdown.hpp"
#include "common/show.hpp"
#include "common/suggest.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "format/other_meaning.hpp"
#include "tally.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

constexpr int bar_cells = 24;

constexpr std::string_view template_key = "tokenizer.chat_template";
constexpr std::string_view default_template = "default";

// "a, b or c".
std::string in_words(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i)
        text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
    return text;
}

void print_histogram(Console& console, const Histogram& rows, std::string_view title) {
    Tally all;
    std::uint64_t most = 0;
    for (const auto& [name, tally] : rows) {
        all.add(tally);
        most = std::max(most, tally.bytes);
    }
    Table table({{.title = title, .cut = Cut::middle},
                 {.title = "TENSORS", .right = true},
                 {.title = "WEIGHTS", .right = true},
                 {.title = "BYTES", .right = true},
                 {.title = "BPW", .right = true},
                 {.cut = Cut::drop, .style = Style::cyan}});
    const auto add = [&](const std::string& name, const Tally& tally, const std::string& drawn) {
        table.add({name, grouped(tally.tensors), grouped(tally.elements), grouped(tally.bytes),
                   tally.sized == 0 ? "" : fmt::format("{:.3f}", tally.bpw()), drawn});
    };
    for (const auto& [name, tally] : rows) {
        add(name, tally, most == 0 ? "" : bar(static_cast<double>(tally.bytes) / static_cast<double>(most), bar_cells));
    }
    add("all", all, "");
    table.print(console, console.width());
}

// What a token is for, by tokenizer.ggml.token_type.
constexpr std::array<std::string_view, 7> token_kinds{"undefined",    "normal", "unknown", "control",
                                                      "user-defined", "unused", "byte"};

// A row for each kind that there is, and what is of none of them.
void add_token_kinds(Table& table, const ModelView& view) {
    const auto kinds = view.get_array("tokenizer.ggml.token_type");
    if (!kinds) return;
    std::array<std::uint64_t, token_kinds.size() + 1> counts{};
    for (const ValueView kind : *kinds) {
        ++counts[std::min<std::uint64_t>(kind.as_unsigned().value_or(token_kinds.size()), token_kinds.size())];
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] == 0) continue;
        table.add({fmt::format("  {}", i < token_kinds.size() ? token_kinds[i] : "of no kind"), grouped(counts[i])});
    }
}

// tokenizer.ggml.bos_token_id and its like, with the token's text.
void print_special_tokens(Console& console, const ModelView& view) {
    constexpr std::string_view prefix = "tokenizer.ggml.", suffix = "_token_id";
    const auto tokens = view.get_array("tokenizer.ggml.tokens");
    Table table({{.title = "SPECIAL TOKEN"}, {.title = "ID", .right = true}, {.title = "TEXT", .cut = Cut::end}});
    for (const KeyValue& entry : view.metadata()) {
        const std::string_view key = entry.key;
        if (!key.starts_with(prefix) || !key.ends_with(suffix) || key.size() <= prefix.size() + suffix.size()) continue;
        const auto id = entry.value.as_unsigned();
        if (!id) continue;
        const bool known = tokens && *id < tokens->size();
        table.add({printable(key.substr(prefix.size(), key.size() - prefix.size() - suffix.size())),
                   std::to_string(*id), known ? element_text(*tokens->at(*id)) : std::string("no such token")});
    }
    if (table.empty()) return;
    console.out.write("\n");
    table.print(console, console.width());
}

// tokenizer.ggml.suppress_tokens: ids that are never generated, with the first few texts.
void add_suppressed(Table& table, const ModelView& view) {
    constexpr std::size_t shown_at_most = 8;
    const auto ids = view.get_array("tokenizer.ggml.suppress_tokens");
    if (!ids || ids->empty()) return;
    const auto tokens = view.get_array("tokenizer.ggml.tokens");
    std::string text = fmt::format("{}:", counted(ids->size(), "token"));
    for (std::size_t i = 0; i < std::min<std::size_t>(shown_at_most, ids->size()); ++i) {
        const auto id = ids->at(i)->as_unsigned();
        const bool known = id && tokens && *id < tokens->size();
        text += fmt::format("{} {}", i == 0 ? "" : ",", known ? element_text(*tokens->at(*id)) : "no such token");
    }
    table.add({"suppressed", text + (ids->size() > shown_at_most ? ", …" : "")});
}

// Truths under tokenizer.ggml: add_bos_token, normalizer.lowercase.
void add_switches(Table& table, const ModelView& view) {
    constexpr std::string_view prefix = "tokenizer.ggml.";
    for (const KeyValue& entry : view.metadata()) {
        const auto truth = entry.value.as_bool();
        if (truth && entry.key.starts_with(prefix))
            table.add({printable(entry.key.substr(prefix.size())), *truth ? "yes" : "no"});
    }
}

std::string count_of(const ModelView& view, std::string_view key) {
    const auto array = view.get_array(key);
    return array ? grouped(array->size()) : "none";
}

}  // namespace

void print_layers(Console& console, const Model& model) { print_histogram(console, count_layers(model), "LAYER"); }

void print_types(Console& console, const Model& model) { print_histogram(console, count_types(model), "TYPE"); }

std::vector<std::string> template_names(const Model& model) {
    std::vector<std::string> names;
    for (const KeyValue& entry : model.header().metadata()) {
        if (!entry.key.starts_with(template_key) || !entry.value.as_string()) continue;
        const std::string_view rest = entry.key.substr(template_key.size());
        if (rest.empty()) names.insert(names.begin(), std::string(default_template));
        if (rest.size() > 1 && rest.front() == '.') names.emplace_back(rest.substr(1));
    }
    return names;
}

Result<void> print_template(Console& console, const Model& model, std::string_view name) {
    const ModelView& view = model.header();
    const bool unnamed = name.empty() || name == default_template;
    auto text = view.get_string(unnamed ? std::string(template_key) : fmt::format("{}.{}", template_key, name));
    if (!text && name == default_template) text = view.get_string(fmt::format("{}.{}", template_key, name));
    std::vector<std::string> others = template_names(model);
    if (!text) {
        std::string detail = name.empty() ? "has no chat template" : fmt::format("has no chat template '{}'", name);
        if (name.empty() && !others.empty()) detail += " without a name";
        if (!name.empty()) detail += did_you_mean(name, others);
        if (!others.empty()) detail += fmt::format("; --template NAME prints {}", in_words(others));
        return fail({.code = Errc::not_found, .detail = std::move(detail)});
    }
    print_raw(console, *text);
    std::erase(others, std::string(default_template));
    if (name.empty() && !others.empty()) {
        console.out.flush();
        console.error(
            fmt::format("note: this is the default chat template; --template NAME prints {}", in_words(others)));
    }
    return {};
}

bool print_tokenizer(Console& console, const Inspection& inspection) {
    const ModelView& view = inspection.model->header();
    if (!view.find_key("tokenizer.ggml.tokens") && !view.find_key("tokenizer.ggml.model")) return false;
    Table table({{.title = "TOKENIZER"}, {.cut = Cut::end}});
    table.add({"model", printable(view.get_string("tokenizer.ggml.model").value_or("not stated"))});
    if (const auto pre = view.get_string("tokenizer.ggml.pre")) table.add({"pre", printable(*pre)});
    table.add({"tokens", count_of(view, "tokenizer.ggml.tokens")});
    add_token_kinds(table, view);
    table.add({"scores", count_of(view, "tokenizer.ggml.scores")});
    table.add({"merges", count_of(view, "tokenizer.ggml.merges")});
    add_suppressed(table, view);
    add_switches(table, view);
    const auto templates = template_names(*inspection.model);
    if (std::ranges::any_of(templates, [](const std::string& name) { return name != default_template; })) {
        table.add({"chat templates", printable(fmt::format("{}", fmt::join(templates, ", ")))});
    }
    std::vector<const Error*> faults;
    for (const Diagnostic& found : inspection.diagnostics) {
        if (found.error.subject.find("tokenizer.") != std::string::npos) faults.push_back(&found.error);
    }
    table.add({"consistent", !faults.empty()    ? Cell("no", Style::red)
                             : !view.complete() ? Cell("not known: the header cannot be read to its end", Style::red)
                                                : Cell("yes", Style::green)});
    table.print(console, console.width());
    print_special_tokens(console, view);
    if (!faults.empty()) console.out.write("\n");
    for (const Error* fault : faults) {
        console.out.print("{}\n", console.markdown() ? markdown_text(fault->message()) : fault->message());
    }
    return true;
}

void print_known_types(Console& console) {
    static constexpr std::array<std::string_view, 4> standings{"weights", "activations only", "removed",
                                                               "of ik_llama.cpp"};
    Table table({{.title = "ID", .right = true},
                 {.title = "TENSOR TYPE"},
                 {.title = "BPW", .right = true},
                 {.title = "BLOCK", .right = true},
                 {.title = "BYTES", .right = true},
                 {.title = "FOR"},
                 {.title = "HERE"},
                 {.title = "ELSEWHERE", .cut = Cut::end}});
    for (const FormatInfo& format : formats()) {
        const bool usable = format.usable();
        const bool decoded = usable && can_dequantize(format.type()), encoded = usable && can_quantize(format.type());
        table.add({std::to_string(format.id), format.name, usable ? fmt::format("{:.4f}", format.bpw()) : "",
                   usable ? std::to_string(format.block_elements) : "",
                   usable ? std::to_string(format.block_bytes) : "",
                   is_ambiguous(format) ? "of forks" : standings[static_cast<std::size_t>(format.standing)],
                   encoded && decoded ? "read and made"
                   : decoded          ? "read"
                                      : "named",
                   other_meaning(format)});
    }
    table.print(console, console.width());
    console.out.write("\n");
    Table files({{.title = "ID", .right = true}, {.title = "FILE TYPE"}, {.title = "WHAT IT IS", .cut = Cut::end}});
    for (const FileType& type : file_types()) files.add({std::to_string(type.id), type.name, type.summary});
    files.print(console, console.width());
}

}  // namespace ggufkit::tool::info
