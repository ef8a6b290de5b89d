// Size targets on real weights: what is measured, what is chosen, and that a recipe keeps it.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/recipe_file.hpp>
#include <ggufkit/requant/target.hpp>
#include <limits>

#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::target;
using namespace ggufkit::test;

namespace {

const std::string tiny = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string tiny_imatrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

Model open(const std::string& path) {
    auto model = Model::open(path);
    REQUIRE_MESSAGE(model, model.error().message());
    return *std::move(model);
}

Measurement measured(const Model& model, const Recipe& recipe, MeasureOptions options = {}) {
    if (options.work.threads == 0) options.work.threads = 1;
    auto measurement = measure(model, recipe, options);
    REQUIRE_MESSAGE(measurement, measurement.error().message());
    return *std::move(measurement);
}

Measurement quickly_measured(const Model& model, const Recipe& recipe) {
    return measured(model, recipe, {.work = {.threads = 1}, .sample = 4096});
}

Recipe with(const Imatrix* imatrix) { return {Mix{.imatrix = imatrix}}; }

Recipe with(std::vector<TypeOverride> overrides) { return {Mix{.overrides = std::move(overrides)}}; }

const MeasuredTensor& find(const Measurement& measurement, std::string_view name) {
    const auto found = std::ranges::find(measurement.tensors, name, &MeasuredTensor::name);
    REQUIRE(found != measurement.tensors.end());
    return *found;
}

const TypeOption* find(const MeasuredTensor& tensor, TensorType type) {
    const auto found = std::ranges::find(tensor.options, type, &TypeOption::type);
    return found == tensor.options.end() ? nullptr : &*found;
}

const PlannedTensor& find(const Plan& plan, std::string_view name) {
    const auto found = std::ranges::find(plan.tensors, name, &PlannedTensor::name);
    REQUIRE(found != plan.tensors.end());
    return *found;
}

std::string text_of(const Measurement& measurement) {
    std::string text = std::to_string(measurement.fixed_bytes) + "\n";
    char number[64];
    for (const auto& [name, sensitivity, options] : measurement.tensors) {
        std::snprintf(number, sizeof number, " %a\n", sensitivity);
        text += name + number;
        for (const auto& [type, bytes, error] : options) {
            std::snprintf(number, sizeof number, " %llu %a\n", static_cast<unsigned long long>(bytes), error);
            text += std::string(format_of(type).name) + number;
        }
    }
    return text;
}

// A model of normal numbers, without tokens or much else.
SmallModel plain_model() {
    SmallModel model;
    model.set("general.architecture", "llama").set("llama.block_count", 1u);
    model.tensor("token_embd.weight", TensorType::F16, {256, 8});
    model.tensor("blk.0.attn_norm.weight", TensorType::F32, {256});
    model.tensor("blk.0.attn_output.weight", TensorType::F16, {256, 16});
    model.tensor("blk.0.ffn_down.weight", TensorType::F16, {512, 16});
    return model;
}

}  // namespace

TEST_CASE("measure: the error of a type is that of quantizing the tensor to it") {
    const Model model = open(tiny);
    const Imatrix imatrix = Imatrix::open(tiny_imatrix).value();
    const Measurement measurement =
        measured(model, with(&imatrix), {.sample = 1 << 20, .types = {TensorType::Q4_K, TensorType::IQ2_XS}});
    const std::string_view name = "blk.3.ffn_down.weight";
    const ModelTensor& tensor = *model.find_tensor(name);
    std::vector<float> values(768 * 256), decoded(values.size());
    REQUIRE(dequantize_rows(TensorType::F16, model.data(tensor).value(), values));
    for (const TensorType type : {TensorType::Q4_K, TensorType::IQ2_XS}) {
        std::vector<std::byte> blocks(tensor_bytes(format_of(type), tensor.info->ne).value());
        const auto importance = imatrix.find(name);
        REQUIRE(quantize_rows(type, values, 768, blocks, importance));
        REQUIRE(dequantize_rows(type, blocks, decoded));
        double error = 0, size = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            error += importance[i % 768] * std::pow(decoded[i] - double(values[i]), 2);
            size += importance[i % 768] * std::pow(double(values[i]), 2);
        }
        const TypeOption* option = find(find(measurement, name), type);
        REQUIRE(option != nullptr);
        CHECK(option->error == doctest::Approx(error / size).epsilon(1e-9));
        CHECK(option->bytes == blocks.size());
    }
    const TypeOption* source = find(find(measurement, name), TensorType::F16);
    REQUIRE(source != nullptr);
    CHECK(source->error == 0);
}

