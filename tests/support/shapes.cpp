#include "support/shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace ggufkit::test {

namespace {

struct Dims {
    std::uint32_t layers;
    std::uint32_t embd;
    std::uint32_t ffn;
    std::uint32_t heads;
    std::uint32_t kv_heads;
    std::uint32_t vocab = 512;
    std::uint32_t experts = 0;
    bool tied = false;

    std::uint32_t kv_width() const { return embd / heads * kv_heads; }
};

// Metadata that nearly every architecture has, and the tensors that belong to no layer.
HeaderModel start(std::string_view architecture, const Dims& dims, TensorType weights) {
    HeaderModel model(architecture, weights);
    model.set("block_count", dims.layers)
        .set("context_length", std::uint32_t{2048})
        .set("embedding_length", dims.embd)
        .set("feed_forward_length", dims.ffn)
        .set("attention.head_count", dims.heads)
        .set("attention.head_count_kv", dims.kv_heads)
        .set("attention.layer_norm_rms_epsilon", 1e-5F)
        .set("attention.layer_norm_epsilon", 1e-5F)
        .set("rope.dimension_count", dims.embd / std::max(1U, dims.heads))
        .set("vocab_size", dims.vocab);
    if (dims.experts != 0) model.set("expert_count", dims.experts).set("expert_used_count", std::min(2U, dims.experts));
    model.matrix("token_embd.weight", {dims.embd, dims.vocab}).vector("output_norm.weight", dims.embd);
    if (!dims.tied) model.matrix("output.weight", {dims.embd, dims.vocab});
    return model;
}

void attention(HeaderModel& model, const std::string& layer, const Dims& dims) {
    model.vector(layer + "attn_norm.weight", dims.embd)
        .matrix(layer + "attn_q.weight", {dims.embd, dims.embd})
        .matrix(layer + "attn_k.weight", {dims.embd, dims.kv_width()})
        .matrix(layer + "attn_v.weight", {dims.embd, dims.kv_width()})
        .matrix(layer + "attn_output.weight", {dims.embd, dims.embd});
}

void fused_attention(HeaderModel& model, const std::string& layer, const Dims& dims) {
    model.vector(layer + "attn_norm.weight", dims.embd)
        .matrix(layer + "attn_qkv.weight", {dims.embd, dims.embd + 2 * dims.kv_width()})
        .matrix(layer + "attn_output.weight", {dims.embd, dims.embd});
}

void gated_ffn(HeaderModel& model, const std::string& layer, const Dims& dims, std::string_view suffix = "") {
    model.vector(layer + fmt::format("ffn_norm{}.weight", suffix), dims.embd)
        .matrix(layer + fmt::format("ffn_gate{}.weight", suffix), {dims.embd, dims.ffn})
        .matrix(layer + fmt::format("ffn_up{}.weight", suffix), {dims.embd, dims.ffn})
        .matrix(layer + fmt::format("ffn_down{}.weight", suffix), {dims.ffn, dims.embd});
}

void plain_ffn(HeaderModel& model, const std::string& layer, const Dims& dims) {
    model.matrix(layer + "ffn_up.weight", {dims.embd, dims.ffn})
        .matrix(layer + "ffn_down.weight", {dims.ffn, dims.embd});
}

void expert_ffn(HeaderModel& model, const std::string& layer, const Dims& dims) {
    model.vector(layer + "ffn_norm.weight", dims.embd)
        .tensor(layer + "ffn_gate_inp.weight", {dims.embd, dims.experts}, TensorType::F32)
        .matrix(layer + "ffn_gate_exps.weight", {dims.embd, dims.ffn, dims.experts})
        .matrix(layer + "ffn_up_exps.weight", {dims.embd, dims.ffn, dims.experts})
        .matrix(layer + "ffn_down_exps.weight", {dims.ffn, dims.embd, dims.experts});
}

void each_layer(const Dims& dims, const std::function<void(std::uint32_t, const std::string&)>& visit) {
    for (std::uint32_t i = 0; i < dims.layers; ++i) visit(i, fmt::format("blk.{}.", i));
}

// Llama and its likes.
HeaderModel dense(std::string_view architecture, const Dims& dims, TensorType weights) {
    HeaderModel model = start(architecture, dims, weights);
    each_layer(dims, [&](auto, const std::string& layer) {
        attention(model, layer, dims);
        gated_ffn(model, layer, dims);
    });
    return model;
}

// Mixtral and its likes.
HeaderModel sparse(std::string_view architecture, const Dims& dims, TensorType weights) {
    HeaderModel model = start(architecture, dims, weights);
    each_layer(dims, [&](auto, const std::string& layer) {
        attention(model, layer, dims);
        expert_ffn(model, layer, dims);
    });
    return model;
}

// Falcon, Phi-3, GPT-NeoX: attention in one matrix, no gate.
HeaderModel fused(std::string_view architecture, const Dims& dims, TensorType weights) {
    HeaderModel model = start(architecture, dims, weights);
    model.set("use_parallel_residual", true);
    each_layer(dims, [&](auto, const std::string& layer) {
        fused_attention(model, layer, dims);
        model.vector(layer + "attn_qkv.bias", dims.embd + 2 * dims.kv_width());
        plain_ffn(model, layer, dims);
    });
    return model;
}

// LLaMA 65B, from before the key for key-value heads: there are as many as heads.
HeaderModel without_kv_heads(TensorType weights) {
    HeaderModel model = dense("llama", {80, 1024, 2048, 64, 64}, weights);
    model.header().remove("llama.attention.head_count_kv");
    return model;
}

HeaderModel qwen3_tied(TensorType weights) {
    const Dims dims{28, 1024, 3072, 16, 8, 512, 0, true};
    HeaderModel model = dense("qwen3", dims, weights);
    each_layer(dims, [&](auto, const std::string& layer) {
        model.vector(layer + "attn_q_norm.weight", 64).vector(layer + "attn_k_norm.weight", 64);
    });
    return model;
}

// Shared experts beside the routed ones: three matrices of a role in one layer.
HeaderModel shared_experts(std::string_view architecture, const Dims& dims, TensorType weights) {
    HeaderModel model = sparse(architecture, dims, weights);
    each_layer(dims, [&](auto, const std::string& layer) { gated_ffn(model, layer, dims, "_shexp"); });
    return model;
}

// DeepSeek-V2: latent attention; the first layers are dense.
HeaderModel latent_attention(TensorType weights) {
    const Dims dims{27, 512, 256, 16, 16, 512, 64};
    HeaderModel model = start("deepseek2", dims, weights);
    model.set("attention.q_lora_rank", 256U)
        .set("attention.kv_lora_rank", 256U)
        .set("expert_feed_forward_length", dims.ffn)
        .set("expert_shared_count", 2U)
        .set("leading_dense_block_count", 1U);
    each_layer(dims, [&](std::uint32_t i, const std::string& layer) {
        model.vector(layer + "attn_norm.weight", dims.embd)
            .matrix(layer + "attn_q_a.weight", {dims.embd, 256})
            .matrix(layer + "attn_q_b.weight", {256, 3072})
            .matrix(layer + "attn_kv_a_mqa.weight", {dims.embd, 320})
            .vector(layer + "attn_kv_a_norm.weight", 256)
            .matrix(layer + "attn_kv_b.weight", {256, 4096})
            .matrix(layer + "attn_output.weight", {2048, dims.embd});
        if (i == 0) return gated_ffn(model, layer, dims);
        expert_ffn(model, layer, dims);
        gated_ffn(model, layer, dims, "_shexp");
    });
    return model;
}

// DeepSeek-V3 as newer converters write it: the latent projection split in two, of three dimensions each.
HeaderModel split_latent_attention(TensorType weights) {
    const Dims dims{16, 512, 256, 16, 1, 512, 8};
    HeaderModel model = start("deepseek2", dims, weights);
    model.set("attention.q_lora_rank", 256U)
        .set("attention.kv_lora_rank", 256U)
        .set("expert_feed_forward_length", dims.ffn)
        .set("expert_shared_count", 1U);
    each_layer(dims, [&](auto, const std::string& layer) {
        model.matrix(layer + "attn_k_b.weight", {128, 256, 16})
            .matrix(layer + "attn_v_b.weight", {256, 128, 16})
            .matrix(layer + "attn_output.weight", {2048, dims.embd});
        expert_ffn(model, layer, dims);
    });
    return model;
}

// GLM-4.5: the last block predicts further tokens, and block_count counts it.
HeaderModel next_token_layer(TensorType weights) {
    const Dims dims{25, 512, 256, 32, 2, 512, 16};
    HeaderModel model = sparse("glm4moe", dims, weights);
    model.set("expert_feed_forward_length", dims.ffn)
        .set("expert_shared_count", 1U)
        .set("leading_dense_block_count", 1U)
        .set("nextn_predict_layers", 1U)
        .matrix("blk.24.nextn.eh_proj.weight", {1024, dims.embd})
        .matrix("blk.24.nextn.embed_tokens.weight", {dims.embd, dims.vocab})
        .vector("blk.24.nextn.enorm.weight", dims.embd);
    return model;
}

// Ling 3: stacks more than its experts in three dimensions.
HeaderModel bailingmoe3(TensorType weights) {
    const Dims dims{20, 512, 256, 8, 1, 512, 16};
    HeaderModel model = sparse("bailingmoe3", dims, weights);
    model.set("attention.key_length", 576U)
        .set("attention.value_length", 512U)
        .set("attention.key_length_mla", 192U)
        .set("attention.value_length_mla", 128U)
        .set("attention.q_lora_rank", 256U)
        .set("attention.kv_lora_rank", 256U)
        .set("kda.head_dim", 64U)
        .set("kda.gate_lower_bound", -5.0F)
        .set("ssm.conv_kernel", 4U)
        .set("ssm.group_count", 4U)
        .set("leading_dense_block_count", 1U)
        .set("expert_feed_forward_length", dims.ffn)
        .set("expert_shared_count", 1U)
        .set("expert_gating_func", 2U)
        .set("expert_group_count", 1U)
        .set("expert_group_used_count", 1U)
        .set("expert_weights_scale", 1.0F)
        .set("expert_weights_norm", true);
    each_layer(dims, [&](auto, const std::string& layer) {
        model.matrix(layer + "attn_k_b.weight", {128, 256, 8}).matrix(layer + "attn_v_b.weight", {256, 128, 8});
    });
    return model;
}

HeaderModel gemma3(TensorType weights) {
    const Dims dims{26, 1152, 6912, 4, 1, 512, 0, true};
    HeaderModel model = dense("gemma3", dims, weights);
    each_layer(dims, [&](auto, const std::string& layer) {
        model.vector(layer + "post_attention_norm.weight", dims.embd).vector(layer + "post_ffw_norm.weight", dims.embd);
    });
    return model;
}

HeaderModel gemma3n(TensorType weights) {
    const Dims dims{30, 512, 1024, 8, 2, 512, 0, true};
    HeaderModel model = dense("gemma3n", dims, weights);
    model.set("attention.sliding_window", 512U)
        .matrix("per_layer_token_embd.weight", {7680, 512})
        .matrix("per_layer_model_proj.weight", {dims.embd, 7680})
        .matrix("altup_proj.weight", {dims.embd, dims.embd, 3});
    each_layer(dims, [&](auto, const std::string& layer) {
        model.matrix(layer + "altup_router.weight", {dims.embd, 4})
            .matrix(layer + "laurel_l.weight", {dims.embd, 64})
            .matrix(layer + "inp_gate.weight", {dims.embd, 256})
            .matrix(layer + "proj.weight", {256, dims.embd});
    });
    return model;
}

HeaderModel mamba(TensorType weights) {
    const Dims dims{24, 768, 0, 0, 0, 512, 0, true};
    HeaderModel model = start("mamba", dims, weights);
    model.set("ssm.conv_kernel", 4U)
        .set("ssm.inner_size", 1536U)
        .set("ssm.state_size", 16U)
        .set("ssm.time_step_rank", 48U);
    each_layer(dims, [&](auto, const std::string& layer) {
        model.matrix(layer + "ssm_in.weight", {768, 3072})
            .tensor(layer + "ssm_conv1d.weight", {4, 1536}, TensorType::F32)
            .matrix(layer + "ssm_x.weight", {1536, 80})
            .matrix(layer + "ssm_dt.weight", {48, 1536})
            .tensor(layer + "ssm_a", {16, 1536}, TensorType::F32)
            .matrix(layer + "ssm_out.weight", {1536, 768});
    });
    return model;
}

// Nemotron-H: attention in some layers only, so layer 0 has no heads.
HeaderModel hybrid(TensorType weights) {
    const Dims dims{24, 512, 1024, 16, 4};
    HeaderModel model = start("nemotron_h", dims, weights);
    std::vector<std::uint32_t> kv_heads(dims.layers, 0);
    for (std::size_t i = 3; i < kv_heads.size(); i += 4) kv_heads[i] = dims.kv_heads;
    model.set("attention.head_count_kv", kv_heads)
        .set("ssm.conv_kernel", 4U)
        .set("ssm.inner_size", 1024U)
        .set("ssm.state_size", 128U)
        .set("ssm.group_count", 8U)
        .set("ssm.time_step_rank", 16U);
    each_layer(dims, [&](std::uint32_t i, const std::string& layer) {
        if (kv_heads[i] != 0) return attention(model, layer, dims);
        if (i % 2 == 0) return plain_ffn(model, layer, dims);
        model.matrix(layer + "ssm_in.weight", {512, 2320})
            .tensor(layer + "ssm_conv1d.weight", {4, 1280}, TensorType::F32)
            .matrix(layer + "ssm_out.weight", {1024, 512});
    });
    return model;
}

HeaderModel bert(TensorType weights) {
    const Dims dims{12, 384, 1536, 12, 12, 512, 0, true};
    HeaderModel model = start("bert", dims, weights);
    model.matrix("position_embd.weight", {384, 512}).matrix("token_types.weight", {384, 2});
    each_layer(dims, [&](auto, const std::string& layer) {
        attention(model, layer, dims);
        model.vector(layer + "attn_output_norm.weight", dims.embd);
        plain_ffn(model, layer, dims);
    });
    return model;
}

HeaderModel rwkv(TensorType weights) {
    const Dims dims{12, 768, 3072, 0, 0};
    HeaderModel model = start("rwkv7", dims, weights);
    model.set("wkv.head_size", 64U)
        .set("attention.decay_lora_rank", 64U)
        .set("attention.iclr_lora_rank", 64U)
        .set("attention.value_residual_mix_lora_rank", 32U);
    each_layer(dims, [&](auto, const std::string& layer) {
        for (const auto* part : {"w1", "a1", "v1", "g1", "decay_w1"})
            model.matrix(fmt::format("{}time_mix_{}.weight", layer, part), {768, 64});
        for (const auto* part : {"first", "w0", "w2", "a0", "a2", "v0", "v2", "g2", "decay_w2"})
            model.matrix(fmt::format("{}time_mix_{}.weight", layer, part), {64, 768});
        for (const auto* part : {"key", "value", "receptance", "output"})
            model.matrix(fmt::format("{}time_mix_{}.weight", layer, part), {768, 768});
        model.matrix(layer + "time_mix_lerp_fused.weight", {768, 1, 1, 6})
            .matrix(layer + "channel_mix_key.weight", {768, 3072})
            .matrix(layer + "channel_mix_value.weight", {3072, 768});
    });
    return model;
}

HeaderModel encoder_decoder(TensorType weights) {
    const Dims dims{8, 512, 1024, 8, 8};
    HeaderModel model = start("t5", dims, weights);
    model.set("attention.relative_buckets_count", 32U).matrix("enc.blk.0.attn_rel_b.weight", {512, 32});
    for (std::uint32_t i = 0; i < dims.layers; ++i) {
        for (const auto* side : {"enc", "dec"}) {
            const std::string layer = fmt::format("{}.blk.{}.", side, i);
            attention(model, layer, dims);
            gated_ffn(model, layer, dims);
        }
        attention(model, fmt::format("dec.blk.{}.cross_", i), dims);
    }
    return model;
}

// An image encoder (mmproj file): no hyperparameters that planning knows, names of its own.
HeaderModel image_encoder(TensorType weights) {
    HeaderModel model("clip", weights);
    model.set("has_vision_encoder", true).set("vision.block_count", 12U);
    model.matrix("v.patch_embd.weight", {14, 14, 3, 512})
        .matrix("v.position_embd.weight", {512, 577})
        .matrix("mm.0.weight", {512, 1024})
        .matrix("v.patch_merger.weight", {512, 512})
        .matrix("mm.a.code_embd.weight", {512, 64});
    for (std::uint32_t i = 0; i < 12; ++i) {
        const std::string layer = fmt::format("v.blk.{}.", i);
        const Dims dims{12, 512, 1024, 8, 8};
        attention(model, layer, dims);
        plain_ffn(model, layer, dims);
    }
    return model;
}

// Every name that is kept as it is, and names that nearly are.
HeaderModel odd_names(TensorType weights) {
    const Dims dims{4, 256, 256, 8, 8};
    HeaderModel model = dense("llama", dims, weights);
    for (const auto* name : {"blk.0.attn_q_norm.weight",
                             "position_embd.weight",
                             "token_types.weight",
                             "blk.0.position_embd.weight",
                             "blk.0.token_types.weight",
                             "blk.0.ffn_gate_tid2eid.weight",
                             "blk.0.altup_x.weight",
                             "blk.0.laurel_r.weight",
                             "blk.0.per_layer_model_proj.weight",
                             "blk.0.shortconv.conv.weight",
                             "blk.0.shortconv.in_proj.weight",
                             "blk.0.indexer.k_proj.weight",
                             "blk.0.indexer.q_proj.weight",
                             "blk.0.indexer.attn_q_b.weight",
                             "blk.0.time_mix_first.weight",
                             "blk.0.time_mix_w0.weight",
                             "blk.0.time_mix_lerp_fused.weight",
                             "blk.0.attn_rel_b.weight",
                             "sam.pos_embd.weight",
                             "v.sam.neck.0.weight",
                             "v.sam.net_2.weight",
                             "v.blk.0.attn.rel_pos_h.weight",
                             "v.patch_embd.weight",
                             "v.patch_merger.weight",
                             "a.rvq.codebook.0.weight",
                             "mm.a.code_embd.weight",
                             "blk.0.ffn_norm.weights",
                             "blk.0.weight",
                             "blk.1.weightless",
                             "blk.2.attn_v.bias",
                             "blk.2.my_attn_v.weight",
                             "blk.3.attn_k.weight.attn_v.weight",
                             "blk.3.ffn_updown.weight",
                             "output.weight.weight",
                             "xblk.1.attn_v.weight",
                             "blk.x.attn_v.weight",
                             "per_layer_token_embd.weight",
                             "weight",
                             "blk.1.ssm_conv1d_q.weight",
                             "blk.10.extra.weight",
                             "blk.2.ffn_gate_inp_shexp.weight"})
        model.matrix(name, {256, 64});
    model.matrix("blk.1.flat.weight", {256, 1, 1, 1})
        .matrix("blk.1.deep.weight", {256, 1, 1, 2})
        .matrix("blk.1.exps.weight", {256, 2, 2})
        .matrix("blk.2.plane.weight", {256, 2, 1, 2});
    return model;
}

// Values that are copied do not advance the layer, but are among the number of layers.
HeaderModel copied_values(TensorType weights) {
    const Dims dims{16, 256, 256, 8, 8};
    HeaderModel model = dense("llama", dims, weights);
    each_layer(dims, [&](std::uint32_t i, const std::string& layer) {
        if (i % 2 == 0) model.matrix(layer + "laurel_attn_v.weight", {256, 64});
        if (i > 2) model.vector(layer + "scale_attn_v.weight", 256);
    });
    return model;
}

std::function<HeaderModel(TensorType)> with(HeaderModel (*make)(std::string_view, const Dims&, TensorType),
                                            std::string_view architecture, Dims dims) {
    return [=](TensorType weights) { return make(architecture, dims, weights); };
}

}  // namespace

