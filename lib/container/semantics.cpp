#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ggufkit/validate.hpp>
#include <optional>
#include <string>
#include <vector>

#include "container/findings.hpp"

namespace ggufkit {
namespace container {
namespace {

// N of a tensor named "blk.N.…".
std::optional<std::uint64_t> block_of(std::string_view name) {
    constexpr std::string_view prefix = "blk.";
    if (!name.starts_with(prefix)) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + prefix.size(), end, number);
    if (error != std::errc{} || rest == end || *rest != '.') return std::nullopt;
    return number;
}

// What the value of a key can be read as.
enum class Kind : std::uint8_t { text, texts, count, counts, count_or_counts, numbers };

struct KnownKey {
    std::string_view key;  // one that begins with a dot belongs to the architecture
    Kind kind;
};
constexpr std::array known_keys{
    KnownKey{"general.name", Kind::text},
    KnownKey{"general.file_type", Kind::count},
    KnownKey{".block_count", Kind::count},
    KnownKey{".context_length", Kind::count},
    KnownKey{".embedding_length", Kind::count},
    KnownKey{".feed_forward_length", Kind::count_or_counts},
    KnownKey{".attention.head_count", Kind::count_or_counts},
    KnownKey{".attention.head_count_kv", Kind::count_or_counts},
    KnownKey{".expert_count", Kind::count},
    KnownKey{".expert_used_count", Kind::count_or_counts},
    KnownKey{"tokenizer.ggml.model", Kind::text},
    KnownKey{"tokenizer.ggml.pre", Kind::text},
    KnownKey{"tokenizer.ggml.tokens", Kind::texts},
    KnownKey{"tokenizer.ggml.scores", Kind::numbers},
    KnownKey{"tokenizer.ggml.token_type", Kind::counts},
    KnownKey{"tokenizer.ggml.merges", Kind::texts},
    KnownKey{"tokenizer.chat_template", Kind::text},
};

std::string_view kind_name(Kind kind) {
    constexpr std::array<std::string_view, 6> names{
        "a string",           "an array of strings",           "a count",
        "an array of counts", "a count or an array of counts", "an array of numbers"};
    return names[static_cast<std::size_t>(kind)];
}

bool is_integer(ValueType type) {
    return type != ValueType::boolean && type != ValueType::string && type != ValueType::array &&
           type != ValueType::float32 && type != ValueType::float64;
}

bool is_number(ValueType type) { return is_integer(type) || type == ValueType::float32 || type == ValueType::float64; }

bool is_of(Kind kind, const ValueView& value) {
    const auto array = value.as_array();
    switch (kind) {
        case Kind::text: return value.as_string().has_value();
        case Kind::texts: return array && array->element_type() == ValueType::string;
        case Kind::count: return value.as_unsigned().has_value();
        case Kind::counts: return array && is_integer(array->element_type());
        case Kind::count_or_counts: return is_of(Kind::count, value) || is_of(Kind::counts, value);
        case Kind::numbers: return array && is_number(array->element_type());
    }
    return false;
}

// Holds what a header says in one place against what it says in others.
class SemanticCheck {
  public:
    SemanticCheck(const ModelView& view, Findings& findings) : view_(view), findings_(findings) {}

    void run() {
        check_architecture();
        check_kinds();
        check_vocabulary();
        check_heads();
        check_blocks();
        check_quantization_version();
    }

  private:
    void check_architecture() {
        const KeyValue* entry = view_.find_key("general.architecture");
        if (entry == nullptr) {
            const bool needed = type_of_file() != "imatrix";
            if (needed) findings_.add(R::architecture, {}, "key 'general.architecture'", "is missing");
            return;
        }
        architecture_ = entry->value.as_string().value_or("");
        if (architecture_.empty()) findings_.about_value(R::architecture, *entry, "is not a name");
    }

    void check_kinds() {
        for (const auto& [key, kind] : known_keys) {
            const KeyValue* entry =
                view_.find_key(key.starts_with('.') ? fmt::format("{}{}", architecture_, key) : std::string(key));
            if (entry != nullptr && !is_of(kind, entry->value)) about_kind(*entry, kind);
        }
        for (const KeyValue& entry : view_.metadata()) {
            if (is_token_id(entry.key) && !is_of(Kind::count, entry.value)) about_kind(entry, Kind::count);
        }
    }

    void about_kind(const KeyValue& entry, Kind kind) {
        const auto array = entry.value.as_array();
        findings_.about_value(R::known_keys, entry,
                              fmt::format("is {}{}, where {} is due", array ? "an array of " : "",
                                          name(array ? array->element_type() : entry.value.type()), kind_name(kind)));
    }

    static bool is_token_id(std::string_view key) {
        return key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id");
    }

