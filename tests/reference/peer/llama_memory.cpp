// llama-memory: what the reference (llama.cpp v0.5.0 shared libraries, found in $LLAMA_BINS) would allocate to run a model,
// which it says without allocating it.
//
//   llama-memory MODEL.gguf [ctx=N] [ubatch=N] [fa=0|1] [k=TYPE_ID] [v=TYPE_ID]
//
// MODEL may be nothing but metadata: tensors that the reference misses are made up in the shapes it asks for. Prints MiB
// of KV cache, of recurrent state and of the compute buffer, parted by tabs, each with the two digits behind the point
// that the reference gives; "-" for a compute buffer it cannot tell. Exit 0 on success, 1 where the reference refuses the
// model, 2 on misuse.
#include <dlfcn.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
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

// "missing tensor 'NAME'" and the like: what stands between `before` and `after` where that was said last.
bool said(const std::string& before, const std::string& after, std::string& what) {
    const size_t at = log_text.rfind(before);
    if (at == std::string::npos) return false;
    const size_t begin = at + before.size(), end = log_text.find(after, begin);
    what = log_text.substr(begin, end - begin);
    return true;
}

using Shape = std::vector<int64_t>;
using Tensors = std::vector<std::pair<std::string, Shape>>;

// "256, 512" without the ones at its end.
Shape shape_of(const std::string& text) {
    Shape shape;
    for (const char* at = text.c_str(); *at;) {
        char* end = nullptr;
        shape.push_back(std::strtoll(at, &end, 10));
        at = *end == ',' ? end + 1 : end;
        if (end == text.c_str() + text.size()) break;
    }
    while (shape.size() > 1 && shape.back() == 1) shape.pop_back();
    return shape;
}

class Reference {
  public:
    void* load(const char* path) {
        Tensors tensors;
        std::map<std::string, Shape> learned;  // by the name without its block
        const auto kind = [](const std::string& name) {
            return name.rfind("blk.", 0) == 0 ? name.substr(name.find('.', 4)) : name;
        };
        for (int tries = 0; tries < 20000; ++tries) {
            log_text.clear();
            if (void* model = try_load(path, tensors)) return model;
            std::string name, shape;
            if (said("missing tensor '", "'", name)) {
                const auto known = learned.find(kind(name));
                tensors.push_back({name, known == learned.end() ? Shape{1} : known->second});
            } else if (said("tensor '", "' has wrong shape", name) && said("wrong shape; expected ", ", got", shape) &&
                       !tensors.empty() && tensors.back().first == name) {
                learned[kind(name)] = tensors.back().second = shape_of(shape);
            } else {
                break;
            }
        }
        die(1, "the reference cannot load " + std::string(path) + "\n" + log_text);
    }

    void* context(void* model, const ContextParams& params) {
        log_text.clear();
        return llama.get<void*(void*, ContextParams)>("llama_init_from_model")(model, params);
    }

    const Library ggml{"libggml.v0.5.0.so"}, base{"libggml-base.so"}, llama{"libllama.v0.5.0.so"};

  private:
    void* try_load(const char* path, const Tensors& tensors) {
        void* gguf = base.get<void*(const char*, GgufParams)>("gguf_init_from_file")(path, {true, nullptr});
        if (!gguf) die(1, std::string("the reference cannot read ") + path);
        void* ggml_context = base.get<void*(GgmlParams)>("ggml_init")({(tensors.size() + 1) * 1024, nullptr, true});
        for (const auto& [name, shape] : tensors) {
            const int32_t type = shape.size() == 1 ? 0 : 1;  // F32, F16
            void* tensor = base.get<void*(void*, int32_t, int, const int64_t*)>("ggml_new_tensor")(
                ggml_context, type, int(shape.size()), shape.data());
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

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) die(2, "usage: llama-memory MODEL.gguf [ctx=N] [ubatch=N] [fa=0|1] [k=TYPE_ID] [v=TYPE_ID]");
    Reference reference;
    reference.llama.get<void(void (*)(int, const char*, void*), void*)>("llama_log_set")(listen, nullptr);
    reference.ggml.get<void(const char*)>("ggml_backend_load_all_from_path")(std::getenv("LLAMA_BINS"));
    reference.llama.get<void()>("llama_backend_init")();
    ContextParams params = reference.llama.get<ContextParams()>("llama_context_default_params")();
    if (params.n_ctx != 512 || params.type_k != 1 || params.type_v != 1 || params.flash_attention != -1)
        die(2, "these are not the parameters of v0.5.0");
    params.full_swa_cache = false;  // as in llama.cpp's programs
    for (int i = 2; i < argc; i++) {
        const std::string option = argv[i];
        const size_t equals = option.find('=');
        if (equals == std::string::npos) die(2, "not an option: " + option);
        const std::string name = option.substr(0, equals);
        const int value = std::atoi(option.c_str() + equals + 1);
        if (name == "ctx") params.n_ctx = uint32_t(value);
        else if (name == "ubatch") params.n_ubatch = uint32_t(value);
        else if (name == "fa") params.flash_attention = value;
        else if (name == "k") params.type_k = value;
        else if (name == "v") params.type_v = value;
        else die(2, "not an option: " + option);
    }
    void* model = reference.load(argv[1]);
    // Graphs of models with made-up tensors may miss an optional one: the caches are known by then.
    for (const int fault : {SIGSEGV, SIGABRT}) {
        std::signal(fault, [](int) {
            report(false);
            std::_Exit(0);
        });
    }
    if (!reference.context(model, params)) die(1, "no context\n" + log_text);
    report(true);
    std::_Exit(0);  // nothing was allocated that the reference could free
}