TEST_CASE("measure: what can be chosen") {
    const Model model = open(tiny);
    const Imatrix imatrix = Imatrix::open(tiny_imatrix).value();
    const auto has = [](const Measurement& measurement, std::string_view tensor, TensorType type) {
        return find(find(measurement, tensor), type) != nullptr;
    };
    const Measurement without = quickly_measured(model, {});
    const Measurement informed = quickly_measured(model, with(&imatrix));
    const Recipe gaps_allowed{Mix{.imatrix_gaps_allowed = true}};
    const Measurement tolerated = quickly_measured(model, gaps_allowed);
    CHECK_FALSE(has(without, "blk.0.ffn_up.weight", TensorType::IQ2_XS));
    CHECK(has(informed, "blk.0.ffn_up.weight", TensorType::IQ2_XS));
    CHECK(has(tolerated, "blk.0.ffn_up.weight", TensorType::IQ2_XS));
    CHECK(has(without, "blk.0.ffn_up.weight", TensorType::Q2_K));
    CHECK(has(without, "token_embd.weight", TensorType::IQ2_XS));
    // For models that were trained for few values: only where they are asked for.
    CHECK_FALSE(has(informed, "blk.0.ffn_up.weight", TensorType::TQ1_0));
    const Measurement asked = measured(model, {}, {.sample = 4096, .types = {TensorType::TQ1_0}});
    CHECK(has(asked, "blk.0.ffn_up.weight", TensorType::TQ1_0));
    CHECK(has(asked, "blk.0.ffn_up.weight", TensorType::F16));
    CHECK(find(asked, "blk.0.ffn_up.weight").options.size() == 2);
    // Norms are not quantized; a tensor that was given a type is not free.
    CHECK(std::ranges::none_of(without.tensors, [](const auto& t) { return t.name.ends_with("norm.weight"); }));
    const Measurement given = quickly_measured(model, with({{"ffn_", TensorType::Q4_0}}));
    CHECK(std::ranges::none_of(given.tensors, [](const auto& t) { return t.name.find("ffn") != t.name.npos; }));
    CHECK(given.tensors.size() == 26);
}

TEST_CASE("measure: the same for any number of threads, and in big-endian files") {
    const Model model = open(tiny);
    const Imatrix imatrix = Imatrix::open(tiny_imatrix).value();
    const Recipe recipe = with(&imatrix);
    const std::string text = text_of(measured(model, recipe, {.work = {.threads = 1}, .sample = 2048}));
    CHECK(text == text_of(measured(model, recipe, {.work = {.threads = 5}, .sample = 2048})));

    const TemporaryFolder folder;
    const Model little = open(plain_model().save(folder / "little.gguf"));
    const Model big = open(plain_model().save(folder / "big.gguf", {.order = ByteOrder::big}));
    CHECK(text_of(measured(little, {})) == text_of(measured(big, {})));
}

TEST_CASE("measure: reports its progress, and stops when asked") {
    const Model model = open(tiny);
    std::vector<std::size_t> seen;
    std::stop_source source;
    MeasureOptions options{.work = {.threads = 2}, .sample = 256, .types = {TensorType::Q4_0}};
    options.work.stop = source.get_token();
    options.work.progress = [&](const Progress& now) {
        const auto [done, of] = now;
        CHECK(of == 44);
        seen.push_back(done);
    };
    REQUIRE(measure(model, {}, options));
    CHECK(seen.size() == 45);
    CHECK(std::ranges::is_sorted(seen));
    CHECK(seen.back() == 44);
    options.work.progress = [&](const Progress& now) {
        const std::uint64_t done = now.done;
        if (done == 3) source.request_stop();
    };
    const auto stopped = measure(model, {}, options);
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code == Errc::cancelled);
}

