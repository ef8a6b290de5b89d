// Statistics of tensors, against sums that are taken here, number by number, in long doubles.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <ggufkit/inspect/stats.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <limits>

#include "core/half.hpp"
#include "quant/simd/target.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"
#include "support/weight_rows.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

void add(SmallModel& model, const std::string& name, TensorType type, std::vector<std::byte> blocks) {
    const FormatInfo& format = format_of(type);
    model.tensors.push_back(
        {name, type, {blocks.size() / format.block_bytes * format.block_elements}, std::move(blocks)});
}

void add(SmallModel& model, const std::string& name, const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    add(model, name, TensorType::F32, {bytes.begin(), bytes.end()});
}

std::vector<TensorStats> stats_of(const std::filesystem::path& path, const Work& options = {}) {
    const auto model = Model::open(path);
    REQUIRE(model);
    auto found = tensor_stats(*model, model->tensors(), options);
    REQUIRE(found);
    REQUIRE(found->size() == model->tensors().size());
    return std::move(*found);
}

std::vector<float> decoded(const SmallModel::Tensor& tensor) {
    const FormatInfo& format = format_of(tensor.type);
    std::vector<float> values(tensor.bytes.size() / format.block_bytes * format.block_elements);
    REQUIRE(dequantize_rows(tensor.type, tensor.bytes, values));
    return values;
}

bool near(double found, long double expected, long double unit) {
    const bool is = std::abs(found - expected) <= 1e-5L * unit;
    if (!is) MESSAGE(fmt::format("{} for {}", found, static_cast<double>(expected)));
    return is;
}

void check_numbers(const NumberStats& found, std::span<const float> values) {
    std::uint64_t zeros = 0, nans = 0, infinities = 0;
    long double sum = 0, n = 0, m2 = 0, m3 = 0, m4 = 0;
    float min = infinity, max = -infinity;
    for (const float x : values) {
        if (x != x) ++nans;
        if (x == infinity || x == -infinity) ++infinities;
        if (!(x - x == 0)) continue;
        zeros += x == 0;
        min = x < min ? x : min;
        max = x > max ? x : max;
        sum += x;
        n += 1;
    }
    CHECK(found.count == values.size());
    CHECK(found.finite() == n);
    CHECK(found.zeros == zeros);
    CHECK(found.nans == nans);
    CHECK(found.infinities == infinities);
    if (n == 0) return;
    CHECK(found.min == min);
    CHECK(found.max == max);
    const long double mean = sum / n;
    for (const float x : values) {
        const long double d = x - mean;
        if (!(x - x == 0)) continue;
        m2 += d * d;
        m3 += d * d * d;
        m4 += d * d * d * d;
    }
    const long double spread = std::sqrt(m2 / n), rms = std::sqrt(m2 / n + mean * mean);
    CHECK(near(found.mean, mean, rms));
    CHECK(near(found.rms, rms, rms));
    CHECK(near(found.spread, spread, spread));
    CHECK(found.kurtosis.has_value() == (m2 > 0));
    CHECK(found.skewness.has_value() == (m2 > 0));
    if (m2 == 0) return;
    const long double kurtosis = m4 / n / (spread * spread * spread * spread);
    CHECK(near(*found.kurtosis, kurtosis, kurtosis));
    CHECK(near(*found.skewness, m3 / n / (spread * spread * spread), kurtosis));
}

std::uint64_t outliers(std::span<const float> values) {
    std::uint64_t found = 0;
    for (std::size_t at = 0; at < values.size(); at += 4096) {
        const auto around = values.subspan(at, std::min<std::size_t>(4096, values.size() - at));
        long double squares = 0, n = 0;
        for (const float x : around) {
            if (x - x != 0) continue;
            squares += static_cast<long double>(x) * x;
            n += 1;
        }
        for (const float x : around) found += x - x == 0 && std::abs(x) > 6 * std::sqrt(squares / n);
    }
    return found;
}

