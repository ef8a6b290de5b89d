// The parts of blocks put together again, by the formulas and no other code, give what decoders give.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <ggufkit/inspect/peek.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <map>

#include "quant/iq/codebooks.hpp"
#include "support/files.hpp"
#include "support/random_blocks.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// The parts of one block by name.
class Parts {
  public:
    explicit Parts(const std::vector<BlockPart>& parts) {
        for (const BlockPart& part : parts) {
            CHECK((part.reals.empty() || part.integers.empty()));
            parts_[std::string(part.name)] = &part;
        }
    }
    float d() const { return real("d"); }
    float real(const std::string& name, std::size_t i = 0) const {
        return static_cast<float>(parts_.at(name)->reals.at(i));
    }
    // Number of element i of n, where there are fewer numbers than elements.
    float at(const std::string& name, std::size_t i, std::size_t n) const {
        const auto& numbers = parts_.at(name)->integers;
        return static_cast<float>(numbers.at(i * numbers.size() / n));
    }
    float scale_of(const std::string& name, std::size_t i, std::size_t n) const {
        const auto& numbers = parts_.at(name)->reals;
        return static_cast<float>(numbers.at(i * numbers.size() / n));
    }
    bool negative(std::size_t i) const { return (parts_.at("signs")->integers.at(i / 8) >> (i % 8) & 1) != 0; }
    std::size_t size() const { return parts_.size(); }

  private:
    std::map<std::string, const BlockPart*> parts_;
};

// Element i of the codebook's point for it.
float grid(quant::GridId id, const Parts& parts, std::size_t i, std::size_t n) {
    const quant::PackedGrid& packed = quant::packed_grids()[static_cast<std::size_t>(id)];
    const auto point = static_cast<std::size_t>(parts.at("grid", i, n));
    const auto length = static_cast<std::size_t>(packed.length), bits = static_cast<std::size_t>(packed.bits());
    const unsigned level = packed.words[point] >> (bits * (i % length)) & ((1u << bits) - 1u);
    return static_cast<float>(packed.levels[level]);
}

constexpr std::array<float, 16> e2m1{0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

using Formula = std::function<float(const Parts&, std::size_t i, std::size_t n)>;

Formula affine() {
    return [](const Parts& p, std::size_t i, std::size_t n) { return p.at("code", i, n) * p.d() + p.real("m"); };
}
Formula minus(float middle) {
    return [=](const Parts& p, std::size_t i, std::size_t n) { return (p.at("code", i, n) - middle) * p.d(); };
}
Formula scaled(float middle) {
    return [=](const Parts& p, std::size_t i, std::size_t n) {
        return p.d() * p.at("scale", i, n) * (p.at("code", i, n) - middle);
    };
}
Formula minima() {
    return [](const Parts& p, std::size_t i, std::size_t n) {
        return p.d() * p.at("scale", i, n) * p.at("code", i, n) - p.real("dmin") * p.at("min", i, n);
    };
}
Formula signed_grid(quant::GridId id, float add, float times) {
    return [=](const Parts& p, std::size_t i, std::size_t n) {
        const float scale = p.d() * (p.at("scale", i, n) + add) * times;
        return scale * (p.negative(i) ? -grid(id, p, i, n) : grid(id, p, i, n));
    };
}
Formula shifted_grid() {
    return [](const Parts& p, std::size_t i, std::size_t n) {
        const float scale = p.d() * (2 * p.at("scale", i, n) + 1);
        return scale * (grid(quant::GridId::iq1, p, i, n) + p.at("shift", i, n) / 8);
    };
}

const std::map<TensorType, Formula>& formulas() {
    using enum TensorType;
    using quant::GridId;
    static const std::map<TensorType, Formula> all{
        {Q4_0, minus(8)},
        {Q4_1, affine()},
        {Q5_0, minus(16)},
        {Q5_1, affine()},
        {Q8_0, minus(0)},
        {Q8_1, minus(0)},
        {Q2_K, minima()},
        {Q3_K, scaled(4)},
        {Q4_K, minima()},
        {Q5_K, minima()},
        {Q6_K, scaled(32)},
        {Q8_K, minus(0)},
        {IQ2_XXS, signed_grid(GridId::iq2_xxs, 0.5f, 0.25f)},
        {IQ2_XS, signed_grid(GridId::iq2_xs, 0.5f, 0.25f)},
        {IQ2_S, signed_grid(GridId::iq2_s, 0.5f, 0.25f)},
        {IQ3_XXS, signed_grid(GridId::iq3_xxs, 0.5f, 0.5f)},
        {IQ3_S, signed_grid(GridId::iq3_s, 0.5f, 2)},
        {IQ1_S, shifted_grid()},
        {IQ1_M, shifted_grid()},
        {IQ4_NL, [](const Parts& p, std::size_t i,
                    std::size_t n) { return p.d() * quant::iq4_values[static_cast<std::size_t>(p.at("code", i, n))]; }},
        {IQ4_XS,
         [](const Parts& p, std::size_t i, std::size_t n) {
             return p.d() * (p.at("scale", i, n) - 32) *
                    quant::iq4_values[static_cast<std::size_t>(p.at("code", i, n))];
         }},
        {TQ1_0, minus(1)},
        {TQ2_0, minus(1)},
        {Q1_0, [](const Parts& p, std::size_t i, std::size_t n) { return p.at("code", i, n) == 1 ? p.d() : -p.d(); }},
        {Q2_0, minus(1)},
        {MXFP4,
         [](const Parts& p, std::size_t i, std::size_t n) {
             CHECK(p.real("d") == std::ldexp(1.0f, static_cast<int>(p.at("e", 0, 1)) - 127));
             return p.d() * e2m1[static_cast<std::size_t>(p.at("code", i, n))];
         }},
        {NVFP4,
         [](const Parts& p, std::size_t i, std::size_t n) {
             return p.scale_of("d", i, n) * e2m1[static_cast<std::size_t>(p.at("code", i, n))];
         }},
    };
    return all;
}

}  // namespace

