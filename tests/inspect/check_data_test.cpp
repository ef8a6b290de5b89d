// Faults planted in tensor data, and found where they were planted.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ggufkit/inspect/check_data.hpp>

#include "support/files.hpp"
#include "support/random_blocks.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr std::uint64_t blocks_of_row = 3, rows = 7;

struct Planted {
    std::size_t at;  // of the number in the block
    std::vector<std::uint8_t> bytes;
    bool nan;
};

// A NaN and an infinity as a field's numbers have them; none for numbers that are always finite.
std::vector<Planted> plants(const Field& field) {
    const std::size_t last = field.offset + std::size_t{field.count - 1u} * field.stride;
    switch (field.number) {
        case Number::f16: return {{last, {0x01, 0x7e}, true}, {field.offset, {0x00, 0xfc}, false}};
        case Number::bf16: return {{last, {0xc0, 0x7f}, true}, {field.offset, {0x80, 0xff}, false}};
        case Number::f32: return {{last, {0, 0, 0xc0, 0x7f}, true}, {field.offset, {0, 0, 0x80, 0x7f}, false}};
        case Number::f64:
            return {{last, {0, 0, 0, 0, 0, 0, 0xf8, 0x7f}, true},
                    {field.offset, {0, 0, 0, 0, 0, 0, 0xf0, 0xff}, false}};
        case Number::e8m0: return {{last, {0xff}, true}};
        // 0x7e00 and 0x7c00 in the top nibbles of four words.
        case Number::f16_in_top_nibbles:
            return {{field.offset, {0, 0x00, 0, 0x00, 0, 0xe0, 0, 0x70}, true},
                    {field.offset, {0, 0x00, 0, 0x00, 0, 0xc0, 0, 0x70}, false}};
        default: return {};
    }
}

std::vector<std::byte> sound_blocks(const FormatInfo& format) {
    auto blocks = random_blocks(format, blocks_of_row * rows, format.id);
    for (const Field& field : format.fields) {
        if (field.number != Number::e8m0 && field.number != Number::f32) continue;
        // Not so large that weights are infinite.
        for (std::size_t at = field.offset; at < blocks.size(); at += format.block_bytes)
            blocks[at + field.width - 1u] = std::byte{0x3f};
    }
    return blocks;
}

SmallModel one_tensor(const FormatInfo& format, std::vector<std::byte> blocks) {
    SmallModel model;
    model.tensors.push_back({"before", TensorType::F32, {64}, std::vector<std::byte>(256)});
    model.tensors.push_back({"t", format.type(), {blocks_of_row * format.block_elements, rows}, std::move(blocks)});
    return model;
}

std::vector<TensorFaults> faults_of(const std::filesystem::path& path, unsigned threads = 2) {
    const auto model = Model::open(path);
    REQUIRE(model);
    auto found = check_data(*model, model->tensors(), {.threads = threads});
    REQUIRE(found);
    return std::move(found->faults);
}

void plant_one(const TemporaryFolder& folder, const FormatInfo& format, const Field& field, const Planted& planted,
               ByteOrder order) {
    constexpr std::uint64_t row = 4, block = 2, number = row * blocks_of_row + block;
    auto blocks = sound_blocks(format);
    std::memcpy(&blocks[number * format.block_bytes + planted.at], planted.bytes.data(), planted.bytes.size());
    const auto path = one_tensor(format, std::move(blocks)).save(folder / "planted.gguf", {.order = order});
    const auto found = faults_of(path);
    REQUIRE(found.size() == 1);
    CHECK(found[0].tensor == 1);
    CHECK(found[0].blocks == 1);
    REQUIRE(found[0].first.size() == 1);
    const DataFault& fault = found[0].first[0];
    CHECK(fault.row == row);
    CHECK(fault.column == block * format.block_elements);
    CHECK(fault.field == (format.quantized() ? field.name : "value"));
    CHECK(std::isnan(fault.value) == planted.nan);
    CHECK(std::isinf(fault.value) == !planted.nan);
    const auto model = Model::open(path);
    const TensorInfo& info = *model->find_tensor("t")->info;
    CHECK(fault.offset == model->header().data_offset() + info.offset + number * format.block_bytes);
}

}  // namespace

TEST_CASE("check-data: a NaN or an infinity in any field of any type is found, and where it is") {
    const TemporaryFolder folder;
    std::size_t planted = 0;
    for (const FormatInfo& format : formats()) {
        if (!format.usable()) continue;
        CAPTURE(format.name);
        CHECK(faults_of(one_tensor(format, sound_blocks(format)).save(folder / "sound.gguf")).empty());
        for (const Field& field : format.fields) {
            for (const Planted& plant : plants(field)) {
                for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
                    plant_one(folder, format, field, plant, order);
                    ++planted;
                }
            }
        }
    }
    CHECK(planted >= 2 * 2 * 25);
}

TEST_CASE("check-data: weights that are infinite though their scales are not") {
    const TemporaryFolder folder;
    auto blocks = sound_blocks(format_of(TensorType::MXFP4));
    blocks[17 * 4] = std::byte{254};  // 2^127
    std::fill_n(&blocks[17 * 4 + 1], 16, std::byte{0});
    blocks[17 * 4 + 3] = std::byte{0x07};  // times 6
    const auto found = faults_of(one_tensor(format_of(TensorType::MXFP4), blocks).save(folder / "a.gguf"));
    REQUIRE(found.size() == 1);
    CHECK(found[0].blocks == 1);
    CHECK(found[0].first[0].row == 1);
    CHECK(found[0].first[0].column == 32);
    CHECK(found[0].first[0].field == "value");
    CHECK(std::isinf(found[0].first[0].value));
    CHECK(found[0].first[0].text(format_of(TensorType::MXFP4)) ==
          "row 1, block 1 (columns 32 to 63): a weight is infinite");
}

TEST_CASE("check-data: many faults are counted, the first of them listed, the same for any number of threads") {
    const TemporaryFolder folder;
    SmallModel model;
    constexpr std::size_t n = 700'000;
    std::vector<float> values(n, 1.0f);
    for (std::size_t i = 5; i < n; i += 1000) values[i] = std::nanf("");
    const auto bytes = std::as_bytes(std::span(values));
    model.tensors.push_back({"a", TensorType::F32, {n / 7, 7}, {bytes.begin(), bytes.end()}});
    model.tensor("sound", TensorType::Q4_K, {256, 9});
    model.tensors.push_back({"b", TensorType::F32, {n / 7, 7}, {bytes.begin(), bytes.end()}});
    const auto path = model.save(folder / "a.gguf");
    for (const unsigned threads : {1u, 4u}) {
        const auto found = faults_of(path, threads);
        REQUIRE(found.size() == 2);
        CHECK(found[0].tensor == 0);
        CHECK(found[1].tensor == 2);
        for (const TensorFaults& faults : found) {
            CHECK(faults.blocks == n / 1000);
            REQUIRE(faults.first.size() == listed_faults);
            for (std::size_t i = 0; i < listed_faults; ++i) {
                CHECK(faults.first[i].row * (n / 7) + faults.first[i].column == 5 + 1000 * i);
                CHECK(faults.first[i].text(format_of(TensorType::F32)) ==
                      "row " + std::to_string(faults.first[i].row) + ", column " +
                          std::to_string(faults.first[i].column) + " is NaN");
            }
        }
    }
    const auto opened = Model::open(path);
    std::stop_source stop;
    stop.request_stop();
    CHECK(check_data(*opened, opened->tensors(), {.stop = stop.get_token()}).error().code == Errc::cancelled);
}
