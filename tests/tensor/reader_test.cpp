// The tensor reader: the same blocks and values from any source, in any parts, and errors that say where.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/small_model.hpp"
#include "tensor/reader.hpp"
#include "tensor/scale.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using tensor::Check;
using tensor::Reader;
using tensor::Via;
using tensor::Workspace;

namespace {

constexpr std::array both_orders{ByteOrder::little, ByteOrder::big};
constexpr std::array both_ways{Via::mapping, Via::read};

std::vector<float> decoded(TensorType type, std::span<const std::byte> blocks) {
    const FormatInfo& format = format_of(type);
    std::vector<float> values(blocks.size() / format.block_bytes * format.block_elements);
    REQUIRE(dequantize_rows(type, blocks, values));
    return values;
}

// The blocks and values of a tensor, read by so many blocks at a time.
void check_parts(const Reader& reader, std::span<const std::byte> blocks, std::uint64_t step) {
    CAPTURE(reader.info().name);
    CAPTURE(step);
    REQUIRE(reader.bytes() == blocks.size());
    const std::uint64_t most = step * reader.format().block_elements;
    std::vector<std::byte> read;
    std::vector<float> values;
    Workspace workspace;
    for (std::uint64_t first = 0; first < reader.elements(); first += most) {
        const tensor::Range range{first, std::min(most, reader.elements() - first)};
        const auto part = reader.blocks(range, workspace, Check::finite);
        REQUIRE(part);
        read.insert(read.end(), part->begin(), part->end());
        const auto numbers = reader.values(range, workspace);
        REQUIRE(numbers);
        values.insert(values.end(), numbers->begin(), numbers->end());
    }
    CHECK(std::ranges::equal(read, blocks));
    CHECK(values == decoded(reader.format().type(), blocks));
}

// A tensor made while it is read: the rows of another one, from the last to the first.
class Backwards final : public tensor::Source {
  public:
    explicit Backwards(Reader rows) : rows_(std::move(rows)) {}

    Result<std::span<const std::byte>> blocks(tensor::Range range, Workspace& workspace) const override {
        const auto into = workspace.blocks(rows_.bytes_of(range.count));
        const std::uint64_t row = rows_.info().ne[0];
        Workspace own;
        for (std::uint64_t i = 0; i < range.count; i += row) {
            const auto blocks = rows_.blocks({rows_.elements() - range.first - i - row, row}, own);
            if (!blocks) return blocks;
            std::ranges::copy(*blocks, into.subspan(rows_.bytes_of(i)).begin());
        }
        return into;
    }

  private:
    Reader rows_;
};

}  // namespace

