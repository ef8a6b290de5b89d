#define XXH_INLINE_ALL
#include <ggufkit/detail/name_index.hpp>

#include <xxhash.h>

#include <chrono>
#include <random>
#include <utility>

namespace ggufkit::detail {
namespace {

std::uint64_t fresh_seed() noexcept {
    // The clock and the place of the stack make do where there is no source of randomness.
    const auto ticks = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    const std::uint64_t fallback = ticks ^ reinterpret_cast<std::uintptr_t>(&ticks);
    try {
        std::random_device source;
        return fallback ^ (std::uint64_t{source()} << 32 | source());
    } catch (...) {
        return fallback;
    }
}

}  // namespace

std::uint64_t name_hash(std::string_view name) noexcept {
    static const std::uint64_t seed = fresh_seed();
    return XXH3_64bits_withSeed(name.data(), name.size(), seed);
}

void NameIndex::grow(std::size_t size) {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(size < 8 ? 8 : size));
    const std::size_t mask = slots_.size() - 1;
    for (const Slot& slot : old) {
        if (slot.index == none) continue;
        std::size_t at = slot.hash & mask;
        while (slots_[at].index != none) at = (at + 1) & mask;
        slots_[at] = slot;
    }
}

}  // namespace ggufkit::detail