TEST_CASE("peek: every type of block put together from its parts is what it decodes to") {
    for (const FormatInfo& format : formats()) {
        if (!format.usable()) continue;
        CAPTURE(format.name);
        CHECK(!block_formula(format.type()).empty());
        if (!format.quantized()) continue;
        const Formula& put_together = formulas().at(format.type());
        const auto blocks = random_blocks(format, 50, format.id + 7);
        std::vector<float> decoded(50 * format.block_elements);
        REQUIRE(dequantize_rows(format.type(), blocks, decoded));
        for (std::size_t b = 0; b < 50; ++b) {
            const auto block = std::span(blocks).subspan(b * format.block_bytes, format.block_bytes);
            const auto parts = explain_block(format.type(), block);
            REQUIRE(parts);
            const Parts by_name(*parts);
            CHECK(by_name.size() == parts->size());
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < format.block_elements; ++i) {
                const float x = put_together(by_name, i, format.block_elements);
                wrong += x != decoded[b * format.block_elements + i];
            }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("peek: types without blocks keep all digits") {
    const std::int64_t large[]{(std::int64_t{1} << 60) + 1, -5};
    const auto wide = explain_block(TensorType::I64, std::as_bytes(std::span(large)));
    REQUIRE(wide);
    CHECK(wide->front().integers == std::vector<std::int64_t>{large[0], -5});
    const double fine[]{0.1, 1e300};
    const auto doubles = explain_block(TensorType::F64, std::as_bytes(std::span(fine)));
    REQUIRE(doubles);
    CHECK(doubles->front().reals == std::vector<double>{0.1, 1e300});
    CHECK(explain_block(TensorType::F64, std::as_bytes(std::span(large)).first(9)).error().code == Errc::bad_row);
    CHECK(explain_block(TensorType::Q4_K, std::as_bytes(std::span(large))).error().code == Errc::bad_row);
}

TEST_CASE("peek: the weights of a place, and the blocks that they are in") {
    const TemporaryFolder folder;
    SmallModel small;
    small.tensors.push_back({"q", TensorType::Q4_0, {96, 2, 3}, random_blocks(format_of(TensorType::Q4_0), 18, 1)});
    small.tensors.push_back({"f", TensorType::F16, {10, 4}, random_blocks(format_of(TensorType::F16), 40, 2)});
    std::vector<float> q(96 * 6), f(40);
    REQUIRE(dequantize_rows(TensorType::Q4_0, small.tensors[0].bytes, q));
    REQUIRE(dequantize_rows(TensorType::F16, small.tensors[1].bytes, f));
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        const auto model = Model::open(small.save(folder / "a.gguf", {.order = order}));
        REQUIRE(model);
        const ModelTensor& tensor = *model->find_tensor("q");
        const auto found = peek_weights(*model, tensor, 5, 30, 40);
        REQUIRE(found);
        CHECK(found->values == std::vector<float>(q.begin() + 5 * 96 + 30, q.begin() + 5 * 96 + 70));
        REQUIRE(found->blocks.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(found->blocks[i].column == 32 * i);
            const std::size_t at = (5 * 3 + i) * 18;
            CHECK(found->blocks[i].offset == model->header().data_offset() + tensor.info->offset + at);
            const auto little = std::span(small.tensors[0].bytes).subspan(at, 18);
            CHECK(std::ranges::equal(found->blocks[i].bytes, little));
        }
        const auto plain = peek_weights(*model, *model->find_tensor("f"), 3, 7, 3);
        REQUIRE(plain);
        CHECK(plain->values == std::vector<float>(f.end() - 3, f.end()));
        REQUIRE(plain->blocks.size() == 1);
        CHECK(plain->blocks[0].column == 7);
        CHECK(plain->blocks[0].parts[0].reals.size() == 3);

        CHECK(peek_weights(*model, tensor, 0, 0, 0)->values.empty());
        for (const auto& [row, column, count] : {std::array<std::uint64_t, 3>{6, 0, 1},
                                                 {0, 96, 1},
                                                 {0, 90, 7},
                                                 {~std::uint64_t{0}, 0, 1},
                                                 {0, ~std::uint64_t{0}, 2},
                                                 {0, 1, ~std::uint64_t{0}}}) {
            CAPTURE(row);
            const auto refused = peek_weights(*model, tensor, row, column, count);
            REQUIRE(!refused);
            CHECK(refused.error().code == Errc::out_of_range);
        }
    }
}