void check_histogram(const TensorStats& stats, std::span<const float> values) {
    const WeightHistogram& histogram = stats.histogram;
    std::array<std::uint64_t, WeightHistogram::bins> counts{};
    std::uint64_t below = 0, above = 0;
    const std::size_t chunks = (values.size() + 4095) / 4096, drawn = std::min<std::size_t>(chunks, 32);
    for (std::size_t i = 0; i < drawn; ++i) {
        const std::size_t first = i * chunks / drawn * 4096;
        for (std::size_t at = first; at < std::min(first + 4096, values.size()); ++at) {
            if (values[at] - values[at] != 0) continue;
            const float place = (values[at] - histogram.low) * (1 / histogram.width);
            if (place < 0) {
                ++below;
            } else if (place >= WeightHistogram::bins) {
                ++above;
            } else {
                ++counts[static_cast<std::size_t>(place)];
            }
        }
    }
    // A number at the edge of two bins may be in either.
    std::uint64_t moved = 0;
    const auto differ = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; };
    for (std::size_t i = 0; i < counts.size(); ++i) moved += differ(counts[i], histogram.counts[i]);
    moved += differ(below, histogram.below) + differ(above, histogram.above);
    CHECK(moved <= 2 + values.size() / 1000);
    CHECK(histogram.total() == below + above + [&] {
        std::uint64_t sum = 0;
        for (const std::uint64_t count : counts) sum += count;
        return sum;
    }());
}

void check_all(const SmallModel& model, const std::vector<TensorStats>& found) {
    for (std::size_t i = 0; i < model.tensors.size(); ++i) {
        CAPTURE(model.tensors[i].name);
        const auto values = decoded(model.tensors[i]);
        check_numbers(found[i].weights, values);
        CHECK(found[i].outliers == outliers(values));
        check_histogram(found[i], values);
    }
}

// Every type that decodes, some of the blocks as good as quantizers make them, some of random bits.
SmallModel all_types(std::size_t blocks) {
    SmallModel model;
    for (const FormatInfo& format : formats()) {
        if (!format.usable()) continue;
        const std::string name(format.name);
        add(model, name + " of random bits", format.type(), random_blocks(format, blocks, format.id));
        if (!can_quantize(format.type())) continue;
        const std::size_t n = (blocks + 1) * format.block_elements;
        std::vector<std::byte> bytes((blocks + 1) * format.block_bytes);
        const auto values = weight_rows(Tail::laplace, 1, n, format.id);
        const std::vector<float> importance(n, 1.0f);
        REQUIRE(quantize_rows(format.type(), values, n, bytes, importance, Effort::fast));
        add(model, name, format.type(), std::move(bytes));
    }
    return model;
}

