#include "requant/segment.hpp"

#include <algorithm>
#include <array>
#include <ggufkit/quant/quantize.hpp>
#include <utility>

namespace ggufkit::requant {

namespace {

using Clock = std::chrono::steady_clock;

Result<void> encode(const Segment& segment, std::span<const float> values, std::span<std::byte> out) {
    const SourceTensor& source = *segment.piece.tensor;
    const Target& target = *segment.target;
    const std::size_t ne0 = source.unit_elements;
    return each_matrix(segment, [&](std::uint64_t row, std::uint64_t rows, auto importance) -> Result<void> {
        auto encoded =
            quantize_rows(target.tensor->to, values.subspan(row * ne0, rows * ne0), ne0,
                          out.subspan(row * target.unit_bytes, rows * target.unit_bytes), importance, target.effort);
        if (encoded) return {};
        const std::uint64_t bad = segment.piece.first + row + encoded.error().offset.value_or(0) / ne0;
        return fail(source.reader.locate(bad * ne0, std::move(encoded).error()));
    });
}

}  // namespace

Segment segment_of(const Piece& piece, const Target& target) {
    return {.file = target.file,
            .offset = target.tensor->offset + piece.first * target.unit_bytes,
            .bytes = piece.units * target.unit_bytes,
            .piece = piece,
            .target = &target};
}

Result<std::span<const std::byte>> make(const Segment& segment, Workspace& workspace, Observer* observer) {
    if (segment.target == nullptr) return frame_bytes(segment);
    const Target& target = *segment.target;
    TRY_LET(const auto source, read_piece(segment.piece, workspace));
    if (!target.converts() && !target.big_endian) return source.bytes;

    const auto out = workspace.made(segment.bytes);
    if (target.converts()) {
        const auto start = observer == nullptr ? Clock::time_point() : Clock::now();
        TRY(encode(segment, source.values, out));
        if (observer != nullptr) {
            TRY(observer->encoded(segment, source.values, out, Clock::now() - start));
        }
    } else {
        std::ranges::copy(source.bytes, out.begin());
    }
    if (target.big_endian) swap_block_bytes(format_of(target.tensor->to), out);
    return out;
}

std::span<const std::byte> frame_bytes(const Segment& segment) {
    static std::array<std::byte, longest_frame_segment>
        zeros;  // never written: takes no memory, nor room in the program
    return segment.header.empty() ? std::span<const std::byte>(zeros).first(segment.bytes) : segment.header;
}

}  // namespace ggufkit::requant
