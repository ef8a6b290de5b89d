#include "memory/architectures.hpp"

#include <algorithm>
#include <array>

namespace ggufkit::memory {

namespace {

using enum Layers;

// Those that do anything but attend to everything in every layer. Source: what llama.cpp v0.5.0 reports for models made
// of metadata; tests/reference holds these rows against it.
constexpr std::array special{
    // Sliding windows.
    Architecture{.name = "afmoe", .period = 4, .pattern_in_file = true},
    Architecture{.name = "cohere2", .period = 4, .pattern_in_file = true},
    Architecture{.name = "cohere2moe", .period = 4, .full_first = true, .pattern_in_file = true},
    Architecture{.name = "exaone-moe", .period = 4, .pattern_in_file = true},
    Architecture{.name = "exaone4", .period = 4, .pattern_in_file = true, .window = 4096, .only_layers = 64},
    Architecture{.name = "gemma2", .period = 2, .pattern_in_file = true, .window = 4096},
    Architecture{.name = "gemma3", .period = 6, .pattern_in_file = true},
    Architecture{.name = "gemma3n", .period = 5, .pattern_in_file = true, .kv_layers = 20},
    Architecture{.name = "gemma4", .pattern_in_file = true},
    Architecture{.name = "gpt-oss", .period = 2, .pattern_in_file = true},
    Architecture{.name = "granite_swa", .pattern_in_file = true},
    Architecture{.name = "laguna", .period = 4, .full_first = true, .pattern_in_file = true},
    Architecture{.name = "llama4", .period = 4, .window = 8192, .window_fixed = true},
    Architecture{.name = "mellum", .period = 4, .pattern_in_file = true},
    Architecture{.name = "mimo2", .pattern_in_file = true},
    Architecture{.name = "olmo2", .period = 4, .pattern_in_file = true},
    Architecture{.name = "plamo3", .period = 8, .pattern_in_file = true},
    Architecture{.name = "smallthinker", .period = 4, .full_first = true, .window = 4096, .window_fixed = true},
    Architecture{.name = "step35", .pattern_in_file = true},
    // State in place of a cache, or beside one.
    Architecture{.name = "arwkv7", .layers = recur},
    Architecture{.name = "falcon-h1", .layers = both},
    Architecture{.name = "granitehybrid", .layers = recur_without_kv},
    Architecture{.name = "jamba", .layers = recur_without_kv},
    Architecture{.name = "kimi-linear", .layers = recur_without_kv},
    Architecture{.name = "lfm2", .layers = recur_without_kv, .period = 1},
    Architecture{.name = "lfm2moe", .layers = recur_without_kv},
    Architecture{.name = "mamba", .layers = recur},
    Architecture{.name = "mamba2", .layers = recur},
    Architecture{.name = "nemotron_h", .layers = recur_without_any},
    Architecture{.name = "nemotron_h_moe", .layers = recur_without_any},
    Architecture{.name = "plamo2", .layers = recur_without_kv},
    Architecture{.name = "qwen35", .layers = recur_but_every},
    Architecture{.name = "qwen35moe", .layers = recur_but_every},
    Architecture{.name = "qwen3next", .layers = recur_but_every},
    Architecture{.name = "rwkv6", .layers = recur},
    Architecture{.name = "rwkv6qwen2", .layers = recur},
    Architecture{.name = "rwkv7", .layers = recur},
    // No memory of earlier tokens.
    Architecture{.name = "dream", .layers = remember_nothing},
    Architecture{.name = "llada", .layers = remember_nothing},
    Architecture{.name = "llada-moe", .layers = remember_nothing},
    Architecture{.name = "rnd1", .layers = remember_nothing},
    // No language head: encoders, most of them without memory of earlier tokens.
    Architecture{.name = "bert", .layers = remember_nothing, .head = false, .gate = false},
    Architecture{.name = "eurobert", .layers = remember_nothing, .head = false},
    Architecture{.name = "gemma-embedding", .layers = remember_nothing, .period = 6, .head = false},
    Architecture{.name = "jina-bert-v2", .layers = remember_nothing, .head = false},
    Architecture{.name = "jina-bert-v3", .layers = remember_nothing, .head = false, .gate = false},
    Architecture{.name = "llama-embed", .head = false},
    Architecture{.name = "modern-bert", .layers = remember_nothing, .period = 3, .full_first = true, .head = false},
    Architecture{.name = "neo-bert", .layers = remember_nothing, .head = false},
    Architecture{.name = "nomic-bert", .layers = remember_nothing, .head = false},
    Architecture{.name = "nomic-bert-moe", .layers = remember_nothing, .head = false, .gate = false},
    Architecture{.name = "t5encoder", .head = false, .position_bias = true},
    Architecture{.name = "wavtokenizer-dec", .layers = remember_nothing, .head = false, .gate = false},
    // Attention with a bias.
    Architecture{.name = "t5", .position_bias = true},
};

// Those whose memory the metadata tells in full.
constexpr std::array plain = std::to_array<std::string_view>({
    "apertus",    "arcee",        "arctic",     "baichuan", "bailingmoe", "bailingmoe2",   "bitnet",      "bloom",
    "chatglm",    "codeshell",    "command-r",  "dbrx",     "deci",       "deepseek",      "deepseek2",   "dots1",
    "ernie4_5",   "ernie4_5-moe", "exaone",     "falcon",   "gemma",      "glm4",          "glm4moe",     "gpt2",
    "gptneox",    "granite",      "granitemoe", "grok",     "grovemoe",   "hunyuan-dense", "hunyuan-moe", "internlm2",
    "jais",       "llama",        "minicpm",    "minicpm3", "minimax-m2", "mistral3",      "mpt",         "nemotron",
    "olmo",       "olmoe",        "openelm",    "orion",    "phi2",       "phi3",          "phimoe",      "plamo",
    "plm",        "qwen",         "qwen2",      "qwen2moe", "qwen2vl",    "qwen3",         "qwen3moe",    "qwen3vl",
    "qwen3vlmoe", "refact",       "seed_oss",   "smollm3",  "stablelm",   "starcoder",     "starcoder2",  "xverse",
});
constexpr Architecture plain_one{.name = "", .layers = attend};

}  // namespace

const Architecture* find_architecture(std::string_view name) noexcept {
    const auto* const row = std::ranges::find(special, name, &Architecture::name);
    if (row != special.end()) return row;
    return std::ranges::find(plain, name) != plain.end() ? &plain_one : nullptr;
}

}  // namespace ggufkit::memory
