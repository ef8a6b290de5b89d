// The bytes of a patch: spec/patch.md.
//
// A head, the zstd frames, and the steps that make the new file from its first byte to its last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/diff/patch.hpp>
#include <ggufkit/error.hpp>
#include <span>
#include <vector>

namespace ggufkit::patch {

inline constexpr std::size_t head_bytes = 96;
inline constexpr std::size_t step_bytes = 32;
inline constexpr std::uint64_t most_content = 1 << 20;  // of a frame
inline constexpr std::uint64_t most_prefix = 4 << 20;   // of the old file, before a frame's content

// The next bytes of the new file.
struct Step {
    enum class Kind : std::uint32_t {
        copy = 0,     // bytes of the old file
        frame = 1,    // the content of a frame, which may refer to bytes of the old file as if they stood before it
        changes = 2,  // bytes of the old file, each xor one of the content of a frame
    };
    Kind kind;
    std::uint32_t frame_bytes;  // 0 for a copy
    std::uint64_t length;       // in the new file
    std::uint64_t old_offset;
    std::uint64_t old_length;  // of a frame: any up to most_prefix; else `length`
    friend bool operator==(const Step&, const Step&) = default;
};

struct Head {
    PatchedFile old_file;
    PatchedFile new_file;
    std::uint64_t steps = 0;
    Digest steps_digest;
};

std::vector<std::byte> encode(const Head& head);  // head_bytes
std::vector<std::byte> encode(std::span<const Step> steps);

struct Patch {
    Head head;
    std::vector<Step> steps;
    std::span<const std::byte> frames;  // one behind the other, in the order of the steps

    std::uint64_t copied() const;
    // Every copied byte stays where it is, and so does the end of the file.
    bool in_place() const;
};

// Every range of a patch that is accepted lies inside its file; the steps make exactly the new file, and the frames are
// exactly those of the steps. Allocation is bounded by the size of `bytes`. Errors: BAD_PATCH with the place.
Result<Patch> parse(std::span<const std::byte> bytes);

PatchSummary summary_of(const Patch& patch, std::uint64_t bytes);

// Makes what a step adds from `old_file`, which is as long as the patch says. Errors: BAD_PATCH.
Result<void> carry_out(const Step& step, std::span<const std::byte> frame, std::span<const std::byte> old_file,
                       std::vector<std::byte>& content);

}  // namespace ggufkit::patch
