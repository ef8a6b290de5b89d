// The same importance matrix in our hands and in llama.cpp's: the types are the same, so is the metadata, and the error
// that the imatrix weighs is no larger.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/execute.hpp>
#include <string>
#include <vector>

#include "reference/oracle.hpp"
#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

std::vector<float> decoded(const Model& model, const ModelTensor& tensor) {
    std::vector<float> values(tensor.info->elements().value());
    REQUIRE(dequantize_rows(tensor.info->format->type(), model.data(tensor).value(), values));
    return values;
}

// What `copy` loses of `source`, each column as important as the imatrix says; of tensors that it knows.
double weighted_error(const Model& source, const Model& copy, const Imatrix& imatrix) {
    double sum = 0;
    for (const Imatrix::Entry& entry : imatrix.entries()) {
        const auto a = decoded(source, *source.find_tensor(entry.tensor));
        const auto b = decoded(copy, *copy.find_tensor(entry.tensor));
        REQUIRE(a.size() == b.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double lost = double{a[i]} - double{b[i]};
            sum += double{entry.weights[i % entry.weights.size()]} * lost * lost;  // two-dimensional, all of them
        }
    }
    return sum;
}

void check_same_header(const ModelView& ours, const ModelView& theirs) {
    const auto same_tensor = [](const TensorInfo& a, const TensorInfo& b) {
        return a.name == b.name && a.ne == b.ne && a.type_id == b.type_id && a.offset == b.offset;
    };
    CHECK(std::ranges::equal(ours.tensors(), theirs.tensors(), same_tensor));
    const auto same_entry = [](const KeyValue& a, const KeyValue& b) { return a.key == b.key && a.value == b.value; };
    CHECK(std::ranges::equal(ours.metadata(), theirs.metadata(), same_entry));
}

}  // namespace

TEST_CASE("imatrix: types and metadata as llama.cpp's, and a weighted error that is no larger, for every file type") {
    REQUIRE_REFERENCE();
    const std::string source = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
    const std::string imatrix_file = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";
    const TemporaryFolder folder;
    const auto model = Model::open(source);
    const auto imatrix = Imatrix::open(imatrix_file);
    REQUIRE(model);
    REQUIRE(imatrix);
    for (const FileType& file_type : file_types()) {
        CAPTURE(file_type.name);
        const Plan plan = make_plan(*model, {Mix{.file_type = &file_type, .imatrix = &*imatrix}}).value();
        if (!format_of(file_type.default_type).quantized() || file_type.name == "NVFP4" || !check_executable(plan))
            continue;
        const auto made = execute(*model, plan, folder / "ours", {.work = {.threads = 1}, .overwrite = true});
        REQUIRE_MESSAGE(made, made.error().message());
        const auto reference = oracle(
            {"quantize", source, folder / "theirs", std::to_string(file_type.id), "1", "imatrix=" + imatrix_file});
        REQUIRE_MESSAGE(reference.exit_code == 0, reference.err);
        const auto ours = Model::open(folder / "ours"), theirs = Model::open(folder / "theirs");
        REQUIRE(ours);
        REQUIRE(theirs);
        check_same_header(ours->header(), theirs->header());
        const double our_error = weighted_error(*model, *ours, *imatrix);
        const double their_error = weighted_error(*model, *theirs, *imatrix);
        fmt::print("{:10} weighted error as a ratio to the reference's {:.4f}\n", file_type.name,
                   our_error / their_error);
        CHECK(our_error <= their_error);
    }
}
