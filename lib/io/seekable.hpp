// Files of zstd frames, and the seekable format: frames one after another, and behind them a table of their sizes in a skippable frame.
// Readers that do not know it skip the table. Source: spec/streams.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <optional>
#include <span>
#include <vector>

#include "io/read_at.hpp"

namespace ggufkit::io {

// Content of one frame of ours: in so much weights compress as well as in more, and a thread needs little memory.
inline constexpr std::size_t frame_content = 1 << 20;

// Whether a file that begins so is made of zstd frames; skippable ones count.
bool is_zstd(std::span<const std::byte> beginning) noexcept;

struct Frame {
    std::uint64_t at;      // in the compressed file
    std::uint64_t offset;  // of its content in the whole content
    std::uint32_t size;    // in the compressed file
    std::uint32_t content;
};

class SeekTable {
  public:
    // The next frame, as it was written.
    void add(std::uint32_t size, std::uint32_t content);
    // The skippable frame that ends the file.
    std::vector<std::byte> encode() const;

    // The table at the end of a file of `file_size` bytes; nothing where there is none that fits the file: it is then read
    // from front to back. Errors: those of `read_at`.
    static Result<std::optional<SeekTable>> read(const ReadAt& read_at, std::uint64_t file_size);

    std::span<const Frame> frames() const { return frames_; }
    std::uint64_t content() const { return frames_.empty() ? 0 : frames_.back().offset + frames_.back().content; }

  private:
    std::uint64_t end() const { return frames_.empty() ? 0 : frames_.back().at + frames_.back().size; }
    std::vector<Frame> frames_;
};

}  // namespace ggufkit::io
