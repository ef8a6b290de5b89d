#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "container/role.hpp"
#include "container/structure.hpp"
#include "core/text.hpp"
#include "tally.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

constexpr std::size_t screen_lines = 23;  // of 24: one is left for the prompt
constexpr std::string_view indent = "  ";

// ---------------------------------------------------------------- metadata in words

class Facts {
  public:
    explicit Facts(const ModelView& view) : view_(view), architecture_(text("general.architecture")) {}

    const std::string& architecture() const { return architecture_; }

    // Empty where there is no such string.
    std::string text(std::string_view key) const { return printable(view_.get_string(key).value_or("")); }

    // "4,096"; "8 to 32, by layer" where it is an array; empty where there is no such number. Keys of the architecture
    // are named without it: ".context_length".
    std::string number(std::string_view key) const {
        const KeyValue* entry = find(key);
        if (entry == nullptr) return {};
        if (const auto value = entry->value.as_unsigned()) return grouped(*value);
        const auto array = entry->value.as_array();
        std::optional<std::uint64_t> least, most;
        if (!array) return {};
        for (const ValueView element : *array) {
            const auto value = element.as_unsigned();
            if (!value) return {};
            least = std::min(least.value_or(*value), *value);
            most = std::max(most.value_or(*value), *value);
        }
        if (!least) return {};
        return *least == *most ? grouped(*least) : fmt::format("{} to {}, by layer", grouped(*least), grouped(*most));
    }

    std::optional<std::uint64_t> exactly(std::string_view key) const {
        const KeyValue* entry = find(key);
        if (entry == nullptr) return std::nullopt;
        const auto value = entry->value.as_unsigned();
        return value ? std::optional(*value) : std::nullopt;
    }

    const ModelView& view() const { return view_; }

  private:
    const KeyValue* find(std::string_view key) const {
        if (!key.starts_with('.')) return view_.find_key(key);
        const auto raw = view_.get_string("general.architecture");
        return raw ? view_.find_key(fmt::format("{}{}", *raw, key)) : nullptr;
    }

    const ModelView& view_;
    std::string architecture_;
};

// `format` around `text`, unless there is none.
std::string with(std::string_view before, const std::string& text, std::string_view after = "") {
    return text.empty() ? "" : fmt::format("{}{}{}", before, text, after);
}

std::string file_type(const Facts& facts, const Tally& all) {
    constexpr std::uint64_t guessed = 1024;  // a loader's flag that some files carry
    const auto id = facts.exactly("general.file_type");
    std::string text = !id             ? "not stated"
                       : *id & guessed ? file_type_text(*id & ~guessed) + " (guessed)"
                                       : file_type_text(*id);
    if (all.sized != 0) {
        text += fmt::format(", {:.2f} bits a weight", all.bpw());
    } else if (!id) {
        return {};
    }
    return text;
}

std::string size(const Inspection& inspection) {
    const std::uint64_t bytes = inspection.file_bytes();
    const std::size_t shards = inspection.model->shard_count();
    const bool missing = shards < inspection.model->split_count();
    return fmt::format("{}{}{}", human_bytes(bytes), bytes < 1024 ? "" : fmt::format(" ({} bytes)", grouped(bytes)),
                       missing       ? fmt::format(" in {}", shards_text(*inspection.model))
                       : shards == 1 ? ""
                                     : fmt::format(" in {}", counted(shards, "shard")));
}

std::string container(const ModelView& view) {
    return fmt::format("GGUF v{}, {}-endian, alignment {}", view.version(),
                       view.byte_order() == ByteOrder::little ? "little" : "big", grouped(view.alignment()));
}

// "32, 8 for keys and values (GQA)".
std::string heads(const Facts& facts) {
    std::string queries = facts.number(".attention.head_count");
    const std::string keys = facts.number(".attention.head_count_kv");
    if (queries.empty() || keys.empty()) return queries;
    if (keys == queries) return queries + " (MHA)";
    return fmt::format("{}; {} for keys and values ({})", queries, keys, keys == "1" ? "MQA" : "GQA");
}

std::string layers(const Facts& facts) {
    std::string layers = facts.number(".block_count");
    const std::string experts = facts.number(".expert_count");
    if (layers.empty() || experts.empty() || experts == "0") return layers;
    return fmt::format("{}; {} experts{}", layers, experts, with(", ", facts.number(".expert_used_count"), " used"));
}

