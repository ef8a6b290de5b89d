// A segment of an output file, and the one function that makes its bytes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ranges>
#include <span>

#include "core/try.hpp"
#include "requant/source.hpp"

namespace ggufkit::requant {

// A contiguous part of an output file: of its header, of a tensor, or of the padding between tensors.
struct Segment {
    std::size_t file = 0;  // index among the files of all outputs
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::span<const std::byte> header{};  // of a part of the header; padding has none, and is zeros
    Piece piece{};                        // of a tensor
    const Target* target = nullptr;       // what becomes of the piece; null: header or padding
};

// Headers and padding are cut into segments of at most this size.
inline constexpr std::uint64_t longest_frame_segment = 1 << 20;

// The segment that a target makes of a piece.
Segment segment_of(const Piece& piece, const Target& target);

// The segments that all outputs make of a piece.
inline auto segments_of(const Piece& piece) {
    return piece.tensor->targets |
           std::views::transform([piece](const Target& target) { return segment_of(piece, target); });
}

// The rows of a segment may be of several matrices, each with an importance of its own: calls take(row, rows,
// importance) -> Result<void> for each of them, `row` being the first one within the segment.
template <class Take>
Result<void> each_matrix(const Segment& segment, Take&& take) {
    const PlannedTensor& tensor = *segment.target->tensor;
    const auto& [source, first, units] = segment.piece;
    for (std::uint64_t row = 0; row < units;) {
        const std::uint64_t matrix = (first + row) / tensor.ne[1];
        const std::uint64_t end = std::min(units, (matrix + 1) * tensor.ne[1] - first);
        const auto importance = tensor.importance.empty()
                                    ? tensor.importance
                                    : tensor.importance.subspan(matrix * tensor.ne[0], tensor.ne[0]);
        TRY(take(row, end - row, importance));
        row = end;
    }
    return {};
}

// Sees how well pieces are encoded. Called from any thread.
class Observer {
  public:
    virtual ~Observer() = default;
    // `blocks` are the segment's bytes in native byte order; `took` is the time that encoding them took.
    virtual Result<void> encoded(const Segment& segment, std::span<const float> values,
                                 std::span<const std::byte> blocks, std::chrono::duration<double> took) = 0;
};

// The bytes of a segment, in the output's byte order; valid until the workspace is used again. Errors: those of
// read_piece(); BAD_QUANT where a value is too large for its type; those of the observer.
Result<std::span<const std::byte>> make(const Segment& segment, Workspace& workspace, Observer* observer = nullptr);

// The bytes of a segment of a header or of padding, which need no workspace.
std::span<const std::byte> frame_bytes(const Segment& segment);

}  // namespace ggufkit::requant
