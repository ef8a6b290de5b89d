// The reference runtime (llama.cpp v0.5.0 shared libraries, found in $LLAMA_BINS) for the programs beside this file: a
// loaded model, its tokens, its logits. Whatever goes wrong ends the program: with 1 where the reference refuses, 2 on misuse.
#pragma once

#include <dlfcn.h>
#include <errno.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

[[noreturn]] inline void die(int code, const std::string& message) {
    std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, message.c_str());
    std::exit(code);
}

inline void* open_lib(const char* name) {
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

class Llama {
  public:
    Llama() {
        get<void(void (*)(int, const char*, void*), void*)>("llama_log_set")([](int, const char*, void*) {}, nullptr);
        void* ggml = open_lib("libggml.v0.5.0.so");
        reinterpret_cast<void (*)(const char*)>(dlsym(ggml, "ggml_backend_load_all_from_path"))(
            std::getenv("LLAMA_BINS"));
        get<void()>("llama_backend_init")();
    }

    template <class F>
    F* get(const char* name) const {
        auto* f = reinterpret_cast<F*>(dlsym(lib_, name));
        if (!f) die(2, std::string("no symbol ") + name);
        return f;
    }

  private:
    void* lib_ = open_lib("libllama.v0.5.0.so");
};

// A model with a context of so many tokens. One thread: the same sums in the same order wherever it runs.
class Session {
  public:
    Session(const Llama& llama, const char* path, int context_tokens) : llama_(llama), path_(path) {
        const auto model_params = llama.get<ModelParams()>("llama_model_default_params")();
        model_ = llama.get<void*(const char*, ModelParams)>("llama_model_load_from_file")(path, model_params);
        if (!model_) die(1, "the reference cannot load " + path_);
        auto params = llama.get<ContextParams()>("llama_context_default_params")();
        if (params.n_ctx != 512 || params.n_threads != 4) die(2, "these are not the parameters of v0.5.0");
        params.n_ctx = params.n_batch = params.n_ubatch = uint32_t(context_tokens);
        params.n_threads = params.n_threads_batch = 1;
        context_ = llama.get<void*(void*, ContextParams)>("llama_init_from_model")(model_, params);
        if (!context_) die(1, "no context for " + path_);
        vocab_ = llama.get<const void*(void*)>("llama_model_get_vocab")(model_);
        vocabulary_ = std::size_t(llama.get<int32_t(const void*)>("llama_vocab_n_tokens")(vocab_));
        batch_ = llama.get<Batch(int32_t, int32_t, int32_t)>("llama_batch_init")(context_tokens, 0, 1);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        llama_.get<void(Batch)>("llama_batch_free")(batch_);
        llama_.get<void(void*)>("llama_free")(context_);
        llama_.get<void(void*)>("llama_model_free")(model_);
    }

    std::size_t vocabulary() const { return vocabulary_; }

    std::vector<int32_t> tokenize(const std::string& text) const {
        std::vector<int32_t> tokens(text.size() + 1);
        const int count =
            llama_.get<int32_t(const void*, const char*, int32_t, int32_t*, int32_t, bool, bool)>("llama_tokenize")(
                vocab_, text.data(), int32_t(text.size()), tokens.data(), int32_t(tokens.size()), false, false);
        if (count < 0) die(2, "the reference cannot tokenize the text");
        tokens.resize(std::size_t(count));
        return tokens;
    }

    std::string text_of(int32_t token) const {
        char piece[256];
        const int size = llama_.get<int32_t(const void*, int32_t, char*, int32_t, int32_t, bool)>(
            "llama_token_to_piece")(vocab_, token, piece, int32_t(sizeof piece), 0, true);
        if (size < 0) die(1, "a token without text in " + path_);
        return {piece, std::size_t(size)};
    }

    void forget() {
        void* memory = llama_.get<void*(void*)>("llama_get_memory")(context_);
        llama_.get<void(void*, bool)>("llama_memory_clear")(memory, true);
    }

    // Runs tokens that stand at `position` and behind it; logits() of those from `first` on are there afterwards.
    void decode(const int32_t* tokens, int count, int position, int first) {
        batch_.n_tokens = count;
        for (int i = 0; i < count; i++) {
            batch_.token[i] = tokens[i];
            batch_.pos[i] = position + i;
            batch_.n_seq_id[i] = 1;
            batch_.seq_id[i][0] = 0;
            batch_.logits[i] = i >= first;
        }
        if (llama_.get<int32_t(void*, Batch)>("llama_decode")(context_, batch_) != 0) {
            die(1, "the reference cannot run " + path_);
        }
    }

    const float* logits(int i) const { return llama_.get<float*(void*, int32_t)>("llama_get_logits_ith")(context_, i); }

  private:
    const Llama& llama_;
    std::string path_;
    void *model_ = nullptr, *context_ = nullptr;
    const void* vocab_ = nullptr;
    std::size_t vocabulary_ = 0;
    Batch batch_{};
};