TEST_CASE("reader: parts of any size, in either byte order, mapped or read") {
    const TemporaryFolder folder;
    for (const ByteOrder order : both_orders) {
        const SmallModel made = mixed_model(order, 64);
        const Model model = saved(made, folder / "a.gguf");
        for (std::size_t i = 0; i < made.tensors.size(); ++i) {
            for (const Via via : both_ways) {
                const Reader reader = must(Reader::open(model, model.tensors()[i], {.via = via}));
                for (const std::uint64_t step : {1u, 7u, 4096u}) {
                    if (made.tensors[i].bytes.size() / reader.format().block_bytes / step < 10'000)
                        check_parts(reader, made.tensors[i].bytes, step);
                }
                check_parts(reader, made.tensors[i].bytes, std::max<std::uint64_t>(reader.elements(), 1));
            }
        }
    }
}

TEST_CASE("reader: a mapping in native byte order is not copied, and says where it is") {
    const TemporaryFolder folder;
    for (const ByteOrder order : both_orders) {
        const Model model = saved(mixed_model(order, 32), folder / "a.gguf");
        const ModelTensor& tensor = *model.find_tensor("f16.stack");
        const auto data = must(model.data(tensor));
        Workspace workspace;
        for (const Via via : both_ways) {
            const Reader reader = must(Reader::open(model, tensor, {.via = via}));
            const auto blocks = must(reader.blocks({96, 192}, workspace));
            const bool copied = blocks.data() != data.data() + 192;
            CHECK(copied == (via == Via::read || order == ByteOrder::big));
            const auto place = reader.in_file({96, 192});
            REQUIRE(place);
            CHECK(place->fd == model.shard_fd(0));
            CHECK(place->offset == model.header().data_offset() + tensor.info->offset + 192);
            CHECK(place->size == 384);
            CHECK(place->order == order);
        }
    }
}

TEST_CASE("reader: a NaN is found when asked for, with tensor, row and offset") {
    const TemporaryFolder folder;
    for (const ByteOrder order : both_orders) {
        SmallModel made = bare_llama(order);
        made.weights("flat", TensorType::F32, {8, 6}).weights("stack", TensorType::Q8_0, {64, 3, 4});
        const float nan = std::numeric_limits<float>::quiet_NaN();
        const auto nan_bytes = std::as_bytes(std::span(&nan, 1));
        std::ranges::copy(nan_bytes, made.tensors[0].bytes.begin() + (5 * 8 + 3) * 4);
        const std::size_t block = 34, row = 2 * block;
        std::fill_n(made.tensors[1].bytes.begin() + 7 * row + block, 2, std::byte{0x7f});
        const Model model = saved(made, folder / "a.gguf");
        for (const Via via : both_ways) {
            Workspace workspace;
            const Reader flat = must(Reader::open(model, model.tensors()[0], {.via = via}));
            CHECK(flat.blocks(flat.all(), workspace));
            CHECK(flat.values({0, 43}, workspace, Check::finite));
            const auto in_flat = flat.values({16, 32}, workspace, Check::finite);
            REQUIRE(!in_flat);
            CHECK(in_flat.error().code == Errc::bad_quant);
            CHECK(in_flat.error().subject == "tensor 'flat'");
            CHECK(in_flat.error().detail == "row 5: value is NaN or infinite");
            CHECK(in_flat.error().offset == model.header().data_offset() + (5 * 8 + 3) * 4);

            const Reader stack = must(Reader::open(model, model.tensors()[1], {.via = via}));
            const auto in_stack = stack.blocks({64, 9 * 64}, workspace, Check::finite);
            REQUIRE(!in_stack);
            CHECK(in_stack.error().detail == "row 1 of matrix 2: d is NaN or infinite");
            CHECK(in_stack.error().offset == model.header().data_offset() + stack.info().offset + 7 * row + block);
        }
    }
}

TEST_CASE("reader: a file that became shorter is an error with the tensor's name") {
    const TemporaryFolder folder;
    const Model model = saved(mixed_model(ByteOrder::little, 32), folder / "a.gguf");
    const ModelTensor& last = model.tensors().back();
    const Reader reader = must(Reader::open(model, last, {.via = Via::read}));
    std::filesystem::resize_file(folder / "a.gguf", model.header().data_offset() + last.info->offset + 100);
    Workspace workspace;
    const auto read = reader.values(reader.all(), workspace);
    REQUIRE(!read);
    CHECK(read.error().code == Errc::io_changed);
    CHECK(read.error().subject == "tensor 'q6k.decoded'");
}

TEST_CASE("reader: values with the factors of NAME.scale, where asked for") {
    const TemporaryFolder folder;
    SmallModel made = bare_llama();
    made.weights("up.weight", TensorType::NVFP4, {64, 2, 3}).weights("up.scale", TensorType::F32, {3});
    made.weights("down.weight", TensorType::F16, {5, 2, 3}).weights("down.scale", TensorType::F16, {1});
    made.weights("gate.weight", TensorType::F32, {4, 2, 3}).weights("gate.scale", TensorType::F32, {2});
    const Model model = saved(made, folder / "a.gguf");
    Workspace workspace;
    for (std::size_t i = 0; i < made.tensors.size(); i += 2) {
        const ModelTensor& weights = model.tensors()[i];
        const ModelTensor& scale = model.tensors()[i + 1];
        CAPTURE(weights.info->name);
        const bool fits = i != 4;
        CHECK(tensor::is_scale(model, scale) == fits);
        CHECK(!tensor::is_scale(model, weights));
        const auto factors = decoded(scale.info->format->type(), made.tensors[i + 1].bytes);
        const auto stored = decoded(weights.info->format->type(), made.tensors[i].bytes);
        std::vector<float> expected = stored;
        for (std::size_t k = 0; fits && k < expected.size(); ++k)
            expected[k] *= factors[factors.size() == 1 ? 0 : k / (expected.size() / 3)];
        const Reader plain = must(Reader::open(model, weights));
        CHECK(std::ranges::equal(must(plain.values(plain.all(), workspace)), stored));
        const Reader scaled = must(Reader::open(model, weights, {.scaled = true}));
        CHECK(std::ranges::equal(must(scaled.values(scaled.all(), workspace)), expected));
        const std::uint64_t half =
            expected.size() / 2 / scaled.format().block_elements * scaled.format().block_elements;
        const auto rest = must(scaled.values({half, expected.size() - half}, workspace));
        CHECK(std::ranges::equal(rest, std::span(expected).subspan(half)));
    }
}

TEST_CASE("reader: a source that makes its blocks has the same checks and errors, but no offsets") {
    const TemporaryFolder folder;
    SmallModel made = bare_llama();
    made.weights("rows", TensorType::F16, {4, 6});
    const std::uint16_t infinite = 0x7c00;
    std::ranges::copy(std::as_bytes(std::span(&infinite, 1)), made.tensors[0].bytes.begin() + 8);
    const Model model = saved(made, folder / "a.gguf");
    const Reader rows = must(Reader::open(model, model.tensors()[0]));
    const Reader backwards(rows.info(), std::make_shared<Backwards>(rows));
    CHECK(!backwards.in_file(backwards.all()));
    Workspace there, here;
    CHECK(std::ranges::equal(must(backwards.values({8, 4}, here)), must(rows.values({12, 4}, there))));
    const auto found = backwards.blocks(backwards.all(), here, Check::finite);
    REQUIRE(!found);
    CHECK(found.error().code == Errc::bad_quant);
    CHECK(found.error().subject == "tensor 'rows'");
    CHECK(found.error().detail == "row 4: value is NaN or infinite");
    CHECK(!found.error().offset);
}
