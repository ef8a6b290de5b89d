// zstd frames and seek tables made and read by hand, with nothing of lib/io.
#pragma once

#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace ggufkit::test {

using Content = std::vector<std::byte>;

inline void append(Content& to, std::span<const std::byte> bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

inline void append_u32(Content& to, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) to.push_back(static_cast<std::byte>(value >> shift & 0xff));
}

inline std::uint32_t u32_at(std::span<const std::byte> bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i)
        value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + static_cast<std::size_t>(i)]);
    return value;
}

struct FrameOptions {
    int level = 1;
    bool checksum = true;
    std::optional<int> window_log{};  // said by the frame, which then does not say how large its content is
};

inline Content frame_of(std::span<const std::byte> content, FrameOptions options = {}) {
    ZSTD_CCtx* const context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, options.level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, options.checksum ? 1 : 0);
    Content frame(ZSTD_compressBound(content.size()) + 100);
    ZSTD_outBuffer out{frame.data(), frame.size(), 0};
    ZSTD_inBuffer in{content.data(), content.size(), 0};
    if (options.window_log) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, *options.window_log);
        ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    }
    const std::size_t left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
    ZSTD_freeCCtx(context);
    if (left != 0) throw std::runtime_error("zstd");
    frame.resize(out.pos);
    return frame;
}

inline Content skippable_frame(std::uint32_t magic, std::span<const std::byte> bytes) {
    Content frame;
    append_u32(frame, magic);
    append_u32(frame, static_cast<std::uint32_t>(bytes.size()));
    append(frame, bytes);
    return frame;
}

struct Entry {
    std::uint32_t size, content;
    friend bool operator==(const Entry&, const Entry&) = default;
};

// The seek table of these frames; with a checksum for each where `checksums`.
inline Content seek_table(std::span<const Entry> entries, bool checksums = false) {
    Content table;
    for (const Entry& entry : entries) {
        append_u32(table, entry.size);
        append_u32(table, entry.content);
        if (checksums) append_u32(table, 0x12345678);
    }
    append_u32(table, static_cast<std::uint32_t>(entries.size()));
    table.push_back(checksums ? std::byte{0x80} : std::byte{0});
    append_u32(table, 0x8F92EAB1);
    return skippable_frame(0x184D2A5E, table);
}

// The content cut into frames of `step` bytes, with a seek table behind them.
inline Content seekable(std::span<const std::byte> content, std::size_t step, bool checksums = false) {
    Content file;
    std::vector<Entry> entries;
    for (std::size_t at = 0; at < content.size(); at += step) {
        const auto part = content.subspan(at, std::min(step, content.size() - at));
        const Content frame = frame_of(part);
        append(file, frame);
        entries.push_back({static_cast<std::uint32_t>(frame.size()), static_cast<std::uint32_t>(part.size())});
    }
    append(file, seek_table(entries, checksums));
    return file;
}

// The entries of the seek table that ends a file, as spec/streams.md has it.
inline std::vector<Entry> entries_of(std::span<const std::byte> file) {
    const std::uint32_t count = u32_at(file, file.size() - 9);
    const std::size_t table = file.size() - 9 - 8 * std::size_t{count};
    if (u32_at(file, file.size() - 4) != 0x8F92EAB1 || file[file.size() - 5] != std::byte{0} ||
        u32_at(file, table - 8) != 0x184D2A5E || u32_at(file, table - 4) != 8 * count + 9) {
        throw std::runtime_error("no seek table");
    }
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < count; ++i)
        entries.push_back({u32_at(file, table + 8 * i), u32_at(file, table + 8 * i + 4)});
    return entries;
}

// What `zstd -d` makes of a file: frames one after another, skippable ones left out.
inline Content content_of(std::span<const std::byte> file) {
    ZSTD_DCtx* const context = ZSTD_createDCtx();
    Content content, buffer(1 << 20);
    ZSTD_inBuffer in{file.data(), file.size(), 0};
    std::size_t wanted = 0;
    while (in.pos < in.size) {
        ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
        wanted = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(wanted) != 0) break;
        append(content, std::span(buffer).first(out.pos));
    }
    ZSTD_freeDCtx(context);
    if (wanted != 0) throw std::runtime_error("no zstd file");
    return content;
}

}  // namespace ggufkit::test
