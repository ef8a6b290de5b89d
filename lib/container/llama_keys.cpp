#include "container/llama_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ggufkit::container {

namespace {

using enum ValueType;

// What llama.cpp v0.5.0 says of models that are nothing but metadata, of each architecture that it knows, with one key of
// another type at a time ("key llama.block_count has wrong type u64 but expected type u32"). tests/reference asks again.
constexpr std::array rows = std::to_array<LlamaKey>({
    {".activation.situ_beta", float32, Arrays::none, "kimi-k3"},
    {".activation.situ_linear_beta", float32, Arrays::none, "kimi-k3"},
    {".adapters.count", uint32, Arrays::none, "graniteswitch"},
    {".adapters.lora_rank", uint32, Arrays::none, "graniteswitch"},
    {".adapters.router_gain", float32, Arrays::none, "graniteswitch"},
    {".attention.causal", boolean},
    {".attention.clamp_kqv", float32, Arrays::none, "dbrx mpt olmo"},
    {".attention.compress_ratios", uint32, Arrays::only, "deepseek4"},
    {".attention.compress_ratios", uint32, Arrays::or_array, "qwen4exp"},
    {".attention.compress_rope_freq_base", float32, Arrays::none, "deepseek4"},
    {".attention.decay_lora_rank", uint32, Arrays::none, "arwkv7 rwkv7"},
    {".attention.gate_lora_rank", uint32, Arrays::none, "arwkv7 rwkv7"},
    {".attention.group_norm_epsilon", float32, Arrays::none, "wavtokenizer-dec"},
    {".attention.group_norm_groups", uint32, Arrays::none, "wavtokenizer-dec"},
    {".attention.head_count", uint32, Arrays::or_array},
    {".attention.head_count_kv", uint32, Arrays::or_array},
    {".attention.iclr_lora_rank", uint32, Arrays::none, "arwkv7 rwkv7"},
    {".attention.indexer.block_size", uint32, Arrays::none, "minimax-m3"},
    {".attention.indexer.head_count", uint32, Arrays::none, "deepseek32 deepseek4 glm-dsa hy_v4 minimax-m3 qwen4exp"},
    {".attention.indexer.key_length", uint32, Arrays::none, "deepseek32 deepseek4 glm-dsa hy_v4 minimax-m3 qwen4exp"},
    {".attention.indexer.local_blocks", uint32, Arrays::none, "minimax-m3"},
    {".attention.indexer.top_k", uint32, Arrays::none, "deepseek32 deepseek4 glm-dsa hy_v4 minimax-m3 qwen4exp"},
    {".attention.indexer.types", uint32, Arrays::or_array, "glm-dsa"},
    {".attention.key_length", uint32},
    {".attention.key_length_mla", uint32, Arrays::none,
     "bailingmoe3 deepseek2 deepseek32 dots3note glm-dsa hy_v4 kimi-k3 kimi-linear mistral4"},
    {".attention.key_length_mla_swa", uint32, Arrays::none, "dots3note"},
    {".attention.key_length_swa", uint32},
    {".attention.kv_lora_rank", uint32, Arrays::none,
     "bailingmoe3 deepseek2 deepseek32 dots3note glm-dsa hy_v4 kimi-k3 kimi-linear minicpm3 "
     "mistral4 plm"},
    {".attention.kv_lora_rank_swa", uint32, Arrays::none, "dots3note"},
    {".attention.layer_norm_epsilon", float32, Arrays::none,
     "arwkv7 bert bloom codeshell cohere2 cohere2moe command-r dbrx falcon gpt2 gptneox jais jais2 "
     "jina-bert-v2 jina-bert-v3 modern-bert mpt nemotron nemotron_h nemotron_h_moe nomic-bert "
     "nomic-bert-moe olmo orion phi2 pockettts rwkv6 rwkv6qwen2 rwkv7 stablelm starcoder "
     "starcoder2 wavtokenizer-dec"},
    {".attention.layer_norm_rms_epsilon", float32, Arrays::none,
     "afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bailingmoe3 bitnet "
     "chameleon chatglm cogvlm cohere2moe deci deepseek deepseek2 deepseek2-ocr deepseek32 "
     "deepseek4 dflash dots1 dots3note dream eagle3 ernie4_5 ernie4_5-moe eurobert exaone "
     "exaone-moe exaone4 falcon-h1 gemma gemma-embedding gemma2 gemma3 gemma3n glm-dsa glm4 glm4moe "
     "gpt-oss granite granite_swa granitehybrid granitemoe graniteswitch grok grovemoe hrm_text "
     "hunyuan-dense hunyuan-moe hunyuan_vl hy_v3 hy_v4 internlm2 jamba kimi-k3 kimi-linear laguna "
     "lfm2 lfm2moe llada llada-moe llama llama-embed llama4 maincoder mamba mamba2 maple mellum "
     "mimo2 minicpm minicpm3 minimax-01 minimax-m2 minimax-m3 mistral3 mistral4 muse-glimmer "
     "nanbeige nemotron_h nemotron_h_moe neo-bert olmo2 olmoe openelm paddleocr pangu-embedded "
     "phi3 phimoe plamo plamo2 plamo3 plm qwen qwen2 qwen2moe qwen3 qwen35 qwen35moe qwen3moe "
     "qwen3next qwen3tts qwen3vl qwen3vlmoe qwen4exp refact rnd1 rwkv6 rwkv6qwen2 rwkv7 seed_oss "
     "smallthinker smollm3 spark2_5 step35 t5 t5encoder talkie xverse"},
    {".attention.max_alibi_bias", float32, Arrays::none, "jais mpt"},
    {".attention.output_group_count", uint32, Arrays::none, "deepseek4"},
    {".attention.output_lora_rank", uint32, Arrays::none, "deepseek4"},
    {".attention.output_scale", float32, Arrays::none, "grok"},
    {".attention.q_lora_rank", uint32, Arrays::none,
     "bailingmoe3 deepseek2 deepseek32 deepseek4 dots3note glm-dsa hy_v4 kimi-k3 minicpm3 mistral4"},
    {".attention.recurrent_layers", uint32, Arrays::or_array, "minimax-01 qwen35 qwen35moe qwen3next qwen4exp"},
    {".attention.relative_buckets_count", uint32, Arrays::none, "t5 t5encoder"},
    {".attention.scale", float32, Arrays::none, "dflash granite granite_swa granitehybrid granitemoe graniteswitch"},
    {".attention.sliding_window", uint32, Arrays::none,
     "afmoe cohere2 cohere2moe deepseek4 dots3note exaone-moe exaone4 gemma-embedding gemma2 "
     "gemma3 gemma3n gpt-oss laguna lfm2 llama4 maple mellum mimo2 modern-bert muse-glimmer olmo2 "
     "phi3 plamo3 smallthinker spark2_5 step35"},
    {".attention.sliding_window_pattern", uint32, Arrays::or_array,
     "afmoe cohere2 cohere2moe exaone-moe gemma-embedding gemma2 gemma3 gemma3n gpt-oss laguna "
     "llama4 mellum modern-bert muse-glimmer olmo2 plamo3 smallthinker"},
    {".attention.temperature_length", uint32, Arrays::none, "deepseek2 grok mistral4"},
    {".attention.temperature_scale", float32, Arrays::none, "deepseek2 mistral3 mistral4"},
    {".attention.value_length", uint32},
    {".attention.value_length_mla", uint32, Arrays::none,
     "bailingmoe3 deepseek2 deepseek32 dots3note glm-dsa hy_v4 kimi-k3 kimi-linear mistral4"},
    {".attention.value_length_mla_swa", uint32, Arrays::none, "dots3note"},
    {".attention.value_length_swa", uint32},
    {".attention.value_residual_mix_lora_rank", uint32, Arrays::none, "arwkv7 rwkv7"},
    {".attn_logit_softcapping", float32, Arrays::none, "gemma2 grok"},
    {".attn_res.block_size", uint32, Arrays::none, "kimi-k3"},
    {".block_count", uint32},
    {".block_size", uint32, Arrays::none, "dflash"},
    {".context_length", uint32},
    {".conv_group_size", uint32, Arrays::none, "dflash"},
    {".conv_kernel_size", uint32, Arrays::none, "dflash"},
    {".convnext.block_count", uint32, Arrays::none, "wavtokenizer-dec"},
    {".convnext.embedding_length", uint32, Arrays::none, "wavtokenizer-dec"},
    {".decoder_block_count", uint32, Arrays::none, "t5"},
    {".decoder_start_token_id", uint32, Arrays::none, "t5"},
    {".dense_2_feat_in", uint32, Arrays::none, "gemma-embedding"},
    {".dense_2_feat_out", uint32, Arrays::none, "gemma-embedding"},
    {".dense_3_feat_in", uint32, Arrays::none, "gemma-embedding"},
    {".dense_3_feat_out", uint32, Arrays::none, "gemma-embedding"},
    {".embedding_length", uint32},
    {".embedding_length_out", uint32},
    {".embedding_scale", float32, Arrays::none,
     "dflash granite granite_swa granitehybrid granitemoe graniteswitch grok hrm_text minicpm"},
    {".expert_chunk_feed_forward_length", uint32, Arrays::none, "grovemoe"},
    {".expert_count", uint32},
    {".expert_feed_forward_length", uint32, Arrays::or_array,
     "afmoe bailingmoe bailingmoe2 bailingmoe3 cohere2moe deepseek deepseek2 deepseek2-ocr "
     "deepseek32 deepseek4 dots1 dots3note ernie4_5-moe exaone-moe glm-dsa glm4moe gpt-oss grok "
     "grovemoe hunyuan-moe hy_v3 hy_v4 kimi-k3 kimi-linear laguna lfm2moe llada-moe llama4 maple "
     "mellum mimo2 minimax-m2 minimax-m3 mistral4 nemotron_h nemotron_h_moe qwen2moe qwen35moe "
     "qwen3moe qwen3next qwen3vlmoe qwen4exp rnd1 smallthinker step35"},
    {".expert_gating_func", uint32, Arrays::none,
     "afmoe bailingmoe2 bailingmoe3 cohere2moe deepseek2 deepseek2-ocr deepseek32 deepseek4 dots1 "
     "dots3note exaone-moe glm-dsa glm4moe hy_v3 hy_v4 kimi-k3 kimi-linear laguna lfm2moe "
     "minimax-m2 minimax-m3 mistral4 smallthinker step35"},
    {".expert_group_count", uint32},
    {".expert_group_scale", float32, Arrays::none, "grovemoe"},
    {".expert_group_used_count", uint32},
    {".expert_latent_length", uint32, Arrays::none, "kimi-k3"},
    {".expert_shared_count", uint32, Arrays::none,
     "afmoe bailingmoe bailingmoe2 bailingmoe3 cohere2moe deepseek deepseek2 deepseek2-ocr "
     "deepseek32 deepseek4 dots1 dots3note exaone-moe glm-dsa glm4moe hy_v4 kimi-k3 kimi-linear "
     "laguna minimax-m3 mistral4 nemotron_h nemotron_h_moe"},
    {".expert_shared_feed_forward_length", uint32, Arrays::none,
     "bailingmoe2 bailingmoe3 cohere2moe ernie4_5-moe exaone-moe granite granitehybrid granitemoe "
     "graniteswitch hunyuan-moe hy_v3 laguna nemotron_h nemotron_h_moe qwen2moe qwen35moe "
     "qwen3next qwen4exp step35"},
    {".expert_used_count", uint32, Arrays::or_array},
    {".expert_weights_norm", boolean, Arrays::none,
     "afmoe bailingmoe bailingmoe2 bailingmoe3 cohere2moe deepseek2 deepseek2-ocr deepseek32 "
     "deepseek4 dots1 dots3note exaone-moe glm-dsa glm4moe hy_v3 hy_v4 kimi-k3 laguna minimax-m3 "
     "mistral4 nemotron_h nemotron_h_moe step35"},
    {".expert_weights_scale", float32, Arrays::none,
     "afmoe bailingmoe bailingmoe2 bailingmoe3 cohere2moe deepseek deepseek2 deepseek2-ocr "
     "deepseek32 deepseek4 dots1 dots3note exaone-moe glm-dsa glm4moe hy_v3 hy_v4 kimi-k3 "
     "kimi-linear laguna minimax-m3 mistral4 nemotron_h nemotron_h_moe step35"},
    {".experts_per_group", uint32, Arrays::none, "grovemoe"},
    {".features_length", uint32, Arrays::none, "wavtokenizer-dec"},
    {".feed_forward_length", uint32, Arrays::or_array},
    {".final_logit_softcapping", float32, Arrays::none, "dflash gemma2 gemma3 grok muse-glimmer"},
    {".full_attention_interval", uint32, Arrays::or_array, "minimax-01 qwen35 qwen35moe qwen3next qwen4exp"},
    {".hash_layer_count", uint32, Arrays::none, "deepseek4"},
    {".hidden_activation", string, Arrays::none, "dflash modern-bert"},
    {".hrm.h_cycles", uint32, Arrays::none, "hrm_text"},
    {".hrm.l_cycles", uint32, Arrays::none, "hrm_text"},
    {".hrm.layers_per_stack", uint32, Arrays::none, "hrm_text"},
    {".hrm.prefix_lm", boolean, Arrays::none, "hrm_text"},
    {".hyper_connection.count", uint32, Arrays::none, "deepseek4 hy_v4 qwen4exp"},
    {".hyper_connection.epsilon", float32, Arrays::none, "deepseek4 hy_v4"},
    {".hyper_connection.low_rank", uint32, Arrays::none, "qwen4exp"},
    {".hyper_connection.magnitude", float32, Arrays::none, "hy_v4"},
    {".hyper_connection.sinkhorn_iterations", uint32, Arrays::none, "deepseek4"},
    {".interleave_moe_layer_step", uint32, Arrays::none, "ernie4_5-moe llama4"},
    {".kda.gate_lower_bound", float32, Arrays::none, "bailingmoe3 kimi-k3"},
    {".kda.head_dim", uint32, Arrays::none, "bailingmoe3 kimi-k3 kimi-linear"},
    {".kda.safe_gate", boolean, Arrays::none, "bailingmoe3"},
    {".leading_dense_block_count", uint32, Arrays::none,
     "afmoe bailingmoe bailingmoe2 bailingmoe3 cohere2moe deepseek deepseek2 deepseek2-ocr "
     "deepseek32 dots1 dots3note ernie4_5-moe exaone-moe glm-dsa glm4moe hy_v4 kimi-k3 kimi-linear "
     "laguna lfm2moe minimax-m3 mistral4"},
    {".logit_scale", float32, Arrays::none,
     "cohere2 cohere2moe command-r dflash granite granite_swa granitehybrid granitemoe "
     "graniteswitch grok minicpm muse-glimmer talkie"},
    {".moe_every_n_layers", uint32, Arrays::none, "nomic-bert-moe"},
    {".moe_latent_size", uint32, Arrays::none, "nemotron_h nemotron_h_moe"},
    {".n_deepstack_layers", uint32, Arrays::none, "qwen3tts qwen3vl qwen3vlmoe"},
    {".nextn_predict_layers", uint32},
    {".num_loops", uint32, Arrays::none, "nanbeige"},
    {".ple.layers", uint32, Arrays::only, "qwen4exp"},
    {".pooling_type", uint32},
    {".posnet.block_count", uint32, Arrays::none, "wavtokenizer-dec"},
    {".posnet.embedding_length", uint32, Arrays::none, "wavtokenizer-dec"},
    {".rescale_every_n_layers", uint32, Arrays::none, "rwkv6 rwkv6qwen2"},
    {".residual_scale", float32, Arrays::none,
     "granite granite_swa granitehybrid granitemoe graniteswitch minicpm minimax-01"},
    {".rope.dimension_count", uint32},
    {".rope.dimension_count_swa", uint32},
    {".rope.dimension_sections", int32, Arrays::or_array,
     "deepseek32 dflash ernie4_5 ernie4_5-moe glm-dsa glm4 glm4moe hunyuan-dense hunyuan_vl "
     "paddleocr qwen2vl qwen35 qwen35moe qwen3tts qwen3vl qwen3vlmoe qwen4exp"},
    {".rope.freq_base", float32},
    {".rope.freq_base_swa", float32, Arrays::none,
     "afmoe cohere2 cohere2moe dots3note exaone-moe gemma-embedding gemma2 gemma3 gemma3n gpt-oss "
     "laguna llama4 mellum mimo2 modern-bert muse-glimmer olmo2 plamo3 smallthinker step35"},
    {".rope.scale_linear", float32, Arrays::or_array},
    {".rope.scaling.alpha", float32},
    {".rope.scaling.attn_factor", float32},
    {".rope.scaling.factor", float32},
    {".rope.scaling.finetuned", boolean},
    {".rope.scaling.original_context_length", uint32},
    {".rope.scaling.type", string},
    {".rope.scaling.yarn_attn_factor", float32, Arrays::none, "grok"},
    {".rope.scaling.yarn_beta_fast", float32, Arrays::none, "grok mistral3"},
    {".rope.scaling.yarn_beta_slow", float32, Arrays::none, "grok mistral3"},
    {".rope.scaling.yarn_ext_factor", float32, Arrays::none, "grok"},
    {".rope.scaling.yarn_log_multiplier", float32, Arrays::none, "deepseek2 deepseek32 mistral3 mistral4"},
    {".router_logit_softcapping", float32, Arrays::none, "grok"},
    {".selector_rank", uint32, Arrays::none, "dflash"},
    {".selector_top_k", uint32, Arrays::none, "dflash"},
    {".shortconv.l_cache", uint32, Arrays::none, "lfm2 lfm2moe"},
    {".skip_loop_final_norm", boolean, Arrays::none, "nanbeige"},
    {".ssm.conv_kernel", uint32, Arrays::none,
     "bailingmoe3 falcon-h1 granitehybrid jamba kimi-k3 kimi-linear mamba mamba2 nemotron_h "
     "nemotron_h_moe plamo2 qwen35 qwen35moe qwen3next qwen4exp"},
    {".ssm.dt_b_c_rms", boolean, Arrays::none, "mamba"},
    {".ssm.group_count", uint32, Arrays::none,
     "falcon-h1 granitehybrid mamba2 nemotron_h nemotron_h_moe plamo2 qwen35 qwen35moe qwen3next "
     "qwen4exp"},
    {".ssm.inner_size", uint32, Arrays::none,
     "falcon-h1 granitehybrid jamba mamba mamba2 nemotron_h nemotron_h_moe plamo2 qwen35 qwen35moe "
     "qwen3next qwen4exp"},
    {".ssm.state_size", uint32, Arrays::none,
     "falcon-h1 granitehybrid jamba mamba mamba2 nemotron_h nemotron_h_moe plamo2 qwen35 qwen35moe "
     "qwen3next qwen4exp"},
    {".ssm.time_step_rank", uint32, Arrays::none,
     "falcon-h1 granitehybrid jamba mamba mamba2 nemotron_h nemotron_h_moe plamo2 qwen35 qwen35moe "
     "qwen3next qwen4exp"},
    {".swiglu_clamp_exp", float32, Arrays::or_array, "bailingmoe3 deepseek4 hy_v4"},
    {".swiglu_clamp_shexp", float32, Arrays::or_array, "bailingmoe3 deepseek4"},
    {".swin_norm", boolean, Arrays::none, "chameleon"},
    {".time_decay_extra_dim", uint32, Arrays::none, "rwkv6 rwkv6qwen2"},
    {".time_mix_extra_dim", uint32, Arrays::none, "rwkv6 rwkv6qwen2"},
    {".token_shift_count", uint32, Arrays::none, "arwkv7 rwkv6 rwkv6qwen2 rwkv7"},
    {".use_parallel_residual", boolean, Arrays::none, "gptneox"},
    {".vocab_size", uint32, Arrays::none,
     "afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bert bitnet bloom "
     "chameleon chatglm codeshell cogvlm cohere2 cohere2moe command-r dbrx deci deepseek deepseek2 "
     "deepseek2-ocr deepseek32 dots1 dream ernie4_5 ernie4_5-moe eurobert exaone exaone-moe "
     "exaone4 falcon falcon-h1 gemma gemma-embedding gemma2 gemma3 gemma3n glm-dsa glm4 glm4moe "
     "gpt-oss gpt2 gptneox granite granitehybrid granitemoe grok grovemoe hunyuan-dense "
     "hunyuan-moe hunyuan_vl hy_v3 hy_v4 internlm2 jais jais2 jamba jina-bert-v2 jina-bert-v3 kimi-k3 "
     "kimi-linear laguna lfm2 lfm2moe llada llada-moe llama llama-embed llama4 maincoder mamba "
     "mamba2 mellum minicpm minicpm3 minimax-01 minimax-m2 minimax-m3 mistral3 mistral4 "
     "modern-bert mpt muse-glimmer nanbeige nemotron nemotron_h nemotron_h_moe neo-bert nomic-bert "
     "nomic-bert-moe olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo "
     "plamo2 plamo3 plm pockettts qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 qwen35moe qwen3moe "
     "qwen3next qwen3tts qwen3vl qwen3vlmoe qwen4exp refact rnd1 rwkv6 rwkv6qwen2 rwkv7 seed_oss "
     "smallthinker smollm3 stablelm starcoder starcoder2 t5 t5encoder talkie wavtokenizer-dec "
     "xverse"},
    {".wkv.head_size", uint32, Arrays::none, "arwkv7 rwkv6 rwkv6qwen2 rwkv7"},
    {"general.file_type", uint32},
    {"general.name", string},
    {"split.count", uint16},
    {"split.no", uint16},
    {"split.tensors.count", int32},
    {"tokenizer.ggml.add_bos_token", boolean},
    {"tokenizer.ggml.add_eos_token", boolean},
    {"tokenizer.ggml.add_sep_token", boolean},
    {"tokenizer.ggml.add_space_prefix", boolean},
    {"tokenizer.ggml.bos_token_id", uint32},
    {"tokenizer.ggml.eom_token_id", uint32},
    {"tokenizer.ggml.eos_token_id", uint32},
    {"tokenizer.ggml.eot_token_id", uint32},
    {"tokenizer.ggml.fim_mid_token_id", uint32},
    {"tokenizer.ggml.fim_pad_token_id", uint32},
    {"tokenizer.ggml.fim_pre_token_id", uint32},
    {"tokenizer.ggml.fim_rep_token_id", uint32},
    {"tokenizer.ggml.fim_sep_token_id", uint32},
    {"tokenizer.ggml.fim_suf_token_id", uint32},
    {"tokenizer.ggml.mask_token_id", uint32},
    {"tokenizer.ggml.merges", string, Arrays::only},
    {"tokenizer.ggml.middle_token_id", uint32},
    {"tokenizer.ggml.normalizer.lowercase", boolean},
    {"tokenizer.ggml.normalizer.strip_accents", boolean},
    {"tokenizer.ggml.padding_token_id", uint32},
    {"tokenizer.ggml.pre", string},
    {"tokenizer.ggml.prefix_token_id", uint32},
    {"tokenizer.ggml.remove_extra_whitespaces", boolean},
    {"tokenizer.ggml.scores", float32, Arrays::only},
    {"tokenizer.ggml.seperator_token_id", uint32},
    {"tokenizer.ggml.suffix_token_id", uint32},
    {"tokenizer.ggml.suppress_tokens", int32, Arrays::only},
    {"tokenizer.ggml.token_type", int32, Arrays::only},
    {"tokenizer.ggml.token_type_count", uint32},
    {"tokenizer.ggml.tokens", string, Arrays::only},
    {"tokenizer.ggml.unknown_token_id", uint32},
    {"xielu.alpha_n", float32, Arrays::or_array, "apertus"},
    {"xielu.alpha_p", float32, Arrays::or_array, "apertus"},
    {"xielu.beta", float32, Arrays::or_array, "apertus"},
    {"xielu.eps", float32, Arrays::or_array, "apertus"},
});
static_assert(std::ranges::is_sorted(rows, {}, &LlamaKey::key));

bool reads_as(ValueType element, ValueType wanted) {
    if (element == wanted) return true;
    if (wanted == uint32) return element == int32 || element == boolean;
    return wanted == float32 && element == int32;
}

std::string described(const ValueView& value) {
    const auto array = value.as_array();
    return array ? fmt::format("an array of {}", name(array->element_type())) : std::string(name(value.type()));
}

std::string wanted(const LlamaKey& row) {
    if (row.arrays == Arrays::only) return fmt::format("an array of {}", name(row.type));
    if (row.arrays == Arrays::none) return std::string(name(row.type));
    return fmt::format("{0} or an array of {0}", name(row.type));
}

}  // namespace