    void check_vocabulary() {
        const auto tokens = view_.get_array("tokenizer.ggml.tokens");
        if (!tokens) return;
        const std::uint64_t count = tokens->size();
        for (const KeyValue& entry : view_.metadata()) {
            if (!is_token_id(entry.key)) continue;
            const auto id = entry.value.as_unsigned();
            if (id && *id >= count) {
                findings_.about_value(R::token_id, entry, fmt::format("is {}, but there are {} tokens", *id, count));
            }
        }
        for (const auto* key : {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"}) {
            check_length(R::token_arrays, key, count, "tokens");
        }
        const TensorInfo* embeddings = view_.find_tensor("token_embd.weight");
        if (embeddings != nullptr && embeddings->ne[1] < count) {
            findings_.about(R::vocabulary_rows, *embeddings,
                            fmt::format("has {} rows for {} tokens", embeddings->ne[1], count));
        }
    }

    void check_length(R rule, std::string_view key, std::uint64_t count, std::string_view of_what) {
        const auto array = view_.get_array(key);
        if (!array || array->size() == count) return;
        findings_.about_value(rule, *view_.find_key(key),
                              fmt::format("has {} elements, but there are {} {}", array->size(), count, of_what));
    }

    void check_heads() {
        const KeyValue* entry = view_.find_key(of_architecture("attention.head_count"));
        if (entry == nullptr) return;
        const auto heads =
            entry->value.as_unsigned();  // arrays have a count a block, and 0 where there is no attention
        if (!heads) return;
        if (*heads == 0 && !is_recurrent()) findings_.about_value(R::head_count, *entry, "is 0");
        const auto shared = view_.get_unsigned(of_architecture("attention.head_count_kv"));
        if (shared && *shared != 0 && *heads % *shared != 0) {
            findings_.about_value(R::head_groups, *entry,
                                  fmt::format("is {}, with {} key-value heads", *heads, *shared));
        }
    }

    void check_blocks() {
        const KeyValue* entry = view_.find_key(of_architecture("block_count"));
        const auto count = entry != nullptr ? entry->value.as_unsigned() : fail({});
        if (!count) return;
        for (const auto* key : {"attention.head_count", "attention.head_count_kv", "feed_forward_length"}) {
            check_length(R::per_block_arrays, of_architecture(key), *count, "blocks");
        }
        if (!is_whole_model()) return;
        std::vector<std::uint64_t> numbers;
        for (const TensorInfo& tensor : view_.tensors()) {
            if (const auto number = block_of(tensor.name)) numbers.push_back(*number);
        }
        std::ranges::sort(numbers);
        numbers.erase(std::ranges::unique(numbers).begin(), numbers.end());
        if (numbers.empty()) return;  // a vocabulary, or an architecture with other names
        const auto beyond = std::ranges::lower_bound(numbers, *count);
        const auto known = static_cast<std::uint64_t>(beyond - numbers.begin());
        if (known < *count) {
            findings_.about_value(R::block_count, *entry,
                                  fmt::format("is {}, but {} blocks have tensors", *count, known));
        } else if (beyond != numbers.end()) {
            findings_.about_value(R::block_count, *entry,
                                  fmt::format("is {}, but there is a block {}", *count, *beyond));
        }
    }

    void check_quantization_version() {
        const auto quantized = std::ranges::find_if(
            view_.tensors(), [](const TensorInfo& t) { return t.format != nullptr && t.format->quantized(); });
        if (quantized == view_.tensors().end()) return;
        constexpr std::string_view key = "general.quantization_version";
        const KeyValue* entry = view_.find_key(key);
        if (entry == nullptr) {
            findings_.add(R::quantization_version, {}, subject("key", key),
                          "is missing, but there are quantized tensors");
        } else if (entry->value.as_unsigned().value_or(0) != 2) {
            findings_.about_value(R::quantization_version, *entry, "is not 2");
        }
    }

    std::string of_architecture(std::string_view key) const { return fmt::format("{}.{}", architecture_, key); }

    // State-space and RWKV models have no heads, and say so.
    bool is_recurrent() const {
        return view_.find_key(of_architecture("ssm.state_size")) != nullptr ||
               view_.find_key(of_architecture("wkv.head_size")) != nullptr;
    }

    // Shards and adapters need not have a tensor for every block.
    bool is_whole_model() const { return view_.find_key("split.count") == nullptr && type_of_file() == "model"; }

    std::string_view type_of_file() const { return view_.get_string("general.type").value_or("model"); }

    const ModelView& view_;
    Findings& findings_;
    std::string_view architecture_;
};

}  // namespace
}  // namespace container

Report check_semantics(const ModelView& view) {
    if (!view.complete()) return {};  // what seems to be missing may follow
    container::Findings findings({});
    container::SemanticCheck(view, findings).run();
    return findings.take();
}

}  // namespace ggufkit
