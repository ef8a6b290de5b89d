// llama-memory: what the reference (llama.cpp v0.5.0 shared libraries, found in $LLAMA_BINS) would allocate to run a model,
// which it says without allocating it.
//
//   llama-memory MODEL.gguf ctx=N[,ubatch=N][,fa=0|1][,k=TYPE_ID][,v=TYPE_ID]...
//
// MODEL may be nothing but metadata: tensors that the reference misses are made up as it asks for them. For each set of
// options a line: MiB of KV cache, of recurrent state and of the compute buffer, parted by tabs, with the two digits behind
// the point that the reference gives; "-" for a compute buffer that it cannot tell, after which no further line comes. Exit
// 0 on success, 1 where the reference refuses the model, 2 on misuse.
#include <dlfcn.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

[[noreturn]] void die(int code, const std::string& message) {
    std::fprintf(stderr, "llama-memory: %s\n", message.c_str());
    std::_Exit(code);
}

// Parameters of v0.5.0, handed on as they come from the defaults but for these.
struct ModelParams {
    char before[24];
    int32_t load_mode;  // 0: read, 1: map
    char between[48];
    bool no_alloc;
    char rest[256];
};
static_assert(offsetof(ModelParams, no_alloc) == 76);
struct ContextParams {
    uint32_t n_ctx, n_batch, n_ubatch, n_seq_max;
    char between[36];
    int32_t flash_attention;  // -1: where it can be
    char more[48];
    int32_t type_k, type_v;
    char callbacks[16];
    bool flags[4], full_swa_cache;
    char rest[256];
};
static_assert(offsetof(ContextParams, flash_attention) == 52 && offsetof(ContextParams, type_k) == 104 &&
              offsetof(ContextParams, full_swa_cache) == 132);
struct GgmlParams {
    size_t size;
    void* buffer;
    bool no_alloc;
};
struct GgufParams {
    bool no_alloc;
    void* context;
};

struct Library {
    void* handle;
    explicit Library(const std::string& name) {
        const char* dir = std::getenv("LLAMA_BINS");
        if (!dir) die(2, "LLAMA_BINS is not set");
        handle = dlopen((std::string(dir) + "/" + name).c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (!handle) die(2, dlerror());
    }
    template <class F>
    F* get(const char* name) const {
        auto* f = reinterpret_cast<F*>(dlsym(handle, name));
        if (!f) die(2, std::string("no symbol ") + name);
        return f;
    }
};

std::string log_text;  // all that the reference said
void listen(int, const char* text, void*) { log_text += text; }

// What stands between `before` and `after`, where that was said.
bool said(const std::string& before, const std::string& after, std::string& what) {
    const size_t at = log_text.find(before);
    if (at == std::string::npos) return false;
    const size_t begin = at + before.size(), end = log_text.find(after, begin);
    what = log_text.substr(begin, end - begin);
    return true;
}

class Reference {
  public:
    void* load(const char* path) {
        std::vector<std::string> missing;
        for (std::string name; missing.size() < 20000; missing.push_back(name)) {
            log_text.clear();
            if (void* model = try_load(path, missing)) return model;
            if (!said("missing tensor '", "'", name)) break;
        }
        die(1, "the reference cannot load " + std::string(path) + "\n" + log_text);
    }

    void* context(void* model, const ContextParams& params) {
        log_text.clear();
        return llama.get<void*(void*, ContextParams)>("llama_init_from_model")(model, params);
    }

    const Library ggml{"libggml.v0.5.0.so"}, base{"libggml-base.so"}, llama{"libllama.v0.5.0.so"};

  private:
    // Tensors get the shapes that the reference wants, whatever the file says.
    void* try_load(const char* path, const std::vector<std::string>& made_up) {
        void* gguf = base.get<void*(const char*, GgufParams)>("gguf_init_from_file")(path, {true, nullptr});
        if (!gguf) die(1, std::string("the reference cannot read ") + path);
        void* ggml_context = base.get<void*(GgmlParams)>("ggml_init")({(made_up.size() + 1) * 1024, nullptr, true});
        for (const std::string& name : made_up) {
            constexpr int32_t f32 = 0;
            void* tensor = base.get<void*(void*, int32_t, int64_t)>("ggml_new_tensor_1d")(ggml_context, f32, 1);
            base.get<void*(void*, const char*)>("ggml_set_name")(tensor, name.c_str());
            base.get<void(void*, const void*)>("gguf_add_tensor")(gguf, tensor);
        }
        ModelParams params = llama.get<ModelParams()>("llama_model_default_params")();
        params.load_mode = 0;
        params.no_alloc = true;
        auto* const fill = +[](void*, void*) {};
        return llama.get<void*(void*, void (*)(void*, void*), void*, ModelParams)>("llama_model_init_from_user")(
            gguf, fill, nullptr, params);
    }
};

// The sum of the first number after `what` in every line that has it.
double sum_of(const std::string& what) {
    double sum = 0;
    for (size_t at = 0; (at = log_text.find(what, at)) != std::string::npos; at += what.size())
        sum += std::atof(log_text.c_str() + at + what.size());
    return sum;
}

void report(bool computed) {
    std::printf("%.2f\t%.2f\t", sum_of("llama_kv_cache: size ="), sum_of("llama_memory_recurrent: size ="));
    computed ? std::printf("%.2f\n", sum_of("compute buffer size =")) : std::printf("-\n");
    std::fflush(stdout);
}

// "ctx=4096,ubatch=512".
ContextParams asked(ContextParams params, std::string options) {
    for (std::string& text = options; !text.empty();) {
        const size_t equals = text.find('='), comma = std::min(text.find(','), text.size());
        if (equals > comma) die(2, "not an option: " + text);
        const std::string name = text.substr(0, equals);
        const int value = std::atoi(text.c_str() + equals + 1);
        int32_t* const field = name == "ctx"      ? reinterpret_cast<int32_t*>(&params.n_ctx)
                               : name == "ubatch" ? reinterpret_cast<int32_t*>(&params.n_ubatch)
                               : name == "fa"     ? &params.flash_attention
                               : name == "k"      ? &params.type_k
                               : name == "v"      ? &params.type_v
                                                  : nullptr;
        if (!field) die(2, "not an option: " + text);
        *field = value;
        text.erase(0, comma + 1);
    }
    return params;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) die(2, "usage: llama-memory MODEL.gguf OPTION[,OPTION]...");
    Reference reference;
    reference.llama.get<void(void (*)(int, const char*, void*), void*)>("llama_log_set")(listen, nullptr);
    reference.ggml.get<void(const char*)>("ggml_backend_load_all_from_path")(std::getenv("LLAMA_BINS"));
    reference.llama.get<void()>("llama_backend_init")();
    ContextParams defaults = reference.llama.get<ContextParams()>("llama_context_default_params")();
    if (defaults.n_ctx != 512 || defaults.type_k != 1 || defaults.type_v != 1 || defaults.flash_attention != -1)
        die(2, "these are not the parameters of v0.5.0");
    defaults.full_swa_cache = false;  // as in llama.cpp's programs
    void* model = reference.load(argv[1]);
    // The graph of a model may miss a tensor that is optional: the caches are known by then.
    for (const int fault : {SIGSEGV, SIGABRT}) {
        std::signal(fault, [](int) {
            report(false);
            std::_Exit(0);
        });
    }
    for (int i = 2; i < argc; i++) {
        if (!reference.context(model, asked(defaults, argv[i]))) die(1, "no context\n" + log_text);
        report(true);
    }
    std::_Exit(0);  // nothing was allocated that the reference could free
}