TEST_CASE("measure: what adds little to the stream counts little, which an imatrix tells") {
    const Model model = open(tiny);
    const Imatrix imatrix = Imatrix::open(tiny_imatrix).value();
    const Measurement informed = quickly_measured(model, with(&imatrix));
    const Measurement without = quickly_measured(model, {});
    const auto counts = [](const Measurement& m, std::string_view name) { return find(m, name).sensitivity; };
    // The first feed-forward part makes nearly all of the stream, the second adds a hundredth.
    CHECK(counts(informed, "blk.0.ffn_down.weight") == doctest::Approx(0.1).epsilon(0.05));
    CHECK(counts(informed, "blk.1.ffn_down.weight") == doctest::Approx(0.1 * 9.186 / 1363.4).epsilon(0.01));
    CHECK(counts(informed, "blk.1.ffn_up.weight") == doctest::Approx(0.6 * counts(informed, "blk.1.ffn_down.weight")));
    CHECK(counts(informed, "blk.3.attn_output.weight") == doctest::Approx(0.1 * 136.071 / 1606.9).epsilon(0.01));
    CHECK(counts(without, "blk.0.ffn_down.weight") == doctest::Approx(0.04));
    CHECK(counts(without, "blk.1.ffn_down.weight") == doctest::Approx(0.01));
    CHECK(counts(without, "output.weight") == doctest::Approx(0.6));
}

TEST_CASE("measure: hostile models end in an error or in numbers") {
    const TemporaryFolder folder;
    const Imatrix imatrix = Imatrix::of({{"blk.0.attn_output.weight", std::vector<float>(256, 0.0f)},
                                         {"blk.18446744073709551615.ffn_down.weight", std::vector<float>(256, 3e38f)}})
                                .value();
    SmallModel model = plain_model();
    model.tensor("blk.18446744073709551615.ffn_down.weight", TensorType::F32, {256, 4});
    std::ranges::fill(model.at("token_embd.weight").bytes, std::byte{0});
    model.set("llama.embedding_scale", Value::of_float32(std::numeric_limits<float>::quiet_NaN()));
    const Measurement measurement = measured(open(model.save(folder / "m.gguf")), with(&imatrix));
    for (const auto& [name, sensitivity, options] : measurement.tensors) {
        CAPTURE(name);
        CHECK(sensitivity >= 0);
        CHECK(std::isfinite(sensitivity));
        CHECK(std::ranges::all_of(options, [](const TypeOption& o) { return o.error >= 0 && std::isfinite(o.error); }));
    }
    CHECK(std::ranges::all_of(find(measurement, "token_embd.weight").options,
                              [](const TypeOption& option) { return option.error == 0; }));

    model.at("blk.0.ffn_down.weight").bytes[3] = std::byte{0x7f};  // a NaN, in the first row
    const auto refused = measure(open(model.save(folder / "nan.gguf")), {}, {.sample = 1 << 20});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::bad_quant);
    CHECK(refused.error().subject == "tensor 'blk.0.ffn_down.weight'");
}

