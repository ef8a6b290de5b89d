#include "support/imatrix_files.hpp"

#include <limits>
#include <stdexcept>

namespace ggufkit::test {

namespace {

std::vector<std::byte> bytes_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<std::byte> bytes_of(const std::vector<float>& values, ByteOrder order) {
    Bytes bytes({order, 3});
    for (const float value : values) bytes.number(value);
    return bytes_of(bytes);
}

}  // namespace

std::vector<std::byte> gguf_imatrix(const std::vector<ImatrixRecord>& records, ByteOrder order, std::string_view type) {
    Header header;
    header.byte_order = order;
    header.set("general.type", Value::of_string(type));
    header.set("imatrix.datasets", Value::of_strings(std::vector<std::string>{"one.txt", "two.txt"}));
    header.set("imatrix.chunk_count", Value::of_unsigned(ValueType::uint32, 7));
    header.set("imatrix.chunk_size", Value::of_unsigned(ValueType::uint32, 512));
    std::vector<std::vector<std::byte>> data;
    for (const auto& [tensor, sums, counts, columns] : records) {
        const std::uint64_t ne0 = columns != 0 ? columns : sums.size() / counts.size();
        header.tensors.push_back({.name = tensor + ".in_sum2", .n_dims = 2, .ne = {ne0, sums.size() / ne0, 1, 1}});
        header.tensors.push_back({.name = tensor + ".counts", .n_dims = 2, .ne = {1, counts.size(), 1, 1}});
        data.push_back(bytes_of(sums, order));
        data.push_back(bytes_of(counts, order));
    }
    auto file = write_to_memory(header, [&](std::size_t i) { return std::span<const std::byte>(data[i]); });
    if (!file) throw std::runtime_error(file.error().message());
    return std::move(*file);
}

Bytes old_imatrix(const std::vector<OldRecord>& records, std::int32_t chunks, std::string_view dataset) {
    Bytes bytes(little_v3);
    const auto count = [&](std::size_t n) { bytes.number(static_cast<std::int32_t>(n)); };
    count(records.size());
    for (const auto& [tensor, calls, values] : records) {
        count(tensor.size());
        bytes.raw(tensor).number(calls);
        count(values.size());
        for (const float value : values) bytes.number(value);
    }
    if (chunks < 0) return bytes;
    bytes.number(chunks);
    count(dataset.size());
    return bytes.raw(dataset);
}

Imatrix imatrix_of_ones(const Model& model) {
    std::vector<Imatrix::Entry> entries;
    for (const auto& [info, shard] : model.tensors()) {
        entries.push_back({std::string(info->name), std::vector<float>(info->ne[0] * info->ne[2] * info->ne[3], 1.0f)});
    }
    return Imatrix::of(std::move(entries)).value();
}

std::vector<ImatrixSeed> imatrix_seeds() {
    const auto nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    const auto old = [](const Bytes& bytes) { return bytes_of(bytes); };
    Bytes huge_count = old_imatrix({{"t", 1, {1}}});
    for (const std::uint64_t at : {13u, 14u, 15u}) huge_count.set(at, 0x7f);
    return {
        {"gguf", gguf_imatrix({{"a.weight", {1, 2, 3, 4}, {2}}, {"b.weight", {1, 2, 3, 4}, {1, 0}}})},
        {"gguf-big", gguf_imatrix({{"a.weight", {1, 2, 3, 4}, {2}}}, ByteOrder::big)},
        {"gguf-model", gguf_imatrix({{"a.weight", {1}, {1}}}, ByteOrder::little, "model")},
        {"gguf-counts-differ", gguf_imatrix({{"a.weight", {1, 2, 3, 4, 5, 6}, {1, 1}, 2}})},
        {"gguf-nan", gguf_imatrix({{"a.weight", {1, nan}, {2}}})},
        {"gguf-tiny-count", gguf_imatrix({{"a.weight", {1e30f, 2}, {1e-30f}}})},
        {"old", old(old_imatrix({{"a.weight", 2, {1, 2}}, {"b.weight", 0, {3}}}, 9, "text.txt"))},
        {"old-without-trailer", old(old_imatrix({{"a.weight", 2, {1, 2}}}))},
        {"old-no-entries", old(old_imatrix({}))},
        {"old-infinite", old(old_imatrix({{"a.weight", 2, {1, infinity}}}))},
        {"old-negative-calls", old(old_imatrix({{"a.weight", -1, {1}}}))},
        {"old-twice", old(old_imatrix({{"a", 1, {1}}, {"a", 1, {1}}}))},
        {"old-count-past-end", old(huge_count)},
        {"old-entries-past-end", old(old_imatrix({{"a", 1, {1}}}).set(0, 0xff).set(1, 0xff).set(2, 0xff).set(3, 0x7f))},
    };
}

}  // namespace ggufkit::test
