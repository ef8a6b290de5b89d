// How far a run has come, kept so that the next one can go on from there.
//
// Threads say which pieces are complete; every now and then a thread of its own brings the data to disk and
// then appends to the journal up to where all pieces are complete.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "requant/journal.hpp"

namespace ggufkit::requant {

// The hash of a piece is that of all outputs' bytes for it: begin with 0, go on with each.
std::uint64_t hash_piece(std::span<const std::byte> bytes, std::uint64_t before);

class Checkpoints {
  public:
    Checkpoints(Journal journal, std::size_t pieces) : journal_(std::move(journal)), hashes_(pieces) {}

    // What the run before says it had done: a claim. Errors: those of Journal::read().
    Result<std::vector<Journal::Mark>> claims() const { return journal_.read(); }

    // How many pieces, from the first one on, are as the claims say; they count as done. `hash_pieces` calls done() for
    // each piece below `end`, with the hash of what the outputs hold now.
    Result<std::size_t> verify(std::vector<Journal::Mark> claims,
                               const std::function<Result<void>(std::size_t end)>& hash_pieces);

    // Keeps the journal every `interval` until finish(). `sync` brings all outputs to disk; `failed` is called
    // where that or the journal fails.
    void start(std::chrono::milliseconds interval, std::function<Result<void>()> sync, std::function<void()> failed);

    // From any thread: the bytes of this piece are written.
    void done(std::size_t piece, std::uint64_t hash) {
        hashes_[piece].store(hash == 0 ? 1 : hash, std::memory_order_release);
    }

    // Ends the thread. What went wrong with it, if anything did.
    Result<void> finish();

    // Whether there is a mark in the journal.
    bool begun() const { return marked_ > 0; }

    // One more mark, now: before a run is given up, or after its last piece. Not between start() and finish().
    // A failure is final.
    Result<void> mark();

    // The outputs are complete, or given up.
    void forget() const { journal_.remove(); }

  private:
    std::uint64_t hash_of_range(std::size_t first, std::size_t end) const;
    void keep_journal(const std::stop_token& stop, std::chrono::milliseconds interval);
    Result<void> try_to_mark();

    Journal journal_;
    std::vector<std::atomic<std::uint64_t>> hashes_;  // of the pieces that are done; 0: not yet
    std::size_t marked_ = 0;                          // pieces below this one are in the journal
    std::function<Result<void>()> sync_;
    std::function<void()> failed_;
    Result<void> outcome_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it ends before what it uses does
};

}  // namespace ggufkit::requant
