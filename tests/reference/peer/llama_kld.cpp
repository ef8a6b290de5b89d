// llama-kld: the judge of quality. Runs models in the reference (llama.cpp v0.5.0 shared libraries, found in $LLAMA_BINS)
// over a text and compares what they predict.
//
//   llama-kld BASE.gguf TEXT CHUNKS QUANT.gguf...
//
// The text is read in chunks of 128 tokens, of which the last 96 count. A line for each QUANT, its fields parted by tabs:
// the file, tokens that counted, mean KL divergence of its next-token distribution from BASE's, how often both agree on the
// most probable token, the perplexity of BASE, and its own. Exit 0 on success, 1 where the reference refuses a model, 2
// on misuse.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "llama_runtime.hpp"

namespace {

constexpr int chunk_tokens = 128, skipped = 32;

std::string read_file(const char* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) die(2, std::string("cannot read ") + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Predictions {
    std::vector<int32_t> next;  // the token that followed, for every position that counts
    std::vector<float> log_p;   // natural logarithms, `vocabulary` for every position
    std::size_t vocabulary = 0;
};

// Logits to logarithms of probabilities.
void log_softmax(const float* logits, std::size_t n, float* log_p) {
    const float top = *std::max_element(logits, logits + n);
    double sum = 0;
    for (std::size_t i = 0; i < n; i++) sum += std::exp(double(logits[i]) - top);
    const double shift = top + std::log(sum);
    for (std::size_t i = 0; i < n; i++) log_p[i] = float(logits[i] - shift);
}

Predictions predict(const Llama& llama, const char* path, const std::string& text, int chunks) {
    Session session(llama, path, chunk_tokens);
    const std::vector<int32_t> tokens = session.tokenize(text);
    if (tokens.size() < std::size_t(chunks) * chunk_tokens + 1) die(2, "the text is too short");

    Predictions made;
    made.vocabulary = session.vocabulary();
    made.log_p.reserve(std::size_t(chunks) * (chunk_tokens - skipped) * made.vocabulary);
    for (int at = 0; at < chunks * chunk_tokens; at += chunk_tokens) {
        session.forget();
        session.decode(&tokens[std::size_t(at)], chunk_tokens, 0, skipped);
        for (int i = skipped; i < chunk_tokens; i++) {
            made.next.push_back(tokens[std::size_t(at + i + 1)]);
            made.log_p.resize(made.log_p.size() + made.vocabulary);
            log_softmax(session.logits(i), made.vocabulary, &made.log_p[made.log_p.size() - made.vocabulary]);
        }
    }
    return made;
}

double perplexity(const Predictions& made) {
    double sum = 0;
    for (std::size_t i = 0; i < made.next.size(); i++) sum -= made.log_p[i * made.vocabulary + made.next[i]];
    return std::exp(sum / double(made.next.size()));
}

// `p`: the probabilities of `base`.
void compare(const char* path, const Predictions& base, const std::vector<double>& p, const Predictions& quant) {
    double divergence = 0;
    std::size_t agree = 0;
    for (std::size_t i = 0; i < base.next.size(); i++) {
        const std::size_t begin = i * base.vocabulary;
        const float *b = &base.log_p[begin], *q = &quant.log_p[begin];
        for (std::size_t t = 0; t < base.vocabulary; t++) divergence += p[begin + t] * (double(b[t]) - q[t]);
        agree += std::max_element(b, b + base.vocabulary) - b == std::max_element(q, q + base.vocabulary) - q;
    }
    const double n = double(base.next.size());
    std::printf("%s\t%zu\t%.8f\t%.5f\t%.5f\t%.5f\n", path, base.next.size(), divergence / n, double(agree) / n,
                perplexity(base), perplexity(quant));
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) die(2, "usage: llama-kld BASE.gguf TEXT CHUNKS QUANT.gguf...");
    const Llama llama;
    const std::string text = read_file(argv[2]);
    const int chunks = std::atoi(argv[3]);
    const Predictions base = predict(llama, argv[1], text, chunks);
    std::vector<double> p;
    for (const float log_p : base.log_p) p.push_back(std::exp(double(log_p)));
    for (int i = 4; i < argc; i++) compare(argv[i], base, p, predict(llama, argv[i], text, chunks));
    return 0;
}