const std::vector<Shape>& shapes() {
    static const std::vector<Shape> all{
        {"llama-2-7b", with(dense, "llama", {32, 4096, 11008, 32, 32, 32000})},
        {"llama-3-8b", with(dense, "llama", {32, 4096, 14336, 32, 8, 128256})},
        {"eight-heads-a-kv-head", with(dense, "llama", {26, 512, 1024, 32, 4})},
        {"llama-65b", without_kv_heads},
        {"llama-3-70b", with(dense, "llama", {80, 1024, 2048, 64, 8})},
        {"70b-two-heads-a-kv-head", with(dense, "llama", {80, 1024, 2048, 64, 32})},
        {"qwen2-72b", with(dense, "qwen2", {80, 1024, 2048, 64, 8})},
        {"olmo-80-layers", with(dense, "olmo", {80, 256, 256, 8, 8})},
        {"deci-80-layers", with(dense, "deci", {80, 256, 256, 8, 8})},
        {"llama-embed-80-layers", with(dense, "llama-embed", {80, 256, 256, 8, 4})},
        {"qwen3-80-layers", with(dense, "qwen3", {80, 256, 256, 8, 4})},
        {"qwen2-0.5b", with(dense, "qwen2", {24, 896, 4864, 14, 2, 512, 0, true})},
        {"qwen3-0.6b", qwen3_tied},
        {"one-layer", with(dense, "llama", {1, 256, 512, 8, 8})},
        {"seven-layers", with(dense, "llama", {7, 256, 512, 8, 2})},
        {"many-layers", with(dense, "llama", {131, 256, 512, 8, 4})},
        {"ragged-rows", with(dense, "llama", {12, 96, 100, 2, 2})},
        {"one-expert", with(shared_experts, "qwen2moe", {16, 512, 512, 8, 8, 512, 1})},
        {"four-experts", with(sparse, "llama", {18, 512, 1024, 8, 8, 512, 4})},
        {"mixtral-8x7b", with(sparse, "llama", {32, 1024, 2048, 32, 8, 512, 8})},
        {"eight-experts-70b", with(sparse, "llama", {80, 512, 512, 16, 4, 512, 8})},
        {"qwen2moe", with(shared_experts, "qwen2moe", {24, 512, 256, 16, 4, 512, 64})},
        {"qwen3moe-ragged", with(sparse, "qwen3moe", {48, 512, 96, 32, 4, 512, 128})},
        {"falcon-7b", with(fused, "falcon", {32, 4544, 18176, 71, 1})},
        {"falcon-40b", with(fused, "falcon", {60, 1024, 4096, 128, 8})},
        {"phi3", with(fused, "phi3", {32, 768, 2048, 32, 32})},
        {"gptneox", with(fused, "gptneox", {44, 768, 3072, 12, 12})},
        {"deepseek2-lite", latent_attention},
        {"deepseek2-split", split_latent_attention},
        {"glm4moe", next_token_layer},
        {"bailingmoe3", bailingmoe3},
        {"gemma3-1b", gemma3},
        {"gemma3n", gemma3n},
        {"mamba", mamba},
        {"nemotron_h", hybrid},
        {"bert", bert},
        {"rwkv7", rwkv},
        {"t5", encoder_decoder},
        {"mmproj", image_encoder, true},
        {"copied-values", copied_values},
        {"odd-names", odd_names},
    };
    return all;
}

HeaderModel make_shape(std::string_view name, TensorType weights) {
    const auto found = std::ranges::find(shapes(), name, &Shape::name);
    if (found == shapes().end()) throw std::runtime_error("no shape " + std::string(name));
    return found->make(weights);
}

}  // namespace ggufkit::test
