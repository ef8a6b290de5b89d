// Whole files against llama.cpp's, to the byte: the metadata of every flag, the order of tensors, shards, padding. Types
// are those that leave no freedom: floats and Q8_0; and copies, which keep their labels here.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/requant/execute.hpp>
#include <iterator>

#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/wishes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr const char* source = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
constexpr const char* matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

void requantize(const std::string& input, const Recipe& recipe, const std::filesystem::path& output) {
    const auto model = Model::open(input);
    REQUIRE_MESSAGE(model, model.error().message());
    const auto plan = make_plan(*model, recipe);
    REQUIRE_MESSAGE(plan, plan.error().message());
    const auto done = execute(*model, *plan, output);
    REQUIRE_MESSAGE(done, done.error().message());
}

// A copy keeps all keys; llama.cpp's gets two labels.
bool same_but_for_labels(const std::filesystem::path& ours, const std::filesystem::path& theirs) {
    const auto a = Model::open(ours, {.follow_shards = false}), b = Model::open(theirs, {.follow_shards = false});
    REQUIRE(a);
    REQUIRE(b);
    DiffOptions options;
    options.ignored_keys = {"general.quantization_version", "general.file_type"};
    if (!compare_metadata(a->header(), b->header(), options).empty()) return false;
    return std::ranges::equal(a->tensors(), b->tensors(), [&](const ModelTensor& x, const ModelTensor& y) {
        return x.info->name == y.info->name && x.info->ne == y.info->ne &&
               std::ranges::equal(a->data(x).value(), b->data(y).value());
    });
}

// What both make of `input`, in one folder: the same files with the same bytes, but for the labels of copies.
void compare(const std::string& input, const Wish& wish, const Imatrix& imatrix = {}) {
    CAPTURE(wish.text());
    const TemporaryFolder folder;
    const std::filesystem::path ours = folder / "ours", theirs = folder / "theirs";
    std::filesystem::create_directory(ours);
    std::filesystem::create_directory(theirs);
    const bool shards = std::ranges::find(wish.options, "keep-split") != wish.options.end();
    requantize(input, recipe_of(wish, imatrix), ours / "m.gguf");
    std::vector<std::string> arguments{"quantize", input, theirs / (shards ? "m" : "m.gguf"), wish.file_type_id(), "2"};
    arguments.insert(arguments.end(), wish.options.begin(), wish.options.end());
    const CommandResult result = oracle(arguments);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);

    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(theirs)) {
        const auto name = entry.path().filename();
        CAPTURE(name.string());
        if (wish.file_type == "COPY") {
            CHECK(same_but_for_labels(ours / name, entry.path()));
        } else {
            CHECK((read_text(ours / name) == read_text(entry.path())));
        }
        ++files;
    }
    CHECK(files == (shards ? 3 : 1));
    CHECK(std::distance(std::filesystem::directory_iterator(ours), {}) == static_cast<std::ptrdiff_t>(files));
}

const std::vector<std::string> keys{"kv=general.name=str:A pruned one", "kv=a.count=int:70000", "kv=a.scale=float:0.1",
                                    "kv=a.flag=bool:true", "kv=llama.rope.freq_base=float:5e5"};

}  // namespace

TEST_CASE("whole files: every flag writes the bytes that llama.cpp writes") {
    REQUIRE_REFERENCE();
    const auto with_keys = [](std::vector<std::string> options) {
        options.insert(options.end(), keys.begin(), keys.end());
        return options;
    };
    compare(source, {"Q8_0", {}});
    compare(source, {"BF16", {"pure"}});
    compare(source, {"F32", {"output=8"}});
    compare(source, {"Q8_0", {"leave-output", "embd=0"}});
    compare(source, {"Q8_0", {"output=30", "tensor-type=attn_(q|k)=1", "tensor-type=ffn=30"}});
    compare(source, {"Q8_0", with_keys({"prune=0,2"})});
    compare(source, {"COPY", {"copy"}});
    compare(source, {"COPY", with_keys({"copy", "prune=5"})});
}

TEST_CASE("whole files: what is said of an imatrix, all of it or a part") {
    REQUIRE_REFERENCE();
    const std::string all = std::string("imatrix=") + matrix;
    compare(source, {"Q8_0", {all}}, Imatrix::open(matrix).value());
    const std::vector<std::string> parts{"attn_q", "ffn_"};
    compare(source, {"Q8_0", {all, "include=attn_q", "include=ffn_", "prune=3", "kv=a.b=int:1"}},
            Imatrix::open(matrix).value().including(parts));
    compare(source, {"Q8_0", {all, "exclude=attn_q", "exclude=ffn_"}}, Imatrix::open(matrix).value().excluding(parts));
}

TEST_CASE("whole files: shards stay shards, or become one file") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const Recipe split{.types = Copy{}, .split = SplitLimits{.max_tensors = 20}};
    requantize(source, split, folder / "in.gguf");
    const std::string input = folder / "in-00001-of-00003.gguf";
    compare(input, {"Q8_0", {}});
    compare(input, {"COPY", {"copy"}});
    compare(input, {"Q8_0", {"keep-split", "output=1"}});
    compare(input, {"COPY", {"copy", "keep-split", "kv=a.b=int:1"}});
    compare(input, {"Q8_0", {"keep-split", "prune=2", "kv=a.b=str:c"}});
}
