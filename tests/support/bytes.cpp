#include "support/bytes.hpp"

#include <bit>

namespace ggufkit::test {

Bytes::Bytes(Encoding encoding, std::uint64_t tensors, std::uint64_t keys) : encoding_(encoding) {
    raw("GGUF").u32(encoding.version).length(tensors).length(keys);
}

Bytes& Bytes::native(std::span<const std::byte> number) {
    const bool native_is_big = std::endian::native == std::endian::big;
    if ((encoding_.order == ByteOrder::big) != native_is_big) {
        bytes_.insert(bytes_.end(), number.rbegin(), number.rend());
    } else {
        bytes_.insert(bytes_.end(), number.begin(), number.end());
    }
    return *this;
}

Bytes& Bytes::length(std::uint64_t value) {
    return encoding_.length_size() == 4 ? u32(static_cast<std::uint32_t>(value)) : u64(value);
}

Bytes& Bytes::raw(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
}

Bytes& Bytes::fill(std::uint64_t count, std::uint8_t byte) {
    bytes_.resize(bytes_.size() + count, std::byte{byte});
    return *this;
}

KeyPlace Bytes::key(std::string_view key, ValueType type) {
    const std::uint64_t at = size();
    string(key).u32(static_cast<std::uint32_t>(type));
    return {at, size() - 4, size()};
}

KeyPlace Bytes::entry(std::string_view key, std::string_view value) {
    const KeyPlace place = this->key(key, ValueType::string);
    string(value);
    return place;
}

ArrayPlace Bytes::array(ValueType element, std::uint64_t count) {
    const std::uint64_t at = size();
    u32(static_cast<std::uint32_t>(element)).length(count);
    return {at, at + 4, size()};
}

TensorPlace Bytes::tensor(const TensorRecord& record) {
    TensorPlace place{};
    place.record = size();
    length(record.name_length.value_or(record.name.size())).raw(record.name);
    place.n_dims = size();
    u32(record.n_dims.value_or(static_cast<std::uint32_t>(record.ne.size())));
    place.ne = size();
    for (const std::uint64_t extent : record.ne) length(extent);
    place.type = size();
    u32(static_cast<std::uint32_t>(record.type));
    place.offset = size();
    u64(record.offset);
    return place;
}

Bytes& Bytes::set(std::uint64_t at, std::uint8_t byte) {
    bytes_[at] = std::byte{byte};
    return *this;
}

Bytes& Bytes::flip(std::uint64_t at, unsigned bit) {
    bytes_[at] ^= static_cast<std::byte>(1u << bit);
    return *this;
}

Bytes& Bytes::cut(std::uint64_t size) {
    bytes_.erase(bytes_.begin() + static_cast<std::ptrdiff_t>(size), bytes_.end());
    return *this;
}

TensorFile::TensorFile(Encoding encoding, std::initializer_list<TensorRecord> records, std::uint64_t data_bytes,
                       std::uint32_t alignment)
    : bytes(encoding, records.size(), alignment == 32 ? 0 : 1) {
    if (alignment != 32) bytes.entry("general.alignment", alignment);
    for (const TensorRecord& record : records) at.push_back(bytes.tensor(record));
    data = bytes.pad(alignment).size();
    bytes.fill(data_bytes);
}

}  // namespace ggufkit::test
