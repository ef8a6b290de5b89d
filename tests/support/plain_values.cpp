#include "support/plain_values.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/plan.hpp>

namespace ggufkit::test {

Model open_model(const std::filesystem::path& path) {
    auto model = Model::open(path);
    REQUIRE_MESSAGE(model, (model ? "" : model.error().message()));
    return std::move(*model);
}

void requantize(const std::filesystem::path& source, const std::string& type, const std::filesystem::path& output,
                std::uint64_t shard_tensors) {
    const Model model = open_model(source);
    const FileType* const file_type = find_file_type(type);
    REQUIRE(file_type != nullptr);
    const auto plan =
        make_plan(model, {.types = Mix{.file_type = file_type}, .split = SplitLimits{.max_tensors = shard_tensors}});
    REQUIRE(plan);
    REQUIRE(execute(model, *plan, output));
}

std::vector<TensorPair> pairs_of(const Model& a, const Model& b) {
    std::vector<TensorPair> pairs;
    for (const ModelTensor& tensor : a.tensors()) {
        const TensorPair pair{&tensor, b.find_tensor(tensor.info->name)};
        if (has_values_to_compare(pair)) pairs.push_back(pair);
    }
    return pairs;
}

void check_close(double ours, double wanted) {
    CHECK((ours == wanted || ours == doctest::Approx(wanted).epsilon(1e-9)));
}

namespace {

std::vector<float> decoded(const Model& model, const ModelTensor& tensor) {
    std::vector<float> values(*tensor.info->elements());
    const auto data = *model.data(tensor);
    std::vector<std::byte> blocks(data.begin(), data.end());
    if (model.shard(tensor.shard).byte_order() == ByteOrder::big) swap_block_bytes(*tensor.info->format, blocks);
    REQUIRE(dequantize_rows(tensor.info->format->type(), blocks, values));
    return values;
}

// The whole tensor at once, in long doubles.
void check_pair(const Model& a, const Model& b, const TensorPair& pair, const ValueDifference& difference,
                const Imatrix* imatrix) {
    CAPTURE(pair.a->info->name);
    const auto w = decoded(a, *pair.a), v = decoded(b, *pair.b);
    const auto importance = imatrix == nullptr ? std::span<const float>() : imatrix->find(pair.a->info->name);
    long double w2 = 0, v2 = 0, wv = 0, e2 = 0, e = 0, iw2 = 0, ie2 = 0, max = 0;
    std::uint64_t equal = 0, max_at = 0;
    for (std::size_t n = 0; n < w.size(); ++n) {
        const long double x = w[n], y = v[n], error = y - x;
        w2 += x * x, v2 += y * y, wv += x * y, e2 += error * error, e += error;
        equal += w[n] == v[n] ? 1 : 0;
        if (std::abs(error) > max) max = std::abs(error), max_at = n;
        if (importance.empty()) continue;
        const long double i = importance[n % pair.a->info->ne[0]];
        iw2 += i * x * x, ie2 += i * error * error;
    }
    const ErrorSums& sums = difference.sums;
    CHECK_FALSE(difference.sampled);
    CHECK(sums.elements == w.size());
    CHECK(sums.not_finite == 0);
    CHECK(sums.equal == equal);
    CHECK(sums.max_error == static_cast<double>(max));
    CHECK(sums.max_at == max_at);
    check_close(sums.relative_rmse(), static_cast<double>(std::sqrt(e2 / w2)));
    check_close(sums.sqnr_db(), static_cast<double>(10 * std::log10(w2 / e2)));
    check_close(sums.cosine(), static_cast<double>(wv / std::sqrt(w2 * v2)));
    CHECK(std::abs(sums.e - static_cast<double>(e)) < 1e-9);
    CHECK(sums.weighted_relative_rmse().has_value() == !importance.empty());
    if (!importance.empty()) check_close(*sums.weighted_relative_rmse(), static_cast<double>(std::sqrt(ie2 / iw2)));
}

}  // namespace

void check_files(const std::filesystem::path& path_a, const std::filesystem::path& path_b, const Imatrix* imatrix) {
    const Model a = open_model(path_a), b = open_model(path_b);
    const auto pairs = pairs_of(a, b);
    REQUIRE(pairs.size() > 0);
    const auto values = compare_values(a, b, pairs, {.work = {.threads = 2}, .imatrix = imatrix});
    REQUIRE(values);
    REQUIRE(values->size() == pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) check_pair(a, b, pairs[i], (*values)[i], imatrix);
}

}  // namespace ggufkit::test
