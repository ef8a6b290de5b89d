// llama-generate: what the reference runtime writes with a model.
//
//   llama-generate MODEL.gguf PROMPT TOKENS
//
// Prints the text that goes on after PROMPT: so many tokens, each the most probable one. Exit 0 on success, 1 where the
// reference refuses the model, 2 on misuse.
#include <algorithm>

#include "llama_runtime.hpp"

int main(int argc, char** argv) {
    if (argc != 4) die(2, "usage: llama-generate MODEL.gguf PROMPT TOKENS");
    const Llama llama;
    const int wanted = std::atoi(argv[3]);
    Session session(llama, argv[1], int(std::string(argv[2]).size()) + wanted);
    std::vector<int32_t> tokens = session.tokenize(argv[2]);
    if (tokens.empty()) die(2, "the prompt has no tokens");
    std::string text;
    for (int made = 0, done = 0; made < wanted; made++) {
        const int count = int(tokens.size()) - done;
        session.decode(&tokens[std::size_t(done)], count, done, count - 1);
        done += count;
        const float* logits = session.logits(count - 1);
        tokens.push_back(int32_t(std::max_element(logits, logits + session.vocabulary()) - logits));
        text += session.text_of(tokens.back());
    }
    std::printf("%s\n", text.c_str());
    return 0;
}
