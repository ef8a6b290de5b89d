// Any bytes: parsing them as a patch returns; one that is accepted makes as many bytes as it says, whatever the old file
// holds, or says that it is damaged; and what was parsed is laid down as it was.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "core/hasher.hpp"
#include "patch/format.hpp"

using namespace ggufkit;

namespace {

// Puts checksums right, or hardly any input would get past them.
std::vector<std::byte> signed_patch(std::span<const std::byte> bytes) {
    using patch::step_bytes;
    if (bytes.size() < patch::head_bytes) return {bytes.begin(), bytes.end()};
    std::vector<std::byte> made(bytes.begin(), bytes.end());
    const std::size_t most = (bytes.size() - patch::head_bytes) / step_bytes;
    const std::size_t steps = std::to_integer<std::size_t>(bytes[64]) % (most + 1);
    patch::Head head;
    head.old_file.bytes = std::to_integer<std::uint64_t>(bytes[16]) << 8;
    head.steps = steps;
    head.steps_digest = hash128(bytes.last(steps * step_bytes));
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < steps; ++i) {
        const auto length = bytes.last((steps - i) * step_bytes).subspan(8, 8);
        for (std::size_t b = 0; b < 8; ++b) sum += std::to_integer<std::uint64_t>(length[b]) << (8 * b);
    }
    head.new_file.bytes = sum;
    std::ranges::copy(patch::encode(head), made.begin());
    return made;
}

void run(std::span<const std::byte> bytes) {
    const auto parsed = patch::parse(bytes);
    if (!parsed) {
        if (parsed.error().code != Errc::bad_patch || parsed.error().detail.empty()) std::abort();
        return;
    }
    const auto table = patch::encode(parsed->steps);
    if (!std::ranges::equal(table, bytes.last(table.size()))) std::abort();
    if (parsed->head.old_file.bytes > 1 << 20) return;
    std::vector<std::byte> old_file(static_cast<std::size_t>(parsed->head.old_file.bytes), std::byte{7}), content;
    std::uint64_t made = 0;
    std::size_t framed = 0;
    for (const patch::Step& step : parsed->steps) {
        made += step.length;
        if (step.kind == patch::Step::Kind::copy) continue;
        const auto frame = parsed->frames.subspan(framed, step.frame_bytes);
        framed += step.frame_bytes;
        const auto done = patch::carry_out(step, frame, old_file, content);
        if (done ? content.size() != step.length : done.error().detail.empty()) std::abort();
    }
    if (made != parsed->head.new_file.bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    run(bytes);
    run(signed_patch(bytes));
    return 0;
}
