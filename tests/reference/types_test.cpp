// Our choice of types against llama.cpp's, for every file type and model shape.
//
// The same comparison keeps tests/plan/golden up to date, which prove it where the reference is not installed:
//   GGUFKIT_WRITE_GOLDENS=1 build/bin/test-reference --test-case='types: *'
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/goldens.hpp"
#include "support/header_model.hpp"
#include "support/imatrix_files.hpp"
#include "support/mix_text.hpp"
#include "support/must.hpp"
#include "support/shapes.hpp"
#include "support/wishes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

ChosenTypes reference_types(const std::string& path, const std::string& file_type_id,
                            const std::vector<std::string>& options) {
    std::vector<std::string> arguments{"types", path, file_type_id};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const CommandResult result = oracle(arguments);
    if (result.exit_code != 0) {
        const auto says = [&](const char* text) { return result.err.find(text) != std::string::npos; };
        if (!says("no tensor type fallback is defined") && !says("fatal error")) FAIL(result.err);
        return std::nullopt;
    }
    std::vector<std::pair<std::string, TensorType>> types;
    std::istringstream lines(result.text());
    for (std::string name, type; lines >> name >> type;) types.emplace_back(name, find_format(type)->type());
    return types;
}

// The first difference in words; empty where both chose the same types for the same tensors in the same order.
std::string difference(const ChosenTypes& ours, const ChosenTypes& theirs) {
    if (!ours) return "refused";
    for (std::size_t i = 0; i < std::min(ours->size(), theirs->size()); ++i) {
        const auto& [our_name, our_type] = (*ours)[i];
        const auto& [their_name, their_type] = (*theirs)[i];
        if (our_name == their_name && our_type == their_type) continue;
        return fmt::format("{}: {} {}, reference {} {}", i, our_name, format_of(our_type).name, their_name,
                           format_of(their_type).name);
    }
    return ours->size() == theirs->size() ? "" : fmt::format("{} tensors, reference {}", ours->size(), theirs->size());
}

// A model on disk, planned by both.
class Comparison {
  public:
    Comparison(const HeaderModel& source, const std::string& path) : path_(path), model_(saved(source, path)) {}

    // The reference's choice, checked to be ours too; ours where it refuses.
    ChosenTypes operator()(const FileType& file_type, bool imatrix) const {
        CAPTURE(file_type.name);
        CAPTURE(imatrix);
        std::vector<std::string> options;
        if (imatrix) options.emplace_back("imatrix=ones");
        ChosenTypes theirs = reference_types(path_, std::to_string(file_type.id), options);
        const ChosenTypes ours = planned_types(model_)(file_type, imatrix);
        CHECK(difference(ours, theirs ? theirs : ours) == "");
        return ours;
    }

    ChosenTypes operator()(const Wish& wish) const {
        CAPTURE(wish.text());
        ChosenTypes theirs = reference_types(path_, wish.file_type_id(), wish.options);
        const Imatrix ones = imatrix_of_ones(model_);
        const auto plan = make_plan(model_, recipe_of(wish, ones));
        if (!plan) FAIL(plan.error().message());
        const ChosenTypes ours = types_of(*plan);
        CHECK(difference(ours, theirs ? theirs : ours) == "");
        return ours;
    }

  private:
    std::string path_;
    Model model_;
};

}  // namespace

TEST_CASE("types: every file type chooses as llama.cpp does") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    for (const Shape& shape : shapes()) {
        if (shape.reference_aborts) continue;
        CAPTURE(shape.name);
        HeaderModel source = shape.make(TensorType::F16);
        const Comparison comparison(source, folder / "model.gguf");
        const std::string text = mix_text(source.header(), std::cref(comparison));
        CHECK(text == golden(mix_path(shape.name), text));
    }
}

TEST_CASE("types: every flag of llama-quantize has its effect") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    for (const std::string_view shape : wish_shapes()) {
        CAPTURE(shape);
        HeaderModel source = make_shape(shape);
        const Comparison comparison(source, folder / "model.gguf");
        const std::string text = wishes_text(source.architecture(), std::cref(comparison));
        CHECK(text == golden(wishes_path(shape), text));
    }
}

TEST_CASE("types: models that llama.cpp can plan for some file types only") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    for (const Shape& shape : shapes()) {
        if (!shape.reference_aborts) continue;
        CAPTURE(shape.name);
        const Comparison comparison(shape.make(TensorType::F16), folder / "model.gguf");
        for (const auto* name : {"F32", "BF16", "Q8_0", "Q4_0", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "MXFP4_MOE"})
            CHECK(comparison(*find_file_type(name), false).has_value());
    }
}

TEST_CASE("types: the type of the source matters only where it is the target's") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    for (const TensorType from : {TensorType::F32, TensorType::BF16, TensorType::Q8_0, TensorType::Q4_K}) {
        for (const auto* shape : {"qwen3-0.6b", "qwen2-0.5b", "deepseek2-split", "odd-names"}) {
            CAPTURE(format_of(from).name);
            CAPTURE(shape);
            const Comparison comparison(make_shape(shape, from), folder / "model.gguf");
            for (const auto* name : {"F32", "F16", "BF16", "Q8_0", "Q4_K_M", "Q2_K", "IQ4_XS", "MXFP4_MOE"})
                comparison(*find_file_type(name), false);
        }
    }
}

TEST_CASE("types: the header is what llama.cpp writes, to the byte") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const std::string input = folder / "in.gguf";
    const std::string output = folder / "out.gguf";
    HeaderModel source = make_shape("seven-layers");
    source.header().set("general.file_type", Value::of_unsigned(ValueType::uint32, 1));
    source.header().set("split.no", Value::of_unsigned(ValueType::uint16, 0));
    source.header().set("split.count", Value::of_unsigned(ValueType::uint16, 1));
    source.header().set("split.tensors.count", Value::of_signed(ValueType::int32, 66));
    source.header().set("general.quantization_version", Value::of_unsigned(ValueType::uint32, 1));
    source.header().set("general.tags", Value::of_strings(std::vector<std::string>{"last", "but two"}));
    source.save(input);
    const auto model = Model::open(input);
    if (!model) FAIL(model.error().message());

    for (const auto* name : {"F32", "BF16", "Q8_0", "Q4_K_M", "Q3_K_M"}) {
        for (const bool pure : {false, true}) {
            CAPTURE(name);
            CAPTURE(pure);
            const FileType* const file_type = find_file_type(name);
            const auto plan = make_plan(*model, {Mix{.file_type = file_type, .pure = pure}});
            REQUIRE(plan);
            std::vector<std::string> arguments{"quantize", input, output, std::to_string(file_type->id), "2"};
            if (pure) arguments.emplace_back("pure");
            REQUIRE(oracle(arguments).exit_code == 0);

            const auto& header = plan->files[0].header;
            std::vector<char> theirs(header.size());
            std::ifstream(output, std::ios::binary).read(theirs.data(), static_cast<std::streamsize>(theirs.size()));
            CHECK(std::memcmp(theirs.data(), header.data(), header.size()) == 0);
            CHECK(std::filesystem::file_size(output) == plan->bytes_out());
        }
    }
}
