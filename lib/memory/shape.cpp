#include "memory/shape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "container/role.hpp"
#include "core/text.hpp"
#include "core/try.hpp"
#include "memory/architectures.hpp"
#include "memory/bytes.hpp"
#include "memory/keys.hpp"
#include "plan/roles.hpp"

namespace ggufkit::memory {

namespace {

// What the tensors of a layer are for.
struct LayerParts {
    bool attention = false, state = false;
};

std::vector<LayerParts> layer_parts(const Model& model) {
    std::vector<LayerParts> layers;
    for (const ModelTensor& tensor : model.tensors()) {
        const std::string_view name = tensor.info->name;
        const auto layer = plan::block_of(name);
        if (!layer || *layer >= max_layers) continue;
        if (*layer >= layers.size()) layers.resize(*layer + 1);
        const auto has = [&](const char* part) { return name.find(part) != std::string_view::npos; };
        LayerParts& parts = layers[*layer];
        parts.attention = parts.attention || has(".attn_k.") || has(".attn_k_b.") || has(".attn_kv");
        parts.state = parts.state || has(".ssm_") || has(".shortconv.") || has(".time_mix_");
    }
    return layers;
}

class Reader {
  public:
    Reader(const Model& model, std::string_view name, std::vector<std::string>& assumptions)
        : model_(model), keys_(model.header(), name), assumptions_(assumptions) {
        const Architecture* const known = find_architecture(name);
        if (known != nullptr) {
            architecture_ = *known;
        } else {
            guess_architecture(name);
        }
    }

    Result<ModelShape> read();

  private:
    template <class... Values>
    void assume(fmt::format_string<Values...> format, Values&&... values) {
        assumptions_.push_back(fmt::format(format, std::forward<Values>(values)...));
    }
    void guess_architecture(std::string_view name);
    Result<void> check_arrays(std::uint64_t layers) const;
    void read_sizes(ModelShape& shape);
    void read_windows(ModelShape& shape);
    void read_attention(ModelShape& shape);
    Result<void> read_state(ModelShape& shape);
    std::uint64_t vocabulary();
    bool has_gate() const;
    bool recurs(std::uint64_t layer) const;
    bool lists_layers() const;
    bool recurs_by_file(std::uint64_t layer) const;
    bool attends(std::uint64_t layer) const;

