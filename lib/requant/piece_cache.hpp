// The pieces that were made last, for any number of threads.
//
// Of the threads that want a piece that is not here one makes it, without any lock, and the others wait for it.
// The least recently used pieces go where all of them would take more than the capacity; who holds one keeps
// it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace ggufkit::requant {

class PieceCache {
  public:
    using Bytes = std::shared_ptr<const std::vector<std::byte>>;

    explicit PieceCache(std::uint64_t capacity) : capacity_(capacity) {}

    // The piece, from here or from `make`. Where `make` fails its error is for this caller; one of those who wait tries
    // again.
    Result<Bytes> get(std::uint64_t number, const std::function<Result<Bytes>()>& make);

    std::uint64_t bytes() const;  // of the pieces that are kept

  private:
    struct Slot {
        Bytes bytes;                              // null while it is made
        std::list<std::uint64_t>::iterator at{};  // in used_, once it is made
    };

    void keep(std::uint64_t number, const Bytes& bytes);
    void give_up(std::uint64_t number);

    const std::uint64_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;  // a piece was made, or given up
    std::unordered_map<std::uint64_t, Slot> slots_;
    std::list<std::uint64_t> used_;  // the numbers of the pieces that are kept, the last used first
    std::uint64_t bytes_ = 0;
};

}  // namespace ggufkit::requant