std::string vocabulary(const Facts& facts) {
    static constexpr std::pair<std::string_view, std::string_view> kinds[] = {
        {"gpt2", "byte-level BPE"}, {"llama", "SentencePiece BPE"}, {"bert", "WordPiece"}, {"t5", "Unigram"}};
    const auto tokens = facts.view().get_array("tokenizer.ggml.tokens");
    const std::string model = facts.text("tokenizer.ggml.model");
    const std::string count = tokens ? counted(tokens->size(), "token") : facts.number(".vocab_size");
    if (count.empty() || model.empty()) return count.empty() ? model : count;
    const auto kind = std::ranges::find(kinds, model, [](const auto& entry) { return entry.first; });
    const std::string pre = facts.text("tokenizer.ggml.pre");
    if (kind == std::end(kinds)) return fmt::format("{}, {}{}", count, model, with(" (", pre, ")"));
    return fmt::format("{}, {} ({}{})", count, kind->second, model, with(", ", pre));
}

std::string chat_template(const Facts& facts, const Model& model) {
    if (!facts.view().find_key("tokenizer.ggml.tokens")) return {};
    const auto text = facts.view().get_string("tokenizer.chat_template");
    std::string size = text ? fmt::format("yes, {}", counted(text->size(), "byte")) : "no";
    std::vector<std::string> names = template_names(model);
    if (text) names.erase(names.begin());
    if (names.empty()) return size;
    return printable(fmt::format("{}; {} by name: {}", size, names.size(), fmt::join(names, ", ")));
}

// What text an importance matrix was made from.
std::string datasets(const Facts& facts) {
    std::string text;
    if (const auto names = facts.view().get_array("imatrix.datasets")) {
        for (const ValueView name : *names)
            text += (text.empty() ? "" : ", ") + printable(name.as_string().value_or("?"));
    }
    const std::string chunks = facts.number("imatrix.chunk_count");
    return text + with(text.empty() ? "" : "; ", chunks, " chunks") +
           (chunks.empty() ? "" : with(" of ", facts.number("imatrix.chunk_size"), " tokens"));
}

// The importance matrix that a quantized model was made with.
std::string importance(const Facts& facts) {
    const std::string file = facts.text("quantize.imatrix.file"), dataset = facts.text("quantize.imatrix.dataset");
    if (file.empty() && dataset.empty()) return {};
    return fmt::format("{}{}{}", file, with(file.empty() ? "of " : " of ", dataset),
                       with("; ", facts.number("quantize.imatrix.chunks_count"), " chunks"));
}

// Sparse attention: an indexer picks the tokens that a layer attends to.
std::string indexer(const Facts& facts) {
    const std::string picked = facts.number(".attention.indexer.top_k");
    if (picked.empty()) return {};
    return fmt::format("picks {} tokens to attend to{}", picked,
                       with("; ", facts.number(".attention.indexer.head_count"), " heads"));
}

// Embeddings of n-grams that single layers add (PLE).
std::string ngrams(const Facts& facts) {
    const auto layers = facts.view().get_array(facts.architecture() + ".ple.layers");
    if (!layers) return {};
    return fmt::format("{} in {}", with("of up to ", facts.number(".ple.ngram_size"), " tokens"),
                       counted(layers->size(), "layer"));
}

std::string model_type(const Facts& facts) {
    using container::Role;
    const Role role = container::role_of(facts.view());
    const std::string type = facts.text("general.type");
    if (role == Role::model) return type == "model" ? "" : type;
    if (role == Role::vocabulary) return std::string(container::describe(role));
    const auto invocation = facts.view().get_array("adapter.alora.invocation_tokens");
    return fmt::format("{}{}, not a model: llama.cpp takes it as {}", container::describe(role),
                       invocation ? fmt::format(", activated by {} (aLoRA)", counted(invocation->size(), "token")) : "",
                       container::option(role));
}

// What the makers recommend: "temp 0.7, top_k 20".
std::string sampling(const Facts& facts) {
    constexpr std::string_view prefix = "general.sampling.";
    std::string text;
    for (const KeyValue& entry : facts.view().metadata()) {
        if (!entry.key.starts_with(prefix)) continue;
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", printable(entry.key.substr(prefix.size())),
                            element_text(entry.value));
    }
    return text;
}

// ---------------------------------------------------------------- the screen

std::string parameters(const Tally& all) {
    if (all.tensors == 0) return {};
    return fmt::format("{}{} in {}", human_count(all.elements),
                       all.elements < 1000 ? "" : fmt::format(" ({})", grouped(all.elements)),
                       counted(all.tensors, "tensor"));
}

