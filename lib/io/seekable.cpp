#include "io/seekable.hpp"

#include "core/bytes.hpp"
#include "core/cursor.hpp"
#include "core/try.hpp"

namespace ggufkit::io {

namespace {

constexpr std::uint32_t frame_magic = 0xFD2FB528;
constexpr std::uint32_t skippable_magic = 0x184D2A50;  // the last hexadecimal digit is free
constexpr std::uint32_t table_magic = skippable_magic | 0xE;
constexpr std::uint32_t footer_magic = 0x8F92EAB1;  // the last bytes of the file
constexpr std::uint64_t frame_header = 8, footer = 9;
constexpr std::uint8_t has_checksums = 0x80, reserved = 0x7C;

// A table of more is not believed, which costs time and no memory: a million of our frames is a tebibyte.
constexpr std::uint32_t most_frames = 1 << 20;

Encoding encoding() { return {ByteOrder::little, 3}; }

}  // namespace

bool is_zstd(std::span<const std::byte> beginning) noexcept {
    if (beginning.size() < sizeof frame_magic) return false;
    const auto magic = load<std::uint32_t>(beginning.data(), ByteOrder::little);
    return magic == frame_magic || (magic & ~0xFu) == skippable_magic;
}

void SeekTable::add(std::uint32_t size, std::uint32_t content) {
    frames_.push_back({.at = end(), .offset = this->content(), .size = size, .content = content});
}

std::vector<std::byte> SeekTable::encode() const {
    std::vector<std::byte> bytes;
    const auto u32 = [&](std::uint64_t value) { append(bytes, static_cast<std::uint32_t>(value), ByteOrder::little); };
    u32(table_magic);
    u32(8 * frames_.size() + footer);
    for (const Frame& frame : frames_) {
        u32(frame.size);
        u32(frame.content);
    }
    u32(frames_.size());
    bytes.push_back(std::byte{0});  // frames have checksums of their own: none in the table
    u32(footer_magic);
    return bytes;
}

Result<std::optional<SeekTable>> SeekTable::read(const ReadAt& read_at, std::uint64_t file_size) {
    const std::optional<SeekTable> none;
    std::vector<std::byte> bytes(footer);
    if (file_size < frame_header + footer) return none;
    TRY(read_at(file_size - footer, bytes));
    Cursor last(bytes, encoding());
    std::uint32_t count = 0, magic = 0, length = 0;
    std::uint8_t descriptor = 0;
    if (!last.read(count) || !last.read(descriptor) || !last.read(magic) || magic != footer_magic) return none;
    if ((descriptor & reserved) != 0 || count > most_frames) return none;

    const std::uint64_t entry = (descriptor & has_checksums) != 0 ? 12 : 8;
    const std::uint64_t table = frame_header + entry * count + footer;
    if (table > file_size) return none;
    bytes.resize(table - footer);
    TRY(read_at(file_size - table, bytes));
    Cursor cursor(bytes, encoding());
    if (!cursor.read(magic) || magic != table_magic) return none;
    if (!cursor.read(length) || length != table - frame_header) return none;

    SeekTable found;
    found.frames_.reserve(count);
    for (std::uint32_t i = 0, size = 0, content = 0; i < count; ++i) {
        if (!cursor.read(size) || !cursor.read(content) || !cursor.skip(entry - 8)) return none;
        found.add(size, content);
    }
    if (found.end() + table != file_size) return none;
    return found;
}

}  // namespace ggufkit::io
