// The content of a file that has a seek table: all of it, or no more than is wanted.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "io/read_at.hpp"
#include "io/seekable.hpp"
#include "io/spool.hpp"
#include "io/spool_file.hpp"

namespace ggufkit::io {

class Frames {
  public:
    // Nothing where the file has no table that is of use. Errors: those of `read`.
    static Result<std::unique_ptr<Frames>> open(ReadAt read, std::uint64_t file_size);

    // Writes the content to a spool: of all frames, or, where SpoolOptions::enough is given, of the first ones until it
    // says yes; the rest is then a hole, and takes no room.
    Result<void> unpack(const SpoolOptions& options);
    bool complete() const { return unpacked_ == table_.frames().size(); }

    // After unpack(): fills the hole as far as these bytes of the content lie in it.
    Result<void> fill(std::uint64_t begin, std::uint64_t end) const;

    const Spool& spool() const { return spool_; }

  private:
    Frames(ReadAt read, SeekTable table, Spool spool)
        : read_(std::move(read)), table_(std::move(table)), spool_(std::move(spool)) {}

    Result<void> unpack(std::span<const Frame> frames, const SpoolOptions& options);
    // Frames that are small enough to be unpacked together.
    Result<void> unpack(std::span<const Frame> batch, std::span<std::byte> buffer) const;
    Result<bool> look(std::uint64_t size, const SpoolOptions& options) const;

    ReadAt read_;
    SeekTable table_;
    Spool spool_;
    std::size_t unpacked_ = 0;  // frames
    std::uint64_t done_ = 0;    // bytes of content
};

}  // namespace ggufkit::io
