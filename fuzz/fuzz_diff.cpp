// Any two models: comparing them returns, and what it says holds together. The last four bytes of an input are the size of B,
// which lies before them, behind A; where that is more than there is, A and B are the same bytes.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/model.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diff/sequences.hpp"

#include "require.hpp"

using namespace ggufkit;
using fuzz::report, fuzz::require;

namespace {

std::optional<Model> opened(std::span<const std::uint8_t> bytes) {
    const int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || ::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        ::lseek(fd, 0, SEEK_SET) != 0) {
        report("memfd");
    }
    auto model = Model::read(fd, "fuzz", {.follow_shards = false});
    ::close(fd);
    if (model) return *std::move(model);
    if (model.error().message().empty()) report("an error without words");
    return {};
}

std::size_t weights_apart = 0;  // pairs of tensors with other values, so far

void check_values(const TensorPair& pair, const ValueDifference& difference) {
    const ErrorSums& sums = difference.sums;
    if (sums.elements + sums.not_finite != pair.a->info->elements().value_or(0)) report("weights were lost");
    if (sums.equal > sums.elements + sums.not_finite) report("more are equal than there are");
    for (const double number : {sums.relative_rmse(), sums.cosine(), sums.equal_share(), sums.max_error}) {
        if (std::isnan(number)) report("a figure that is no number");
    }
}

// Whether two models that can be read have the same content.
bool compared(const Model& a, const Model& b) {
    const Diff diff = require(compare_models(a, b, {.work = {.threads = 1}}), "compare");
    std::vector<TensorPair> pairs;
    for (const TensorChange& change : diff.tensors) {
        const TensorPair pair{change.a, change.b};
        if (has_values_to_compare(pair)) pairs.push_back(pair);
        if (change.blocks.first.empty()) continue;
        const auto parts = explain_difference(a, *change.a, b, *change.b, change.blocks.first.front());
        if (!parts && parts.error().message().empty()) report("an error without words");
    }
    const auto values = require(compare_values(a, b, pairs, {.work = {.threads = 1}}), "compare_values");
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        check_values(pairs[i], values[i]);
        if (values[i].sums.equal_share() < 1) ++weights_apart;
    }
    require(compare_values(a, b, pairs, {.work = {.threads = 1}, .sample = 2}), "a sample");
    for (const KeyChange& change : diff.metadata) {
        if (!change.a || !change.b) continue;
        const auto text_a = change.a->as_string(), text_b = change.b->as_string();
        if (text_a && text_b) diff_lines(*text_a, *text_b);
    }
    compare_tokenizers(a.header(), b.header());
    const Ranking ranking = require(rank_models(a, a, b, {.work = {.threads = 1}}), "rank");
    for (const ValueDifference& of_itself : ranking.a) {
        if (of_itself.sums.equal_share() != 1) report("a model is not nearest to itself");
    }
    return diff.same();
}

}  // namespace

// For driver.cpp.
extern "C" std::size_t goals_reached() { return weights_apart; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span bytes(data, size);
    std::span<const std::uint8_t> in_a = bytes, in_b = bytes;
    if (size >= 4) {
        const auto tail = bytes.last(4);
        std::size_t length = 0;
        for (std::size_t i = 4; i-- > 0;) length = length << 8 | tail[i];
        if (length <= size - 4) {
            in_a = bytes.first(size - 4 - length);
            in_b = bytes.subspan(in_a.size(), length);
        }
    }
    const auto a = opened(in_a), b = opened(in_b);
    if (a && !compared(*a, *a)) report("a model differs from itself");
    if (a && b && compared(*a, *b) != compared(*b, *a)) report("a difference that depends on the side");
    return 0;
}
