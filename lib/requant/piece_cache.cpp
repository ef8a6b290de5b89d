#include "requant/piece_cache.hpp"

namespace ggufkit::requant {

Result<PieceCache::Bytes> PieceCache::get(std::uint64_t number, const std::function<Result<Bytes>()>& make) {
    {
        std::unique_lock lock(mutex_);
        for (auto slot = slots_.find(number); slot != slots_.end(); slot = slots_.find(number)) {
            if (slot->second.bytes) {
                used_.splice(used_.begin(), used_, slot->second.at);
                return slot->second.bytes;
            }
            changed_.wait(lock);
        }
        slots_.emplace(number, Slot());
    }
    try {
        auto made = make();
        made ? keep(number, *made) : give_up(number);
        return made;
    } catch (...) {
        give_up(number);
        throw;
    }
}

void PieceCache::keep(std::uint64_t number, const Bytes& bytes) {
    const std::lock_guard lock(mutex_);
    used_.push_front(number);
    slots_.at(number) = {bytes, used_.begin()};
    bytes_ += bytes->size();
    while (bytes_ > capacity_) {
        const auto oldest = slots_.find(used_.back());
        bytes_ -= oldest->second.bytes->size();
        slots_.erase(oldest);
        used_.pop_back();
    }
    changed_.notify_all();
}

void PieceCache::give_up(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    slots_.erase(number);
    changed_.notify_all();
}

std::uint64_t PieceCache::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

}  // namespace ggufkit::requant
