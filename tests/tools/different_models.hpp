// Models that differ, for what gguf-diff prints.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/small_model.hpp"

namespace ggufkit::test {

// Two models with every kind of difference.
inline std::pair<SmallModel, SmallModel> different_models() {
    SmallModel a = small_llama(), b = small_llama();
    a.set("general.author", "me");
    b.set("general.tags", Value::of_strings(std::vector<std::string>{"chat", "\x1b[2Jsmall"}));
    b.set("general.file_type", 7u);
    b.set("llama.context_length", Value::of_unsigned(ValueType::uint64, 8192));
    b.set("tokenizer.chat_template",
          "{% for message in messages %}{{ message['content'] }}\n{% endif %}{{ eos_token }}{{ bos_token }}");
    b.set("tokenizer.ggml.tokens", Value::of_strings(std::vector<std::string>{"<s>", "</s>", "the", "'", "\n",
                                                                              "\xc4\xa0of", "a", "b", "c", "d"}));
    b.remove("blk.0.attn_norm.weight");
    b.tensor("output.weight", TensorType::F16, {256, 10});
    b.remove("blk.0.attn_q.weight");
    b.tensor("blk.0.attn_q.weight", TensorType::Q5_K, {256, 256});
    b.at("blk.1.attn_v.weight").ne = {64, 256};
    b.at("token_embd.weight").bytes.back() ^= std::byte{1};
    return {a, b};
}

// A base and two of which B is nearer in all but one tensor.
struct Contest {
    SmallModel base = small_llama(), a = small_llama(), b = small_llama();
};
inline Contest contest() {
    Contest models;
    const auto disturb = [](SmallModel& model, std::string_view name, std::size_t every) {
        auto& bytes = model.at(name).bytes;
        for (std::size_t i = 0; i < bytes.size(); i += every) bytes[i] ^= std::byte{1};
    };
    for (const char* name : {"blk.0.attn_v.weight", "blk.1.attn_v.weight", "blk.1.ffn_down.weight"}) {
        disturb(models.a, name, 7);
        disturb(models.b, name, 31);
    }
    disturb(models.b, "blk.0.ffn_down.weight", 15);
    disturb(models.b, "token_embd.weight", 3);
    models.b.tensor("output.weight", TensorType::F16, {256, 10});
    return models;
}

}  // namespace ggufkit::test
