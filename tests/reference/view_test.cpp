// What a runtime sees: the real llama.cpp reads the header of a RequantView through its callback, and loads and runs the
// files that materialize() makes.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/shared.hpp>
#include <ggufkit/requant/view.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "reference/oracle.hpp"
#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

const std::string source = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";

Plan plan_of(const Model& model, std::string_view file_type) {
    return make_plan(model, {Mix{.file_type = find_file_type(file_type)}}).value();
}

// ggml's reader of GGUF, as libggml-base.so exports it.
class Ggml {
  public:
    struct InitParams {
        bool no_alloc;
        void** context;
    };
    using Callback = std::size_t (*)(void* user_data, void* out, std::size_t offset, std::size_t bytes);

    Ggml() : library_(::dlopen((std::string(std::getenv("LLAMA_BINS")) + "/libggml-base.so").c_str(), RTLD_NOW)) {
        REQUIRE_MESSAGE(library_ != nullptr, ::dlerror());
    }

    // `most` bytes are asked for at a time; 0: any number.
    void* init(Callback callback, void* user_data, std::size_t most, std::size_t file_bytes) const {
        return get<void*(Callback, void*, std::size_t, std::size_t, InitParams)>("gguf_init_from_callback")(
            callback, user_data, most, file_bytes, {.no_alloc = true, .context = nullptr});
    }
    template <class Function>
    Function* get(const char* name) const {
        void* const function = ::dlsym(library_, name);
        REQUIRE_MESSAGE(function != nullptr, name);
        return reinterpret_cast<Function*>(function);
    }

  private:
    void* library_;
};

// The columns that llama-kld prints about each of `files`, compared with `base`.
struct Verdict {
    std::string file;
    int tokens = 0;
    double divergence = 1, agreement = 0, base = 0, own = 1;
};

std::vector<Verdict> judge_files(const std::string& base, const std::vector<std::string>& files) {
    std::vector<std::string> arguments{base, GGUFKIT_TEST_DATA "/tiny-llama.val.txt", "4"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    const auto judged = judge(arguments);
    REQUIRE_MESSAGE(judged.exit_code == 0, judged.err);
    std::vector<Verdict> verdicts;
    std::istringstream lines(judged.text());
    for (Verdict v; lines >> v.file >> v.tokens >> v.divergence >> v.agreement >> v.base >> v.own;) {
        verdicts.push_back(v);
    }
    REQUIRE(verdicts.size() == files.size());
    return verdicts;
}

// What the runtime writes with a model.
std::string text_of(const std::string& file) {
    const auto generated = generate({file, "The history of", "60"});
    REQUIRE_MESSAGE(generated.exit_code == 0, generated.err);
    return generated.text();
}

}  // namespace

TEST_CASE("view: the real reader of GGUF finds every tensor of the plan through the callback") {
    REQUIRE_REFERENCE();
    const Ggml ggml;
    const auto model = Model::open(source);
    REQUIRE(model);
    const Plan plan = plan_of(*model, "Q4_K_M");
    auto view = RequantView::make(*model, plan);
    REQUIRE(view);
    for (const std::size_t most : {std::size_t{0}, std::size_t{1}, std::size_t{4096}}) {
        void* const gguf = ggml.init(RequantView::read_callback, &*view, most, view->size());
        REQUIRE(gguf != nullptr);
        const auto count = ggml.get<std::int64_t(void*)>("gguf_get_n_tensors")(gguf);
        REQUIRE(count == static_cast<std::int64_t>(plan.tensors.size()));
        const auto start = ggml.get<std::size_t(void*)>("gguf_get_data_offset")(gguf);
        for (std::int64_t i = 0; i < count; ++i) {
            const PlannedTensor& tensor = plan.tensors[static_cast<std::size_t>(i)];
            CHECK(ggml.get<const char*(void*, std::int64_t)>("gguf_get_tensor_name")(gguf, i) == tensor.name);
            CHECK(ggml.get<std::uint32_t(void*, std::int64_t)>("gguf_get_tensor_type")(gguf, i) ==
                  format_of(tensor.to).id);
            CHECK(ggml.get<std::size_t(void*, std::int64_t)>("gguf_get_tensor_size")(gguf, i) == tensor.bytes_out);
            CHECK(start + ggml.get<std::size_t(void*, std::int64_t)>("gguf_get_tensor_offset")(gguf, i) ==
                  tensor.offset);
        }
        ggml.get<void(void*)>("gguf_free")(gguf);
    }
    // A reader that is told of a shorter file does not find the tensors in it.
    CHECK(ggml.init(RequantView::read_callback, &*view, 0, 1000) == nullptr);
}

TEST_CASE("materialize: the real runtime loads the files in memory and predicts with them as with the one on disk") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const auto model = Model::open(source);
    REQUIRE(model);
    const Plan plan = plan_of(*model, "Q4_K_M");
    const std::string on_disk = folder / "on-disk.gguf";
    REQUIRE(execute(*model, plan, on_disk));

    const std::string name = "ggufkit-runtime-" + std::to_string(::getpid());
    const auto shared = materialize(*model, plan, name);
    REQUIRE_MESSAGE(shared, shared.error().message());
    const auto memfd = materialize_memfd(*model, plan);
    REQUIRE_MESSAGE(memfd, memfd.error().message());

    const auto verdicts = judge_files(
        on_disk, {"/dev/shm/" + name, "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(*memfd), source});
    ::close(*memfd);
    CHECK(remove_shared(name));
    for (const Verdict& verdict : {verdicts[0], verdicts[1]}) {
        CAPTURE(verdict.file);
        CHECK(verdict.tokens == 4 * 96);
        CHECK(verdict.divergence == 0);
        CHECK(verdict.agreement == 1);
        CHECK(verdict.own == verdict.base);
    }
    CHECK(verdicts[2].divergence > 0);  // of the model that it was made of: the judge can tell
}

TEST_CASE("materialize: the real runtime writes the same text with the file in memory as with the one on disk") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const auto model = Model::open(source);
    REQUIRE(model);
    const Plan plan = plan_of(*model, "Q2_K");
    const std::string on_disk = folder / "on-disk.gguf";
    REQUIRE(execute(*model, plan, on_disk));

    const std::string name = "ggufkit-writer-" + std::to_string(::getpid());
    const auto shared = materialize(*model, plan, name);
    REQUIRE_MESSAGE(shared, shared.error().message());
    const std::string text = text_of("/dev/shm/" + name);
    CHECK(remove_shared(name));
    CHECK(text.size() > 100);
    CHECK(text == text_of(on_disk));
    CHECK(text != text_of(source));  // another quantization goes on in another way
}
