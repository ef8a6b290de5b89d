#include "view/piece_cache.hpp"

namespace ggufkit::requant {

// The right and the duty to make a piece: ends with the piece kept, or given up, also by an exception.
class PieceCache::Claim {
  public:
    Claim(PieceCache& cache, std::uint64_t number) : cache_(cache), number_(number) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() {
        if (!kept_) {
            const std::lock_guard lock(cache_.mutex_);
            cache_.slots_.erase(number_);
        }
        cache_.changed_.notify_all();
    }

    void keep(const Bytes& bytes) {
        cache_.keep(number_, bytes);
        kept_ = true;
    }

  private:
    PieceCache& cache_;
    const std::uint64_t number_;
    bool kept_ = false;
};

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
    Claim claim(*this, number);
    auto made = make();
    if (made) claim.keep(*made);
    return made;
}

void PieceCache::keep(std::uint64_t number, const Bytes& bytes) {
    const std::lock_guard lock(mutex_);
    used_.push_front(number);
    Slot& slot = slots_.at(number);
    slot.bytes = bytes;
    slot.at = used_.begin();
    bytes_ += bytes->size();
    while (bytes_ > capacity_) {
        const auto oldest = slots_.find(used_.back());
        bytes_ -= oldest->second.bytes->size();
        slots_.erase(oldest);
        used_.pop_back();
    }
}

std::uint64_t PieceCache::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

}  // namespace ggufkit::requant
