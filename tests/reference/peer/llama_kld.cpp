// llama-kld: the judge of quality. Runs models in the reference (llama.cpp v0.5.0 shared libraries, found in $LLAMA_BINS)
// over a text and compares what they predict.
//
//   llama-kld BASE.gguf TEXT CHUNKS QUANT.gguf...
//
// The text is read in chunks of 128 tokens, of which the last 96 count. A line for each QUANT, its fields parted by tabs:
// the file, tokens that counted, mean KL divergence of its next-token distribution from BASE's, how often both agree on the
// most probable token, the perplexity of BASE, and its own. Exit 0 on success, 1 where the reference refuses a model, 2
// on misuse.
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

constexpr int chunk_tokens = 128, skipped = 32;

[[noreturn]] void die(int code, const std::string& message) {
    std::fprintf(stderr, "llama-kld: %s\n", message.c_str());
    std::exit(code);
}

void* open_lib(const char* name) {
    const char* dir = std::getenv("LLAMA_BINS");
    if (!dir) die(2, "LLAMA_BINS is not set");
    void* lib = dlopen((std::string(dir) + "/" + name).c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (!lib) die(2, dlerror());
    return lib;
}

// Parameters of v0.5.0, handed on as they come from the defaults: larger than they are, of which the callee reads its part.
struct ModelParams {
    char opaque[512];
};
struct ContextParams {
    uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, unnamed[3];
    int32_t n_threads, n_threads_batch;
    char opaque[512];
};
struct Batch {
    int32_t n_tokens;
    int32_t* token;
    float* embd;
    int32_t* pos;
    int32_t* n_seq_id;
    int32_t** seq_id;
    int8_t* logits;
    char opaque[64];
};

struct Llama {
    void* lib = open_lib("libllama.v0.5.0.so");
    template <class F>
    F* get(const char* name) const {
        auto* f = reinterpret_cast<F*>(dlsym(lib, name));
        if (!f) die(2, std::string("no symbol ") + name);
        return f;
    }
};

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
    static auto* const model_defaults = llama.get<ModelParams()>("llama_model_default_params");
    static auto* const context_defaults = llama.get<ContextParams()>("llama_context_default_params");
    void* model = llama.get<void*(const char*, ModelParams)>("llama_model_load_from_file")(path, model_defaults());
    if (!model) die(1, std::string("the reference cannot load ") + path);
    ContextParams params = context_defaults();
    if (params.n_ctx != 512 || params.n_threads != 4) die(2, "these are not the parameters of v0.5.0");
    params.n_ctx = params.n_batch = params.n_ubatch = chunk_tokens;
    params.n_threads = params.n_threads_batch = 1;  // the same sums in the same order wherever it runs
    void* context = llama.get<void*(void*, ContextParams)>("llama_init_from_model")(model, params);
    if (!context) die(1, std::string("no context for ") + path);
    const void* vocab = llama.get<const void*(void*)>("llama_model_get_vocab")(model);
    const auto vocabulary = std::size_t(llama.get<int32_t(const void*)>("llama_vocab_n_tokens")(vocab));

    std::vector<int32_t> tokens(text.size() + 1);
    const int count =
        llama.get<int32_t(const void*, const char*, int32_t, int32_t*, int32_t, bool, bool)>("llama_tokenize")(
            vocab, text.data(), int32_t(text.size()), tokens.data(), int32_t(tokens.size()), false, false);
    if (count < chunks * chunk_tokens + 1) die(2, "the text is too short");

    Predictions made;
    made.vocabulary = vocabulary;
    made.log_p.reserve(std::size_t(chunks) * (chunk_tokens - skipped) * vocabulary);
    Batch batch = llama.get<Batch(int32_t, int32_t, int32_t)>("llama_batch_init")(chunk_tokens, 0, 1);
    auto* const decode = llama.get<int32_t(void*, Batch)>("llama_decode");
    auto* const logits_of = llama.get<float*(void*, int32_t)>("llama_get_logits_ith");
    void* memory = llama.get<void*(void*)>("llama_get_memory")(context);
    auto* const clear = llama.get<void(void*, bool)>("llama_memory_clear");
    for (int at = 0; at < chunks * chunk_tokens; at += chunk_tokens) {
        clear(memory, true);
        batch.n_tokens = chunk_tokens;
        for (int i = 0; i < chunk_tokens; i++) {
            batch.token[i] = tokens[at + i];
            batch.pos[i] = i;
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = 0;
            batch.logits[i] = i >= skipped;
        }
        if (decode(context, batch) != 0) die(1, std::string("the reference cannot run ") + path);
        for (int i = skipped; i < chunk_tokens; i++) {
            made.next.push_back(tokens[at + i + 1]);
            made.log_p.resize(made.log_p.size() + vocabulary);
            log_softmax(logits_of(context, i), vocabulary, &made.log_p[made.log_p.size() - vocabulary]);
        }
    }
    llama.get<void(Batch)>("llama_batch_free")(batch);
    llama.get<void(void*)>("llama_free")(context);
    llama.get<void(void*)>("llama_model_free")(model);
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
    llama.get<void(void (*)(int, const char*, void*), void*)>("llama_log_set")([](int, const char*, void*) {}, nullptr);
    void* ggml = open_lib("libggml.v0.5.0.so");
    auto* const load = reinterpret_cast<void (*)(const char*)>(dlsym(ggml, "ggml_backend_load_all_from_path"));
    load(std::getenv("LLAMA_BINS"));
    llama.get<void()>("llama_backend_init")();
    const std::string text = read_file(argv[2]);
    const int chunks = std::atoi(argv[3]);
    const Predictions base = predict(llama, argv[1], text, chunks);
    std::vector<double> p;
    for (const float log_p : base.log_p) p.push_back(std::exp(double(log_p)));
    for (int i = 4; i < argc; i++) compare(argv[i], base, p, predict(llama, argv[i], text, chunks));
    return 0;
}