bool LlamaKey::is_read_by(std::string_view architecture) const {
    if (architectures.empty()) return true;
    for (std::string_view rest = architectures; !rest.empty();) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        if (rest.substr(0, end) == architecture) return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

bool LlamaKey::accepts(const ValueView& value) const {
    if (value.type() != array) return value.type() == type && arrays != Arrays::only;
    const auto elements = value.as_array();
    return arrays != Arrays::none && elements && reads_as(elements->element_type(), type);
}

std::span<const LlamaKey> llama_keys() noexcept { return rows; }

const LlamaKey* find_llama_key(std::string_view key, std::string_view architecture) noexcept {
    if (!architecture.empty() && key.starts_with(architecture) && key.substr(architecture.size()).starts_with('.'))
        key.remove_prefix(architecture.size());
    for (const LlamaKey& row : std::ranges::equal_range(rows, key, {}, &LlamaKey::key))
        if (row.is_read_by(architecture)) return &row;
    return nullptr;
}

void check_llama_keys(const ModelView& view, Findings& findings) {
    // Adapters, image and sound encoders and importance matrices have loaders of their own.
    const std::string_view architecture = view.get_string("general.architecture").value_or("");
    if (view.get_string("general.type").value_or("model") != "model" || architecture == "clip") return;
    for (const KeyValue& entry : view.metadata()) {
        const LlamaKey* const row = find_llama_key(entry.key, architecture);
        if (row == nullptr || row->accepts(entry.value)) continue;
        findings.about_value(R::llama_types, entry,
                             fmt::format("is {}; llama.cpp wants {}", described(entry.value), wanted(*row)));
    }
}

}  // namespace ggufkit::container