    const Model& model_;
    Keys keys_;
    std::vector<std::string>& assumptions_;
    Architecture architecture_{};
    std::vector<LayerParts> parts_;  // of an architecture that is not known
    std::uint64_t main_ = 0;         // the first so many layers take part in every token
    std::uint64_t caching_ = 0;      // and the first so many of those may have a cache
};

// The names of an architecture that llama.cpp has not are still its conventions: states have tensors and keys of their
// own, an encoder is not causal and has no output matrix.
void Reader::guess_architecture(std::string_view name) {
    const auto has_key = [&](const char* key) { return keys_.number(key).value_or(0) != 0; };
    if (keys_.number("attention.causal").value_or(1) == 0 && model_.find_tensor("output.weight") == nullptr) {
        architecture_ = {.name = "", .layers = Layers::remember_nothing, .head = false};
        assume("the architecture {} is not known: attention.causal is false, so it is taken to be an encoder",
               printable(name));
    } else if (has_key("ssm.state_size") || has_key("wkv.head_size") || has_key("shortconv.l_cache") ||
               has_key("kda.head_dim")) {
        architecture_ = {.name = "", .layers = Layers::unknown};
        parts_ = layer_parts(model_);
        assume("the architecture {} is not known: its metadata and tensors decide which layers have a recurrent state",
               printable(name));
    } else {
        assume("the architecture {} is not known: every layer is taken to attend to the whole context",
               printable(name));
    }
}

constexpr std::array per_layer{
    "attention.head_count", "attention.head_count_kv",          "attention.recurrent_layers",
    "feed_forward_length",  "attention.sliding_window_pattern",
};

Result<void> Reader::check_arrays(std::uint64_t layers) const {
    for (const char* key : per_layer) {
        if (!keys_.is_array(key) || keys_.elements(key) >= layers) continue;
        return fail({.code = Errc::out_of_range,
                     .subject = fmt::format("key '{}'", keys_.full_name(key)),
                     .detail = fmt::format("has {} elements, one for a layer, and there are {} layers",
                                           keys_.elements(key), layers)});
    }
    return {};
}

// Rows of the output matrix: the numbers that each token gets.
std::uint64_t Reader::vocabulary() {
    for (const char* name : {"output.weight", "token_embd.weight"}) {
        const ModelTensor* const tensor = model_.find_tensor(name);
        if (tensor != nullptr && tensor->info->n_dims >= 2) return tensor->info->ne[1];
    }
    if (const auto tokens = model_.header().get_array("tokenizer.ggml.tokens")) return tokens->size();
    if (const auto size = keys_.number("vocab_size")) return *size;
    assume("no vocabulary: no room for the probabilities of tokens is counted");
    return 0;
}

// A gate is a tensor of its own or in the same one as the way up, which then has more rows.
bool Reader::has_gate() const {
    const std::uint64_t width = keys_.greatest("feed_forward_length");
    bool up = false;
    for (const ModelTensor& tensor : model_.tensors()) {
        const std::string_view name = tensor.info->name;
        const auto has = [&](const char* part) { return name.find(part) != std::string_view::npos; };
        if (has(".ffn_gate.") || has(".ffn_gate_exps.") || has(".ffn_gate_up_exps.")) return true;
        if (!has(".ffn_up.weight")) continue;
        if (tensor.info->ne[1] > width) return true;
        up = true;
    }
    return up ? false : architecture_.gate;
}

void Reader::read_sizes(ModelShape& shape) {
    shape.context = keys_.number("context_length").value_or(0);
    if (shape.context == 0) {
        shape.context = 4096;
        assume("no context_length: the model is taken to have been trained for 4096 tokens");
    }
    shape.embedding = keys_.number("embedding_length").value_or(0);
    if (shape.embedding == 0) assume("no embedding_length: compute buffers are counted too small");
    shape.per_layer_embedding = keys_.number("embedding_length_per_layer_input").value_or(0);
    shape.feed_forward = keys_.greatest("feed_forward_length");
    if (keys_.number("expert_count").value_or(0) != 0) {
        shape.experts_used = keys_.greatest("expert_used_count");
        shape.expert_forward = keys_.greatest("expert_feed_forward_length");
        if (shape.expert_forward == 0) shape.expert_forward = shape.feed_forward;
    }
    shape.vocabulary = vocabulary();
    shape.encoder = architecture_.layers == Layers::remember_nothing;
    shape.head = architecture_.head;
    shape.gate = has_gate();
    shape.position_bias = architecture_.position_bias;
}

void Reader::read_windows(ModelShape& shape) {
    constexpr const char* pattern = "attention.sliding_window_pattern";
    const auto said = architecture_.window_fixed ? std::nullopt : keys_.number("attention.sliding_window");
    shape.window = said.value_or(architecture_.window);
    const std::uint64_t layers = shape.layers.size();
    if (shape.window == 0 || (architecture_.only_layers != 0 && architecture_.only_layers != layers)) return;
    if (architecture_.pattern_in_file && keys_.is_array(pattern)) {
        for (std::uint64_t i = 0; i < layers; ++i) shape.layers[i].sliding = keys_.number(pattern, i).value_or(0) != 0;
        return;
    }
    std::uint64_t period = architecture_.period;
    if (architecture_.pattern_in_file) period = keys_.number(pattern).value_or(period);
    if (period == 0) return;
    const std::uint64_t full = architecture_.full_first ? 0 : period - 1;
    for (std::uint64_t i = 0; i < layers; ++i) shape.layers[i].sliding = period == 1 || i % period != full;
}

bool Reader::lists_layers() const {
    return keys_.is_array("attention.recurrent_layers") || keys_.number("full_attention_interval");
}

// Layers without key-value heads, with the tensors of a state, or without keys.
bool Reader::recurs_by_file(std::uint64_t layer) const {
    if (keys_.is_array("attention.head_count_kv"))
        return keys_.number("attention.head_count_kv", layer).value_or(0) == 0;
    if (layer < parts_.size()) return parts_[layer].state || !parts_[layer].attention;
    return true;
}

bool Reader::recurs(std::uint64_t layer) const {
    if (layer >= main_) return false;
    const auto none = [&](const char* key) { return keys_.number(key, layer).value_or(0) == 0; };
    switch (architecture_.layers) {
        case Layers::attend:
        case Layers::remember_nothing: return false;
        case Layers::recur:
        case Layers::both: return true;
        case Layers::recur_without_kv: return none("attention.head_count_kv");
        case Layers::recur_without_any: return none("attention.head_count_kv") && none("feed_forward_length");
        case Layers::recur_but_every: break;
        case Layers::unknown:
            if (!lists_layers()) return recurs_by_file(layer);
            break;
    }
    if (keys_.is_array("attention.recurrent_layers"))
        return keys_.number("attention.recurrent_layers", layer).value_or(0) != 0;
    const std::uint64_t every = std::max<std::uint64_t>(1, keys_.number("full_attention_interval").value_or(4));
    return layer % every != every - 1;
}

bool Reader::attends(std::uint64_t layer) const {
    if (layer >= caching_) return false;
    if (architecture_.layers == Layers::both || !recurs(layer)) return true;
    if (architecture_.layers != Layers::unknown) return false;
    return layer < parts_.size() ? parts_[layer].attention : parts_.empty() && !lists_layers();
}

void Reader::read_attention(ModelShape& shape) {
    const std::uint64_t default_length =
        shape.embedding / std::max<std::uint64_t>(1, keys_.number("attention.head_count").value_or(0));
    const std::uint64_t latent_key = keys_.number("attention.key_length_mla").value_or(0);
    const std::uint64_t latent_value = keys_.number("attention.value_length_mla").value_or(0);
    const bool latent = latent_key != 0 && latent_value != 0;
    const bool caches = architecture_.layers != Layers::recur && !shape.encoder;
    if (caches && !keys_.number("attention.head_count")) assume("no attention.head_count: no KV cache is counted");
    for (std::uint64_t i = 0; i < shape.layers.size(); ++i) {
        LayerShape& layer = shape.layers[i];
        const auto length = [&](const char* name, const char* sliding_name) {
            const std::uint64_t all = keys_.number(name).value_or(default_length);
            return layer.sliding ? keys_.number(sliding_name).value_or(all) : all;
        };
        const std::uint64_t heads = keys_.number("attention.head_count", i).value_or(0);
        layer.key_length = length("attention.key_length", "attention.key_length_swa");
        const std::uint64_t value_length = length("attention.value_length", "attention.value_length_swa");
        layer.value_length = latent ? 0 : value_length;
        shape.heads = std::max(shape.heads, heads);
        shape.query_width = std::max(shape.query_width, saturating_mul(heads, layer.key_length));
        if (latent) {
            const std::uint64_t of_a_head = saturating_add(saturating_add(layer.key_length, value_length),
                                                           saturating_add(saturating_mul(2, latent_key), latent_value));
            shape.latent_width = std::max(shape.latent_width, saturating_mul(heads, of_a_head));
        }
        if (!caches || !attends(i)) continue;
        layer.kv_heads = keys_.number("attention.head_count_kv", i).value_or(heads);
    }
}

// The numbers of one layer's state, of whichever kind the metadata describes: RWKV, short convolutions, KDA, state space.
Result<void> Reader::read_state(ModelShape& shape) {
    const auto number = [&](const char* key) { return keys_.number(key).value_or(0); };
    const std::uint64_t embedding = shape.embedding;
    const std::uint64_t convolution = std::max<std::uint64_t>(1, number("ssm.conv_kernel")) - 1;
    Sum state;
    if (const std::uint64_t head = number("wkv.head_size"); head != 0) {
        shape.wkv = true;
        state.add({keys_.number("token_shift_count").value_or(2), embedding}).add({embedding, head});
    } else if (const std::uint64_t kernel = number("shortconv.l_cache"); kernel != 0) {
        state.add({embedding, kernel - 1});
    } else if (const std::uint64_t head_dim = number("kda.head_dim"); head_dim != 0) {
        state.add({3, convolution, head_dim, number("attention.head_count")});
        state.add({head_dim, head_dim, number("attention.head_count")});
    } else {
        shape.inner = number("ssm.inner_size");
        shape.group_state = saturating_mul(number("ssm.group_count"), number("ssm.state_size"));
        state.add({convolution, shape.inner})
            .add({convolution, 2, number("ssm.group_count"), number("ssm.state_size")});
        state.add({number("ssm.state_size"), shape.inner});
    }
    TRY_LET(const auto total, state.result("the recurrent state"));
    for (std::uint64_t i = 0; i < shape.layers.size(); ++i)
        if (recurs(i)) shape.layers[i].state = total;
    return {};
}

Result<ModelShape> Reader::read() {
    const auto layers = keys_.number("block_count");
    const std::string subject = fmt::format("key '{}'", keys_.full_name("block_count"));
    if (!layers) return fail({.code = Errc::not_found, .subject = subject, .detail = "the model has none"});
    if (*layers > max_layers) {
        return fail({.code = Errc::out_of_range,
                     .subject = subject,
                     .detail = fmt::format("{} layers are more than any model has", *layers)});
    }
    TRY(check_arrays(*layers));
    ModelShape shape;
    shape.layers.resize(*layers);
    // Layers that predict further tokens do not take part; layers that share the cache of another have none.
    const std::uint64_t aside = keys_.number("nextn_predict_layers").value_or(0);
    const std::uint64_t sharing = keys_.number("attention.shared_kv_layers").value_or(0);
    main_ = *layers - std::min(aside, *layers);
    caching_ = main_;
    caching_ -= std::min(caching_, architecture_.kv_layers == 0 ? sharing : 0);
    if (architecture_.kv_layers != 0) caching_ = std::min(caching_, architecture_.kv_layers);
    read_sizes(shape);
    read_windows(shape);
    read_attention(shape);
    TRY(read_state(shape));
    return shape;
}

}  // namespace

Result<ModelShape> read_shape(const Model& model, std::vector<std::string>& assumptions) {
    const container::Role role = container::role_of(model.header());
    if (role != container::Role::model && role != container::Role::vocabulary) {
        return fail(
            {.code = Errc::unsupported,
             .detail = fmt::format("this is {}, not a model: its memory is not estimated", container::describe(role))});
    }
    TRY_LET(const auto name, model.header().get_string("general.architecture"));
    return Reader(model, name, assumptions).read();
}

}  // namespace ggufkit::memory
