// A set of enumerators in one word; the rows of the recipe tables are made of these.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace ggufkit::plan {

template <class Enum>
class EnumSet {
  public:
    constexpr EnumSet() = default;
    constexpr EnumSet(std::initializer_list<Enum> members) {
        for (const Enum member : members) add(member, true);
    }

    constexpr void add(Enum member, bool wanted) {
        if (wanted) bits_ |= bit(member);
    }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr bool contains(Enum member) const { return (bits_ & bit(member)) != 0; }
    constexpr bool meets(EnumSet other) const { return (bits_ & other.bits_) != 0; }
    constexpr bool contains(EnumSet other) const { return (other.bits_ & ~bits_) == 0; }

  private:
    static constexpr std::uint64_t bit(Enum member) { return std::uint64_t{1} << static_cast<unsigned>(member); }
    std::uint64_t bits_ = 0;
};

}  // namespace ggufkit::plan
