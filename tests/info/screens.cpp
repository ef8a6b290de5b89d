#include "info/screens.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "core/text.hpp"

namespace ggufkit::test {

SmallModel small_mixture() {
    SmallModel model;
    model.set("general.architecture", "mix").set("general.name", "Small Mixture").set("general.file_type", 7u);
    model.set("mix.block_count", 2u).set("mix.expert_count", 4u).set("mix.expert_used_count", 2u);
    model.tensor("token_embd.weight", TensorType::Q8_0, {64, 100});
    model.tensor("blk.0.ffn_gate_inp.weight", TensorType::F32, {64, 4});
    model.tensor("blk.0.ffn_up_exps.weight", TensorType::Q8_0, {64, 32, 4});
    model.tensor("blk.0.ffn_up_exps.bias", TensorType::F32, {32, 4});
    model.tensor("blk.0.ffn_norm_exps.weight", TensorType::F32, {64});
    model.tensor("blk.0.ffn_up_shexp.weight", TensorType::Q8_0, {64, 32});
    model.tensor("blk.1.ffn_gate_inp.weight", TensorType::F32, {64, 4});
    for (const char* expert : {"0", "1", "2", "3"})
        model.tensor(std::string("blk.1.ffn_up.") + expert + ".weight", TensorType::Q4_0, {64, 32});
    return model;
}

SmallModel small_tokenizer() {
    const auto integers = [](std::vector<int> numbers) {
        std::vector<Value> values;
        for (const int number : numbers) values.push_back(Value::of_signed(ValueType::int32, number));
        return *Value::of_array(ValueType::int32, values);
    };
    const std::vector<std::string> tokens{"<unk>", "<s>", "</s>", "<0x0A>", "the", "of", "[INST]", "\x1b[2J", "x", "y"};
    const std::vector<Value> scores(tokens.size(), Value::of_float32(-1));
    SmallModel model;
    model.set("general.architecture", "llama")
        .set("tokenizer.ggml.model", "llama")
        .set("tokenizer.ggml.pre", "default");
    model.set("tokenizer.ggml.tokens", Value::of_strings(tokens));
    model.set("tokenizer.ggml.token_type", integers({2, 3, 3, 6, 1, 1, 4, 5, 0, 77}));
    model.set("tokenizer.ggml.scores", *Value::of_array(ValueType::float32, scores));
    model.set("tokenizer.ggml.merges", Value::of_strings(std::vector<std::string>{"t he", "o f"}));
    model.set("tokenizer.ggml.bos_token_id", 1u).set("tokenizer.ggml.eos_token_id", 7u);
    model.set("tokenizer.ggml.padding_token_id", 10u);
    return model;
}

std::string screen(const SmallModel& model, const std::vector<std::string>& flags, int columns, int code) {
    const TemporaryFolder folder;
    std::vector<std::string> arguments{model.save(folder / "model.gguf").string()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const CommandResult result = run_tool("gguf-info", arguments, columns);
    CHECK(result.exit_code == code);
    CHECK((result.err == "") == (code == 0));
    std::string text = result.text();
    const std::string path = folder.path().string() + "/";
    for (std::size_t at; (at = text.find(path)) != text.npos;) text.erase(at, path.size());
    return text;
}

bool is_calm(std::string_view text) {
    if (!is_utf8(text)) return false;
    while (!text.empty()) {
        const auto [code, length] = first_character(text);
        if ((is_control(code) && code != '\n') || is_deceptive(code)) return false;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace ggufkit::test
