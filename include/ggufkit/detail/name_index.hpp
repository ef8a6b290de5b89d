// Names to positions in a list that someone else keeps: a flat hash table of indices.
//
// Purpose: O(1) look-up among the names of a file. The hash is seeded anew in every process, so that a file cannot be
// made whose names all fall on one another.
// Ownership: holds indices only; `name_of(index)` gives the name, which its owner keeps.
// Thread-safety: look-ups of a built index from any number of threads.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ggufkit::detail {

std::uint64_t name_hash(std::string_view name) noexcept;

class NameIndex {
  public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    // Room for `count` names without growing.
    void reserve(std::size_t count) {
        if (2 * count > slots_.size()) grow(std::bit_ceil(2 * count));
    }

    // The index that was inserted under `name`, or none.
    template <class NameOf>
    std::uint32_t find(std::string_view name, NameOf&& name_of) const {
        return slots_.empty() ? none : slots_[slot_of(name, name_hash(name), name_of)].index;
    }

    // False, and nothing changes, where the name is there already.
    template <class NameOf>
    bool insert(std::uint32_t index, NameOf&& name_of) {
        reserve(count_ + 1);
        const std::string_view name = name_of(index);
        const std::uint64_t hash = name_hash(name);
        Slot& slot = slots_[slot_of(name, hash, name_of)];
        if (slot.index != none) return false;
        slot = {index, static_cast<std::uint32_t>(hash)};
        ++count_;
        return true;
    }

    void clear() {
        slots_.clear();
        count_ = 0;
    }

  private:
    // The low half of the hash stands beside the index: it places the slot when the table grows, and spares most of the
    // looks at the names of others.
    struct Slot {
        std::uint32_t index = none;
        std::uint32_t hash = 0;
    };

    // Where `name` is, or the free slot where it belongs. At most half of the slots are taken, so there is one.
    template <class NameOf>
    std::size_t slot_of(std::string_view name, std::uint64_t hash, NameOf&& name_of) const {
        const std::size_t mask = slots_.size() - 1;
        const auto tag = static_cast<std::uint32_t>(hash);
        std::size_t at = tag & mask;
        while (slots_[at].index != none && (slots_[at].hash != tag || name_of(slots_[at].index) != name)) {
            at = (at + 1) & mask;
        }
        return at;
    }

    void grow(std::size_t size);

    std::vector<Slot> slots_;
    std::size_t count_ = 0;
};

}  // namespace ggufkit::detail