// Of a mixture of experts.
std::string active(const Model& model) {
    const auto experts = experts_of(model.header());
    const auto weights = active_parameters(model);
    if (!experts || !weights) return {};
    return fmt::format("{}{} for each token: {} of {}", human_count(*weights),
                       *weights < 1000 ? "" : fmt::format(" ({})", grouped(*weights)), grouped(experts->used),
                       counted(experts->count, "expert"));
}

// What is not there of a model: shards, records of its header, data. Of several shards, the first of each kind.
class MissingRows {
  public:
    std::vector<Row> of(const Model& model) {
        if (model.shard_count() < model.split_count())
            add("incomplete", fmt::format("only {}: all figures are of this part", shards_text(model)));
        for (std::size_t i = 0; i < model.shard_count(); ++i) {
            const std::string where =
                model.split_count() == 1 ? "" : fmt::format("shard {}: ", model.shard_number(i) + 1);
            if (!header_) add_header(model.shard(i), where);
            if (!data_) add_data(model.shard(i), where);
            add_joined(model.shard(i));
        }
        return std::move(rows_);
    }

  private:
    void add_header(const ModelView& view, const std::string& where) {
        if (view.complete()) return;
        header_ = true;
        add("header", fmt::format("{}only {} of {} keys, {} of {} tensors can be read", where,
                                  grouped(view.metadata().size()), grouped(view.announced_keys()),
                                  grouped(view.tensors().size()), grouped(view.announced_tensors())));
    }

    void add_data(const ModelView& view, const std::string& where) {
        const auto cut = cut_short(view);
        if (!cut) return;
        data_ = true;
        add("incomplete",
            fmt::format("{}{} of {} bytes are there", where, grouped(view.file().size()), grouped(cut->bytes)));
        add("whole tensors", fmt::format("{} of {}; the first that is not: {}", grouped(cut->whole),
                                         grouped(view.tensors().size()), printable(cut->first->name)));
    }

    void add_joined(const ModelView& view) {
        const auto next = container::next_header(view);
        if (!next || view.find_key("split.count") == nullptr) return;
        add("joined", fmt::format("another shard begins at 0x{:x}: shards joined by 'cat' are no model", *next));
        add("to merge", "keep the shards apart, then: gguf-requant FIRST-SHARD OUTPUT COPY");
    }

    void add(std::string_view label, std::string text) { rows_.push_back({label, Cell(std::move(text), Style::red)}); }

    std::vector<Row> rows_;
    bool header_ = false;
    bool data_ = false;
};

std::vector<Row> rows(const Inspection& inspection, const Tally& all) {
    const Model& model = *inspection.model;
    const Facts facts(model.header());
    std::vector<Row> rows{
        {"name", facts.text("general.name")},
        {"type", model_type(facts)},
        {"architecture", facts.architecture()},
        {"parameters", parameters(all)},
        {"active", active(model)},
        {"file type", file_type(facts, all)},
        {"size", size(inspection)},
        {"container", container(model.header())},
        {"context", facts.number(".context_length")},
        {"embedding",
         facts.number(".embedding_length") + with("; feed-forward ", facts.number(".feed_forward_length"))},
        {"layers", layers(facts)},
        {"heads", heads(facts)},
        {"indexer", indexer(facts)},
        {"KDA", with("heads of ", facts.number(".kda.head_dim"))},
        {"n-grams", ngrams(facts)},
        {"vocabulary", vocabulary(facts)},
        {"chat template", chat_template(facts, model)},
        {"sampling", sampling(facts)},
        {"datasets", datasets(facts)},
        {"imatrix", importance(facts)},
        {"licence", facts.text("general.license")},
    };
    std::erase_if(rows, [](const Row& row) { return row.cell.text.empty(); });
    const std::vector<Row> missing = MissingRows().of(model);
    rows.insert(rows.begin(), missing.begin(), missing.end());
    return rows;
}

