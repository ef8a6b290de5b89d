// Digests of tensors, however the model is held.
#include <doctest/doctest.h>

#include <ggufkit/inspect/digests.hpp>
#include <set>

#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// With tensors of more than one part, of blocks that do not divide a part, and of nothing.
SmallModel model_of_many_sizes() {
    SmallModel model = small_llama();
    model.tensor("large.q6", TensorType::Q6_K, {256, 6000})
        .tensor("large.f64", TensorType::F64, {1000, 300})
        .tensor("empty", TensorType::F32, {0})
        .tensor("iq", TensorType::IQ1_M, {256, 3});
    return model;
}

std::vector<std::string> hex_of(const std::filesystem::path& file, unsigned threads) {
    const auto model = Model::open(file);
    REQUIRE(model);
    const auto found = digests(*model, model->tensors(), {.threads = threads});
    REQUIRE(found);
    REQUIRE(found->size() == model->tensors().size());
    std::set<std::string> sorted;
    for (std::size_t i = 0; i < found->size(); ++i) {
        const ModelTensor& tensor = model->tensors()[i];
        CHECK((*found)[i] == *digest(*model, tensor));
        sorted.insert(std::string(tensor.info->name) + " " + (*found)[i].hex());
    }
    return {sorted.begin(), sorted.end()};
}

}  // namespace

TEST_CASE("digests: read from the file they are those of the bytes, in any container, for any number of threads") {
    const TemporaryFolder folder;
    const SmallModel model = model_of_many_sizes();
    const auto expected = hex_of(model.save(folder / "a.gguf"), 1);
    CHECK(expected.size() == model.tensors.size());
    CHECK(hex_of(folder / "a.gguf", 3) == expected);
    CHECK(hex_of(model.save(folder / "big.gguf", {.order = ByteOrder::big}), 2) == expected);
    CHECK(hex_of(model.save(folder / "aligned.gguf", {.alignment = 4096}), 2) == expected);
    model.save_split(folder / "s", 3);
    CHECK(hex_of(folder / "s-00002-of-00003.gguf", 2) == expected);
}

TEST_CASE("digests: progress ends with everything, a stop is obeyed, a file that has shrunk is an error") {
    const TemporaryFolder folder;
    const auto path = model_of_many_sizes().save(folder / "a.gguf");
    const auto model = Model::open(path);
    REQUIRE(model);
    std::uint64_t last = 0, total = 0;
    const auto note = [&](const Progress& now) {
        CHECK(now.done > last);
        last = now.done;
        total = now.total;
    };
    REQUIRE(digests(*model, model->tensors(), {.threads = 3, .progress = note}));
    CHECK(last == total);
    CHECK(total > 3'000'000);

    std::stop_source stop;
    const auto once = [&](const Progress&) { stop.request_stop(); };
    const auto stopped = digests(*model, model->tensors(), {.threads = 1, .progress = once, .stop = stop.get_token()});
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code == Errc::cancelled);

    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    const auto shrunk = digests(*model, model->tensors());
    REQUIRE_FALSE(shrunk);
    CHECK(shrunk.error().code == Errc::io_changed);
    CHECK(shrunk.error().subject.starts_with("tensor '"));
}

TEST_CASE("digests: their digits and back") {
    const Digest digest{0x0123456789abcdef, 0x00000000000000ff};
    CHECK(digest.hex() == "0123456789abcdef00000000000000ff");
    CHECK(Digest::of_hex(digest.hex()) == digest);
    for (const char* bad : {"", "0123", "0123456789abcdef00000000000000fg", "0123456789abcdef00000000000000ff0",
                            "-123456789abcdef00000000000000ff", "0123456789abcdef0x000000000000ff"}) {
        CHECK_FALSE(Digest::of_hex(bad));
    }
}