TEST_CASE("fit: the file keeps every target, and nearly fills it") {
    const Model model = open(tiny);
    const Imatrix imatrix = Imatrix::open(tiny_imatrix).value();
    for (const Imatrix* measured_with : {static_cast<const Imatrix*>(nullptr), &imatrix}) {
        const Recipe recipe = with(measured_with);
        const Measurement measurement = quickly_measured(model, recipe);
        double before = std::numeric_limits<double>::infinity();
        for (std::uint64_t budget = 2'000'000; budget < 10'600'000; budget += 433'333) {
            const auto made = fit(model, recipe, measurement, budget);
            REQUIRE_MESSAGE(made, made.error().message());
            CAPTURE(budget);
            CHECK(made->plan.bytes_out() <= budget);
            CHECK(made->plan.bytes_out() == made->solution.bytes);
            CHECK(made->plan.bytes_out() > budget - budget / 100);
            CHECK(made->solution.loss < before);
            // Near the source's size only a few tensors are left to choose for, and the bound is far below any choice.
            if (budget < 8'000'000) CHECK(made->solution.loss < made->solution.bound * 1.05);
            CHECK(check_executable(made->plan));
            before = made->solution.loss;
        }
        const auto small = fit(model, recipe, measurement, 500'000);
        REQUIRE_FALSE(small);
        CHECK(small.error().code == Errc::out_of_range);
        const auto roomy = fit(model, recipe, measurement, 1'000'000'000);
        REQUIRE(roomy);
        CHECK(roomy->plan.bytes_out() < 10'600'000);
        CHECK(roomy->solution.loss == 0);
        CHECK(roomy->plan.file_type->name == "F16");
    }
}

TEST_CASE("fit: the user's types stand, and the file type is the nearest or the user's") {
    const Model model = open(tiny);
    const Recipe recipe = with({{"attn_v", TensorType::F16}, {"^output", TensorType::Q4_0}});
    const Measurement measurement = quickly_measured(model, recipe);
    const auto made = fit(model, recipe, measurement, 3'200'000);
    REQUIRE(made);
    CHECK(find(made->plan, "blk.3.attn_v.weight").to == TensorType::F16);
    CHECK(find(made->plan, "output.weight").to == TensorType::Q4_0);
    CHECK(find(made->plan, "blk.1.ffn_up.weight").reason.starts_with("target: error "));
    CHECK(made->plan.bytes_out() <= 3'200'000);
    CHECK(made->plan.bytes_out() > 3'180'000);
    Recipe named = recipe;
    named.mix()->file_type = find_file_type("Q2_K");
    CHECK(fit(model, named, measurement, 3'200'000)->plan.file_type->name == "Q2_K");
    CHECK(fit(model, {}, quickly_measured(model, {}), 3'178'720)->plan.file_type->name == "Q4_K_M");
}

TEST_CASE("fit: a mix is never called Q2_K_S, in which each Q2_K would need an imatrix") {
    const Model model = open(tiny);
    const Imatrix imatrix = Imatrix::open(tiny_imatrix).value();
    const Recipe recipe = with(&imatrix);
    Recipe fixed = recipe;
    fixed.mix()->file_type = find_file_type("Q2_K_S");
    const std::uint64_t size = make_plan(model, fixed)->bytes_out();
    CHECK(fit(model, recipe, quickly_measured(model, recipe), size)->plan.file_type->name == "IQ2_M");
}

TEST_CASE("fit: its recipe file makes the same file again") {
    const Model model = open(tiny);
    const Recipe recipe = with({{"attn_v", TensorType::Q6_K}});
    const Measurement measurement = quickly_measured(model, recipe);
    const auto made = fit(model, recipe, measurement, 2'900'000);
    REQUIRE(made);
    const std::string text = recipe_text(made->plan);
    CHECK(text.find("^blk\\.3\\.attn_v\\.weight$=Q6_K  # --tensor-type attn_v\n") != text.npos);
    CHECK(text.find("^blk\\.0\\.ffn_down\\.weight$=") != text.npos);
    const auto read = parse_recipe_file(text);
    REQUIRE_MESSAGE(read, read.error().message());
    Recipe kept = with(read->overrides);
    kept.mix()->file_type = read->file_type;
    const auto plan = make_plan(model, kept);
    REQUIRE(plan);
    const TemporaryFolder folder;
    REQUIRE(execute(model, made->plan, folder / "a.gguf", {.work = {.threads = 1}}));
    REQUIRE(execute(model, *plan, folder / "b.gguf", {.work = {.threads = 1}}));
    const Model a = open(folder / "a.gguf"), b = open(folder / "b.gguf");
    CHECK(std::ranges::equal(a.header().file(), b.header().file()));
    CHECK(a.header().file().size() == made->plan.bytes_out());
}

TEST_CASE("measure: a copy and a pure mix have nothing to choose") {
    const Model model = open(tiny);
    CHECK(measure(model, {Copy{}}).error().code == Errc::bad_argument);
    CHECK(measure(model, {Mix{.pure = true}}).error().code == Errc::bad_argument);
}

TEST_CASE("measure: of a pruned model, names are those of the output, importance that of the source") {
    const Model model = open(tiny);
    const Imatrix imatrix = Imatrix::open(tiny_imatrix).value();
    const Measurement whole = quickly_measured(model, with(&imatrix));
    Recipe recipe = with(&imatrix);
    recipe.pruned_layers = {2};
    const Measurement pruned = quickly_measured(model, recipe);
    CHECK(pruned.tensors.size() == 37);
    const auto errors_of = [](const Measurement& m, std::string_view name) {
        std::vector<double> errors;
        for (const TypeOption& option : find(m, name).options) errors.push_back(option.error);
        return errors;
    };
    CHECK(errors_of(pruned, "blk.2.attn_q.weight") == errors_of(whole, "blk.3.attn_q.weight"));
    CHECK(find(pruned, "blk.1.ffn_up.weight").sensitivity == find(whole, "blk.1.ffn_up.weight").sensitivity);
    // A part of a stream that lacks what the layer before would have added, and so a greater one.
    const double after = find(pruned, "blk.2.ffn_up.weight").sensitivity;
    CHECK(after > find(whole, "blk.3.ffn_up.weight").sensitivity);
    CHECK(after < 1.5 * find(whole, "blk.3.ffn_up.weight").sensitivity);
    const auto made = fit(model, recipe, pruned, 2'500'000);
    REQUIRE(made);
    CHECK(made->plan.bytes_out() <= 2'500'000);
    CHECK(made->plan.bytes_out() > 2'480'000);
    CHECK(made->plan.imatrix_gaps.size() == 2);  // embeddings and output have no entry
}

TEST_CASE("fit: what the headers of the choice take is part of the budget") {
    const Model model = open(tiny);
    Recipe recipe;
    SUBCASE("shards") { recipe.split = SplitLimits{.max_tensors = 1}; }
    SUBCASE("shards whose number depends on the choice") { recipe.split = SplitLimits{.max_bytes = 100'000}; }
    Provenance provenance{"a tool", std::vector<Digest>(model.tensors().size())};
    SUBCASE("a recipe that the file keeps") { recipe.provenance = &provenance; }
    const Measurement measurement = quickly_measured(model, recipe);
    for (const std::uint64_t budget : {1'700'000u, 2'345'678u, 3'456'789u}) {
        const auto made = fit(model, recipe, measurement, budget);
        REQUIRE_MESSAGE(made, made.error().message());
        CHECK(made->plan.bytes_out() <= budget);
        CHECK(made->plan.bytes_out() > budget - budget / 50);
        CHECK(made->solution.bytes == made->plan.bytes_out());
    }
    const auto small = fit(model, recipe, measurement, 1000);
    REQUIRE_FALSE(small);
    CHECK(small.error().code == Errc::out_of_range);
    // The size that it says is the least there is.
    std::uint64_t least = 0;
    REQUIRE(std::sscanf(small.error().detail.c_str(), "the smallest that can be made of this model has %lu bytes",
                        &least) == 1);
    CHECK(fit(model, recipe, measurement, least)->plan.bytes_out() == least);
    CHECK_FALSE(fit(model, recipe, measurement, least - 1));
}

TEST_CASE("fit: a budget of bits a weight") {
    const Model model = open(tiny);
    const Measurement measurement = quickly_measured(model, {});
    std::uint64_t weights = 0;
    for (const ModelTensor& tensor : model.tensors()) {
        const auto& ne = tensor.info->ne;
        weights += ne[0] * ne[1] * ne[2] * ne[3];
    }
    CHECK(measurement.weights == weights);
    for (const double bits : {3.0, 4.5, 6.25}) {
        const auto made = fit(model, {}, measurement, budget_of(measurement, bits));
        REQUIRE(made);
        CHECK(made->plan.bpw() <= bits);
        CHECK(made->plan.bpw() > bits * 0.99);
    }
    CHECK(fit(model, {}, measurement, budget_of(measurement, 1e300))->solution.loss == 0);
    CHECK_FALSE(fit(model, {}, measurement, budget_of(measurement, 0.5)));
}