// How many errors and warnings there are, and the first of the worst.
std::vector<Row> problem_rows(const Inspection& inspection) {
    const std::size_t errors = inspection.count(Severity::error), warnings = inspection.count(Severity::warning);
    if (errors + warnings == 0) {
        const bool whole = !inspection.model || inspection.model->whole();
        return {{"problems", Cell(whole ? "none" : "none in the header; --check looks at the rest", Style::green)}};
    }
    std::string text = errors == 0 ? "" : counted(errors, "error");
    if (warnings != 0) text += (errors == 0 ? "" : ", ") + counted(warnings, "warning");
    const Severity worst = errors == 0 ? Severity::warning : Severity::error;
    const Error& first = !inspection.faults.empty()
                             ? inspection.faults.front()
                             : std::ranges::find(inspection.diagnostics, worst, &Diagnostic::severity)->error;
    return {{"problems", Cell(text + "; --check lists them", errors == 0 ? Style::yellow : Style::red)},
            {"", inspection.faults.empty() ? first.message()
                                           : printable(fmt::format("{}: {}", first.subject, first.detail))}};
}

void print_rows(Console& console, const std::vector<Row>& rows, std::size_t width) {
    Table table({{.style = Style::dim, .least = 13}, {.cut = Cut::end}}, indent);
    for (const Row& row : rows) table.add({row.label, row.cell});
    table.print(console, width);
}

// The histogram in at most `lines` lines, its title included; the smallest types share the last one.
void print_types(Console& console, Histogram types, std::size_t lines) {
    Tally all;
    for (const auto& [type, tally] : types) all.add(tally);
    constexpr std::size_t fewest = 3;
    const std::size_t most = std::max(lines, fewest) - 1;
    if (types.size() > most) {
        Tally rest;
        for (std::size_t i = most - 1; i < types.size(); ++i) rest.add(types[i].second);
        const std::size_t folded = types.size() - (most - 1);
        types.resize(most - 1);
        types.emplace_back(fmt::format("{} others", folded), rest);
    }
    constexpr int cells = 30;
    Table table({{.title = "TYPE"},
                 {.title = "TENSORS", .right = true},
                 {.title = "SIZE", .right = true},
                 {.title = "SHARE", .right = true},
                 {.cut = Cut::drop, .style = Style::cyan}},
                indent);
    for (const auto& [type, tally] : types) {
        const double share = all.bytes == 0 ? 0 : static_cast<double>(tally.bytes) / static_cast<double>(all.bytes);
        table.add({type, grouped(tally.tensors), human_bytes(tally.bytes), fmt::format("{:.1f} %", share * 100),
                   bar(share, cells)});
    }
    table.print(console, console.width().value_or(80));
}

}  // namespace

std::string shards_text(const Model& model) {
    std::string text;
    for (std::size_t i = 0; i < model.shard_count();) {
        std::size_t end = i + 1;
        while (end < model.shard_count() && model.shard_number(end) == model.shard_number(end - 1) + 1) ++end;
        text += fmt::format("{}{}", i == 0 ? "" : ", ", model.shard_number(i) + 1);
        if (end - i > 1) text += fmt::format("{}{}", end - i > 2 ? " to " : ", ", model.shard_number(end - 1) + 1);
        i = end;
    }
    return fmt::format("{} {} of {}", model.shard_count() == 1 ? "shard" : "shards", text, model.split_count());
}

std::vector<Row> summary_rows(const Inspection& inspection) {
    if (!inspection.model) return {};
    Tally all;
    for (const auto& [type, tally] : count_types(*inspection.model)) all.add(tally);
    return rows(inspection, all);
}

void print_summary(Console& console, const Inspection& inspection) {
    const std::size_t width = console.width().value_or(80);
    std::vector<Row> facts = summary_rows(inspection);
    const std::vector<Row> problems = problem_rows(inspection);
    const Histogram types = inspection.model ? count_types(*inspection.model) : Histogram{};
    const std::size_t others = facts.size() + problems.size() + 4;  // the name and three blank lines
    const std::size_t types_lines = screen_lines - std::min(others, screen_lines);
    if (console.markdown()) {  // a card is for those who do not have the file where it is here
        console.section(shown(inspection.path.filename()));
        facts.insert(facts.end(), problems.begin(), problems.end());
        print_rows(console, facts, width);
        if (types.empty()) return;
        console.out.write("\n");
        print_types(console, types, types.size() + 1);
        return;
    }
    console.out.print("{}\n\n", console.paint(Style::bold, elide_middle(printable(shown(inspection.path)), width)));
    if (!facts.empty()) {
        print_rows(console, facts, width);
        console.out.write("\n");
    }
    if (!types.empty()) {
        print_types(console, types, types_lines);
        console.out.write("\n");
    }
    print_rows(console, problems, width);
}

}  // namespace ggufkit::tool::info
