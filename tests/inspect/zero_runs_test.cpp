// Runs of zeros that an unfinished download leaves, and zeros that are ordinary.
#include <doctest/doctest.h>

#include <ggufkit/inspect/check_data.hpp>

#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// Five matrices with a bias between them; rows of 4,096 bytes.
SmallModel five_matrices() {
    SmallModel model;
    model.set("general.architecture", "llama");
    for (const char* name : {"a", "b", "c", "d", "e"}) {
        model.tensor(name, TensorType::F16, {2048, 8});
        model.tensor(std::string(name) + ".bias", TensorType::F32, {100});
    }
    for (SmallModel::Tensor& tensor : model.tensors) {
        for (std::byte& byte : tensor.bytes) byte |= std::byte{1};
    }
    return model;
}

void clear(SmallModel& model, std::string_view name, std::size_t begin = 0, std::size_t end = ~std::size_t{0}) {
    auto& bytes = model.at(name).bytes;
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
              bytes.begin() + static_cast<std::ptrdiff_t>(std::min(end, bytes.size())), std::byte{0});
}

DataFindings findings(const std::filesystem::path& path) {
    const auto model = Model::open(path);
    REQUIRE(model);
    auto found = check_data(*model, model->tensors(), {.threads = 2});
    REQUIRE(found);
    CHECK(found->faults.empty());
    return std::move(*found);
}

}  // namespace

TEST_CASE("zeros that are ordinary: one tensor, some biases, the last rows of a matrix, a short stretch of a row") {
    const TemporaryFolder folder;
    const auto finds_none = [&](auto clear_some) {
        SmallModel model = five_matrices();
        clear_some(model);
        CHECK(findings(model.save(folder / "m.gguf")).zeros.empty());
    };
    finds_none([](SmallModel&) {});
    finds_none([](SmallModel& model) { clear(model, "c"); });
    finds_none([](SmallModel& model) { clear(model, "e.bias"); });
    finds_none([](SmallModel& model) {
        for (const char* name : {"a", "b", "c", "d", "e"}) clear(model, std::string(name) + ".bias");
    });
    finds_none([](SmallModel& model) { clear(model, "d", 4096 * 5); });
    finds_none([](SmallModel& model) { clear(model, "d", 4096 * 7 + 2000, 4096 * 7 + 3000); });
}

TEST_CASE("zeros from a place on to the end of the file, wherever that place is") {
    const TemporaryFolder folder;
    const auto path = five_matrices().save(folder / "m.gguf");
    const auto bytes = read_bytes(path);
    const auto model = Model::open(path);
    REQUIRE(model);
    const std::uint64_t data = model->header().data_offset();
    for (const std::uint64_t there : {std::uint64_t{0}, std::uint64_t{1000}, std::uint64_t{33'000},
                                      std::uint64_t{66'600}, bytes.size() - data - 30'000}) {
        CAPTURE(there);
        auto cut = bytes;
        std::fill(cut.begin() + static_cast<std::ptrdiff_t>(data + there), cut.end(), std::byte{0});
        write_file(folder / "cut.gguf", cut);
        const DataFindings found = findings(folder / "cut.gguf");
        REQUIRE(found.zeros.size() == 1);
        CHECK(found.zeros[0].to_the_end);
        CHECK(found.zeros[0].shard == 0);
        // Padding may end what is there.
        CHECK(found.zeros[0].begin <= data + there);
        CHECK(found.zeros[0].begin + default_alignment >= data + there);
        CHECK(found.zeros[0].tensors == found.zero_tensors);
    }
}

TEST_CASE("a gap in the middle of a file, and several") {
    const TemporaryFolder folder;
    SmallModel model = five_matrices();
    clear(model, "b", 4096 + 1000);
    clear(model, "b.bias");
    clear(model, "c", 0, 4096 * 2 + 2048);
    clear(model, "d");
    clear(model, "d.bias");
    const DataFindings found = findings(model.save(folder / "m.gguf"));
    REQUIRE(found.zeros.size() == 2);
    CHECK(found.zero_tensors == 3);
    CHECK(found.zeros[0].first_tensor == 2);
    CHECK(found.zeros[0].tensors == 1);
    CHECK_FALSE(found.zeros[0].to_the_end);
    CHECK(found.zeros[0].end - found.zeros[0].begin == 4096 * 7 - 1000 + 416 + 4096 * 2 + 2048);
    CHECK(found.zeros[1].first_tensor == 6);
    CHECK(found.zeros[1].tensors == 2);
}

TEST_CASE("each shard has zeros of its own") {
    const TemporaryFolder folder;
    SmallModel model = five_matrices();
    for (const char* name : {"d", "d.bias", "e", "e.bias"}) clear(model, name);
    // The matrices are in the first shard; in the second are biases alone.
    const DataFindings found = findings(model.save_split(folder / "m", 2));
    REQUIRE(found.zeros.size() == 1);
    CHECK(found.zeros[0].shard == 0);
    CHECK(found.zeros[0].tensors == 2);
    CHECK(found.zeros[0].to_the_end);
    CHECK(found.zero_tensors == 4);
}
