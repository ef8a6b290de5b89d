#include "requant/checkpoints.hpp"

#include <system_error>
#include <utility>

#include "core/no_memory.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/try.hpp"

namespace ggufkit::requant {

std::uint64_t hash_piece(std::span<const std::byte> bytes, std::uint64_t before) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), before);
}

std::uint64_t Checkpoints::hash_of_range(std::size_t first, std::size_t end) const {
    std::uint64_t hash = 0;
    for (std::size_t piece = first; piece < end; ++piece) {
        const std::uint64_t next = hashes_[piece].load(std::memory_order_acquire);
        hash = XXH3_64bits_withSeed(&next, sizeof next, hash);
    }
    return hash;
}

Result<std::size_t> Checkpoints::verify(std::vector<Journal::Mark> claims,
                                        const std::function<Result<void>(std::size_t end)>& hash_pieces) {
    while (!claims.empty() && claims.back().pieces > hashes_.size()) claims.pop_back();
    const std::size_t claimed = claims.empty() ? 0 : claims.back().pieces;
    const auto hashed = hash_pieces(claimed);
    const auto forget_from = [&](std::size_t first) {
        for (std::size_t piece = first; piece < claimed; ++piece) hashes_[piece].store(0, std::memory_order_relaxed);
    };
    if (!hashed) {
        forget_from(0);
        return fail(hashed.error());
    }

    std::size_t sound = 0;
    std::vector<Journal::Mark> kept;
    for (const Journal::Mark& claim : claims) {
        if (hash_of_range(sound, claim.pieces) != claim.hash) break;
        sound = claim.pieces;
        kept.push_back(claim);
    }
    forget_from(sound);
    marked_ = sound;
    journal_.begin(std::move(kept));
    return sound;
}

void Checkpoints::start(std::chrono::milliseconds interval, std::function<Result<void>()> sync,
                        std::function<void()> failed) {
    sync_ = std::move(sync);
    failed_ = std::move(failed);
    try {
        thread_ = std::jthread([this, interval](const std::stop_token& stop) { keep_journal(stop, interval); });
    } catch (const std::system_error&) {
        // The system grants no more threads: the run cannot be resumed, but it can be done.
    } catch (const std::bad_alloc&) {
        // The same.
    }
}

void Checkpoints::keep_journal(const std::stop_token& stop, std::chrono::milliseconds interval) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); })) {
        if (mark()) continue;
        failed_();
        return;
    }
}

// Tried once: after a failed sync nobody knows what the disk holds.
Result<void> Checkpoints::mark() {
    if (outcome_) outcome_ = or_no_memory([&] { return try_to_mark(); });
    return outcome_;
}

Result<void> Checkpoints::try_to_mark() {
    std::size_t end = marked_;
    while (end < hashes_.size() && hashes_[end].load(std::memory_order_acquire) != 0) ++end;
    if (end == marked_) return {};
    TRY(sync_());
    TRY(journal_.append({end, hash_of_range(marked_, end)}));
    marked_ = end;
    return {};
}

Result<void> Checkpoints::finish() {
    thread_ = {};
    return outcome_;
}

}  // namespace ggufkit::requant