// Numbers that arithmetic in floats stumbles over.
SmallModel odd_numbers() {
    SmallModel model;
    const auto around = [](float middle, float spread, std::size_t n, std::uint64_t seed) {
        Random random(seed);
        std::vector<float> values(n);
        for (float& value : values) value = middle + spread * normal(random);
        return values;
    };
    add(model, "nothing", std::vector<float>{});
    add(model, "one number", std::vector<float>{-3.5f});
    add(model, "a constant", std::vector<float>(5000, 0.1f));
    add(model, "zeros of both signs", {0.0f, -0.0f, 0.0f});
    add(model, "far from zero", around(1, 1e-4f, 9000, 1));
    add(model, "beside zero", around(1, 1, 9000, 9));
    add(model, "almost about zero", around(0.4f, 1, 9000, 10));
    add(model, "in small units", around(1e-6f, 1e-5f, 9000, 11));
    add(model, "in large units", around(1e4f, 6e4f, 9000, 12));
    add(model, "very small", around(0, 1e-33f, 9000, 2));
    add(model, "subnormal", around(0, 1e-42f, 9000, 3));
    add(model, "very large", around(0, 3e37f, 9000, 4));
    auto values = around(0, 1, 20'000, 5);
    for (std::size_t i = 0; i < 16; ++i) values[i] = 1e6f;
    add(model, "a start unlike the rest", values);
    values = around(0, 0.02f, 20'000, 6);
    for (std::size_t i = 0; i < values.size(); i += 1001) values[i] *= 40;
    add(model, "outliers", values);
    values = around(0, 1, 10'000, 7);
    values[0] = nan;
    values[4097] = infinity;
    values[4098] = -infinity;
    values[9999] = nan;
    add(model, "NaN and infinities", values);
    add(model, "nothing finite", {nan, infinity, nan, -infinity});
    std::vector<float> sparse(8000);
    sparse[7777] = 1e-12f;
    add(model, "one of many", sparse);
    add(model, "more than the histogram takes", around(0, 1, 300'000, 8));
    return model;
}

// Blocks of one type, block i as `fill` makes it of zeros.
template <class Fill>
std::vector<std::byte> blocks_of(TensorType type, std::size_t n, Fill fill) {
    const std::size_t size = format_of(type).block_bytes;
    std::vector<std::byte> blocks(n * size);
    for (std::size_t i = 0; i < n; ++i) fill(i, std::span(blocks).subspan(i * size, size));
    return blocks;
}
void put_half(std::span<std::byte> block, std::size_t offset, float value) {
    const std::uint16_t bits = float_to_half(value);
    block[offset] = static_cast<std::byte>(bits);
    block[offset + 1] = static_cast<std::byte>(bits >> 8);
}

// Codes, scales and minima that sums over codes could stumble over.
SmallModel odd_blocks() {
    using Block = std::span<std::byte>;
    SmallModel model;
    const auto add_blocks = [&](const std::string& name, TensorType type, auto fill) {
        add(model, name, type, blocks_of(type, 300, fill));
    };
    Random random(20);
    const auto codes = [&](Block block, std::size_t offset) {
        for (std::byte& byte : block.subspan(offset)) byte = static_cast<std::byte>(random.bits());
    };
    add_blocks("largest codes", TensorType::Q8_0, [](std::size_t, Block block) {
        put_half(block, 0, 0.5f);
        for (std::byte& code : block.subspan(2)) code = std::byte{0x80};
    });
    add_blocks("largest codes, of both signs", TensorType::Q8_0, [](std::size_t i, Block block) {
        put_half(block, 0, i % 2 == 0 ? 0.5f : -0.5f);
        for (std::byte& code : block.subspan(2)) code = std::byte{0x80};
    });
    add_blocks("scales of zero", TensorType::Q4_0, [&](std::size_t i, Block block) {
        put_half(block, 0, i % 3 == 0 ? 0.0f : 0.01f);
        codes(block, 2);
    });
    add_blocks("nothing but zeros", TensorType::Q4_0, [&](std::size_t, Block block) { codes(block, 2); });
    add_blocks("a range that grows and falls", TensorType::Q4_0, [&](std::size_t i, Block block) {
        put_half(block, 0, i < 150 ? 0.01f * static_cast<float>(i) : -0.01f * static_cast<float>(300 - i));
        codes(block, 2);
    });
    add_blocks("outlying blocks", TensorType::Q4_0, [&](std::size_t i, Block block) {
        put_half(block, 0, i % 97 == 96 ? -5.0f : 0.02f);
        codes(block, 2);
    });
    add_blocks("zeros of a code", TensorType::Q4_1, [&](std::size_t i, Block block) {
        put_half(block, 0, 0.25f);
        put_half(block, 2, -0.25f * static_cast<float>(i % 17));
        codes(block, 4);
    });
    add_blocks("minima and no scales", TensorType::Q4_1, [&](std::size_t i, Block block) {
        put_half(block, 2, 0.75f * static_cast<float>(i % 4) - 1);
        codes(block, 4);
    });
    add_blocks("minima that cancel codes", TensorType::Q4_1, [&](std::size_t i, Block block) {
        put_half(block, 0, 1.0f);
        put_half(block, 2, -15.0f + (i % 2 == 0 ? 0.0078125f : -0.0078125f));
        for (std::byte& byte : block.subspan(4)) byte = std::byte{0xff};
    });
    add_blocks("infinite and NaN", TensorType::Q5_0, [&](std::size_t i, Block block) {
        put_half(block, 0, i == 200 ? infinity : i == 250 ? nan : 0.01f);
        codes(block, 2);
    });
    add_blocks("very small and very large", TensorType::MXFP4, [&](std::size_t i, Block block) {
        codes(block, 1);
        block[0] = static_cast<std::byte>(i < 150 ? 1 + i % 3 : 250 + i % 3);
    });
    return model;
}

std::string bits_of(const std::vector<TensorStats>& all) {
    std::string text;
    const auto numbers = [&](const NumberStats& stats) {
        text += fmt::format("{} {} {} {} {:a} {:a} {:a} {:a} {:a} {:a} {:a} ", stats.count, stats.zeros, stats.nans,
                            stats.infinities, stats.min, stats.max, stats.mean, stats.rms, stats.spread,
                            stats.skewness.value_or(0), stats.kurtosis.value_or(0));
    };
    for (const TensorStats& stats : all) {
        numbers(stats.weights);
        for (const ScaleStats& scale : stats.scales) {
            numbers(scale.numbers);
            text += fmt::format("{} {} ", scale.field, scale.subnormal);
        }
        text += fmt::format("{} {:a} {:a} {} {} {}\n", stats.outliers, stats.histogram.low, stats.histogram.width,
                            stats.histogram.below, fmt::join(stats.histogram.counts, " "), stats.histogram.above);
    }
    return text;
}

}  // namespace

TEST_CASE("stats: of every type they are those of the decoded numbers") {
    const TemporaryFolder folder;
    const SmallModel model = all_types(37);
    check_all(model, stats_of(model.save(folder / "a.gguf")));
    check_all(model, stats_of(model.save(folder / "big.gguf", {.order = ByteOrder::big})));
}

TEST_CASE("stats: of numbers that are hard to add up") {
    const TemporaryFolder folder;
    const SmallModel model = odd_numbers();
    check_all(model, stats_of(model.save(folder / "a.gguf")));
}

TEST_CASE("stats: of blocks that are hard to add up by their codes") {
    const TemporaryFolder folder;
    const SmallModel model = odd_blocks();
    check_all(model, stats_of(model.save(folder / "a.gguf")));
}

TEST_CASE("stats: the same bits for any number of threads, on every instruction set, in any container") {
    const TemporaryFolder folder;
    SmallModel model = odd_numbers();
    for (auto& tensor : odd_blocks().tensors) model.tensors.push_back(std::move(tensor));
    for (auto& tensor : all_types(2100).tensors) model.tensors.push_back(std::move(tensor));
    const auto path = model.save(folder / "a.gguf");
    const std::string best(quant::simd_target());
    const std::string expected = bits_of(stats_of(path, {.threads = 1}));
    for (const std::string_view target : quant::simd_targets()) {
        CAPTURE(target);
        REQUIRE(quant::use_simd_target(target));
        CHECK(bits_of(stats_of(path, {.threads = 3})) == expected);
    }
    REQUIRE(quant::use_simd_target(best));
    CHECK(bits_of(stats_of(model.save(folder / "big.gguf", {.order = ByteOrder::big}))) == expected);
}

TEST_CASE("stats: scales") {
    const TemporaryFolder folder;
    SmallModel model;
    // Q4_K: d and dmin of five blocks, as halves.
    const std::uint16_t halves[][2]{
        {0x3c00, 0x0000}, {0xbc00, 0x0001}, {0x03ff, 0x7c00}, {0x7e00, 0x8000}, {0x0400, 0x4000}};
    std::vector<std::byte> blocks(std::size(halves) * 144);
    for (std::size_t i = 0; i < std::size(halves); ++i) std::memcpy(&blocks[i * 144], halves[i], 4);
    add(model, "k", TensorType::Q4_K, blocks);
    // MXFP4: 2^-127, 2^-126, 1, NaN.
    blocks.assign(4 * 17, std::byte{0});
    for (const auto& [block, bits] : {std::pair{1, 1}, {2, 127}, {3, 255}})
        blocks[static_cast<std::size_t>(block) * 17] = static_cast<std::byte>(bits);
    add(model, "mx", TensorType::MXFP4, blocks);
    // NVFP4: 0, 2^-9 (subnormal), 448, NaN.
    blocks.assign(36, std::byte{0});
    for (const auto& [k, bits] : {std::pair{1, 0x01}, {2, 0x7e}, {3, 0x7f}})
        blocks[static_cast<std::size_t>(k)] = static_cast<std::byte>(bits);
    add(model, "nv", TensorType::NVFP4, blocks);
    // IQ1_M: the nibbles of 0x3555 in the tops of four words.
    blocks.assign(56, std::byte{0});
    for (const auto& [word, nibble] : {std::pair{0, 0x5}, {1, 0x5}, {2, 0x5}, {3, 0x3}})
        blocks[static_cast<std::size_t>(48 + 2 * word + 1)] = static_cast<std::byte>(nibble << 4);
    add(model, "m", TensorType::IQ1_M, blocks);
    add(model, "plain", std::vector<float>{1, 2});

    const auto found = stats_of(model.save(folder / "a.gguf"));
    const auto is = [](const ScaleStats& scale, std::string_view field, std::uint64_t count, std::uint64_t zeros,
                       std::uint64_t nans, std::uint64_t infinities, std::uint64_t subnormal, float min, float max) {
        CAPTURE(field);
        CHECK(scale.field == field);
        CHECK(scale.numbers.count == count);
        CHECK(scale.numbers.zeros == zeros);
        CHECK(scale.numbers.nans == nans);
        CHECK(scale.numbers.infinities == infinities);
        CHECK(scale.subnormal == subnormal);
        CHECK(scale.numbers.min == min);
        CHECK(scale.numbers.max == max);
    };
    REQUIRE(found[0].scales.size() == 2);
    is(found[0].scales[0], "d", 5, 0, 1, 0, 1, -1, 1);
    is(found[0].scales[1], "dmin", 5, 2, 0, 1, 1, 0, 2);
    REQUIRE(found[1].scales.size() == 1);
    is(found[1].scales[0], "e", 4, 0, 1, 0, 1, 0x1p-127f, 1);
    REQUIRE(found[2].scales.size() == 1);
    is(found[2].scales[0], "d", 4, 1, 1, 0, 1, 0, 448);
    REQUIRE(found[3].scales.size() == 1);
    is(found[3].scales[0], "scales", 1, 0, 0, 0, 0, 0x1.554p-2f, 0x1.554p-2f);
    CHECK(found[4].scales.empty());
}

TEST_CASE("stats: every type of blocks has scales, and their means are those of the fields") {
    const TemporaryFolder folder;
    const SmallModel model = all_types(40);
    const auto found = stats_of(model.save(folder / "a.gguf"));
    for (std::size_t i = 0; i < found.size(); ++i) {
        CAPTURE(model.tensors[i].name);
        CHECK(found[i].scales.empty() == !format_of(model.tensors[i].type).quantized());
    }
}

TEST_CASE("stats: progress ends with everything, a stop is obeyed, a file that was written to is an error") {
    const TemporaryFolder folder;
    const auto path = odd_numbers().save(folder / "a.gguf");
    const auto model = Model::open(path);
    REQUIRE(model);
    std::uint64_t last = 0, total = 1;
    const auto note = [&](const Progress& now) {
        const auto [done, all] = now;
        CHECK(done > last);
        last = done;
        total = all;
    };
    CHECK(tensor_stats(*model, model->tensors(), {.threads = 2, .progress = note}));
    CHECK(last == total);
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = tensor_stats(*model, model->tensors(), {.stop = stop.get_token()});
    REQUIRE(!stopped);
    CHECK(stopped.error().code == Errc::cancelled);
    CHECK(tensor_stats(*model, {})->empty());
    std::ofstream(path, std::ios::app) << "more";
    const auto changed = tensor_stats(*model, model->tensors());
    REQUIRE(!changed);
    CHECK(changed.error().code == Errc::io_changed);
}
