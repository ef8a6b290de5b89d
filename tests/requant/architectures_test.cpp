// Models that are no language models, or say nothing of what they are: written whole, to every file type.
#include <doctest/doctest.h>

#include <cmath>
#include <ggufkit/requant/execute.hpp>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using enum TensorType;

namespace {

SmallModel start(std::string_view architecture) {
    SmallModel model = bare_llama();
    model.set("general.architecture", Value::of_string(architecture));
    return model;
}

SmallModel image_generator() {
    return start("flux")
        .weights("double_blocks.0.img_attn.qkv.weight", F16, {256, 768})
        .weights("double_blocks.0.img_attn.qkv.bias", F32, {768})
        .weights("first_stage.conv_in.weight", F16, {3, 3, 4, 64})  // rows of three: no type of blocks fits
        .weights("first_stage.conv_wide.weight", F16, {32, 3, 3, 8})
        .weights("img_in.weight", BF16, {64, 256})
        .weights("final_layer.linear.weight", F32, {256, 64});
}

SmallModel image_encoder() {
    return start("clip")
        .weights("v.patch_embd.weight", F16, {14, 14, 3, 64})
        .weights("v.blk.0.attn_q.weight", F16, {256, 256})
        .weights("v.blk.0.attn_v.weight", F16, {256, 256})
        .weights("v.blk.0.ffn_down.weight", Q8_0, {1024, 256})
        .weights("mm.0.weight", BF16, {256, 512});
}

SmallModel speech() {
    return start("whisper")
        .weights("encoder.conv1.weight", F16, {3, 80, 64})
        .weights("encoder.blocks.0.attn.query.weight", F16, {384, 384})
        .weights("encoder.positional_embedding", F32, {384, 150})
        .weights("decoder.token_embedding.weight", F16, {384, 500});
}

SmallModel unknown() {
    SmallModel model = start("tomorrow's idea").weights("layers.0.mixer.weight", MXFP4, {512, 64});
    return std::move(model.weights("layers.0.ternary.weight", TQ2_0, {512, 64})
                         .weights("layers.0.odd.weight", F32, {100, 7, 2})
                         .weights("output.weight", IQ4_XS, {512, 40}));
}

SmallModel nameless() {
    SmallModel model = bare_llama();
    model.unset("general.architecture");
    return std::move(model.weights("weight", F16, {256, 32}).weights("x", F32, {5}));
}

std::vector<float> values_of(const Model& model, std::string_view name) {
    const ModelTensor* const tensor = model.find_tensor(name);
    REQUIRE(tensor != nullptr);
    std::vector<float> values(must(tensor->info->elements()));
    REQUIRE(dequantize_rows(tensor->info->format->type(), must(model.data(*tensor)), values));
    return values;
}

// How far b is from a, as a share of a's length.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double error = 0, length = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
        length += double{a[i]} * a[i];
    }
    return std::sqrt(error / length);
}

// Every tensor of the output has the type, shape and values that it should; how many were converted.
int compare(const Model& source, const Plan& plan, const Model& made) {
    int converted = 0;
    REQUIRE(made.tensors().size() == source.tensors().size());
    for (const PlannedTensor& planned : plan.tensors) {
        CAPTURE(planned.name);
        const ModelTensor* const tensor = made.find_tensor(planned.name);
        REQUIRE(tensor != nullptr);
        CHECK(tensor->info->format->type() == planned.to);
        CHECK(tensor->info->ne == source.tensors()[planned.source].info->ne);
        const double error = distance(values_of(source, planned.name), values_of(made, planned.name));
        if (planned.from == planned.to) {
            CHECK(error == 0);
        } else {
            CHECK(error < 0.75);  // one bit a weight loses so much; a wrong tensor, row or offset more than 1
            ++converted;
        }
    }
    return converted;
}

}  // namespace

TEST_CASE("requant: models of images, of speech, unknown ones and such without a name, to every file type") {
    for (const SmallModel& source : {image_generator(), image_encoder(), speech(), unknown(), nameless()}) {
        const TemporaryFolder folder;
        const std::string in = folder / "in.gguf", out = folder / "out.gguf";
        source.save(in);
        const Model model = must(Model::open(in));
        int written = 0, converted = 0;
        for (const FileType& type : file_types()) {
            CAPTURE(type.name);
            const Plan plan = must(make_plan(model, {Mix{.file_type = &type}}));
            if (const auto possible = check_executable(plan); !possible) {
                CHECK(possible.error().message().find("imatrix") != std::string::npos);
                continue;
            }
            const auto done = execute(model, plan, out, {.overwrite = true});
            REQUIRE_MESSAGE(done, done.error().message());
            const Model made = must(Model::open(out));
            converted += compare(model, plan, made);
            ++written;
        }
        CHECK(written > 20);
        CHECK(converted > 20);
    }
}
