#include "container/strings.hpp"

#include <array>
#include <utility>

namespace ggufkit::container {
namespace {

// Where a string ends is known when its length has arrived from memory, and only then where the next length is: one
// string at a time, the walk is a chain of loads that each wait for the one before. So several chains run side by side,
// from places where strings seem to begin. A guess is believed when the chain before it arrives exactly there; what a
// wrong one found is forgotten. The result is that of the simple walk, whatever the bytes are.
template <class Length, ByteOrder order>
class StringWalk {
  public:
    StringWalk(const std::byte* begin, std::size_t size, std::uint64_t count)
        : at_(begin), end_(begin + size), count_(count) {}

    // Stops before the first string that does not fit; true where there was none.
    bool run() {
        while (side_by_side()) {
        }
        while (count_ != 0 && pass(at_)) --count_;
        return count_ == 0;
    }

    const std::byte* at() const { return at_; }

  private:
    static constexpr std::size_t lanes = 4;
    static constexpr std::size_t stride = 8192;  // from lane to lane, in bytes
    static constexpr std::size_t reach = 1024;   // how far to look for the start of a string
    static constexpr std::size_t span = lanes * stride + reach;
    using Places = std::array<const std::byte*, lanes>;

    std::size_t room(const std::byte* at) const { return static_cast<std::size_t>(end_ - at); }

    bool pass(const std::byte*& at) const {
        if (room(at) < sizeof(Length)) return false;
        const auto length = load<Length>(at, order);
        if (length > room(at) - sizeof(Length)) return false;
        at += sizeof(Length) + static_cast<std::size_t>(length);
        return true;
    }

    // The first place from `at` on that could be the length of a short string: all of its bytes but one are zero, which
    // text never is. Null where there is none nearby.
    static const std::byte* guess(const std::byte* at) {
        for (const std::byte* const stop = at + reach; at != stop; ++at) {
            if (load<Length>(at, order) < 256) return at;
        }
        return nullptr;
    }

    // One round of all lanes. False where it makes no sense: few strings are left, or there is nothing to guess from.
    bool side_by_side() {
        if (room(at_) < span + sizeof(Length) || count_ < span / sizeof(Length)) return false;
        Places at, stop;
        at[0] = at_;
        for (std::size_t i = 1; i < lanes; ++i) {
            at[i] = guess(at_ + i * stride);
            if (at[i] == nullptr) return false;
            stop[i - 1] = at[i];
        }
        stop[lanes - 1] = at_ + lanes * stride;

        const std::uint64_t together = run_lanes(at, stop, std::make_index_sequence<lanes>{});
        for (std::size_t i = 0; i < lanes; ++i) {
            count_ -= together;
            for (; at[i] < stop[i]; --count_) {
                if (pass(at[i])) continue;
                at_ = at[i];
                return false;  // the simple walk will find the same fault
            }
            at_ = at[i];
            if (at[i] != stop[i]) break;  // the next lane began inside a string
        }
        return true;
    }

    // Takes the same number of strings in every lane, until one of them is at its end or finds one that does not fit.
    template <std::size_t... lane>
    std::uint64_t run_lanes(Places& places, const Places& stops, std::index_sequence<lane...>) const {
        Places at = places;
        std::uint64_t strings = 0;
        for (Places next = at; (... && (at[lane] < stops[lane] && pass(next[lane]))); at = next) ++strings;
        places = at;
        return strings;
    }

    const std::byte* at_;
    const std::byte* const end_;
    std::uint64_t count_;
};

template <class Length, ByteOrder order>
bool skip(Cursor& in, std::uint64_t count) {
    StringWalk<Length, order> walk(in.data(), in.remaining(), count);
    const bool complete = walk.run();
    return in.skip(static_cast<std::uint64_t>(walk.at() - in.data())) && complete;
}

}  // namespace

bool skip_strings(Cursor& in, std::uint64_t count) {
    const bool wide = in.encoding().length_size() == sizeof(std::uint64_t);
    if (in.encoding().order == ByteOrder::little) {
        return wide ? skip<std::uint64_t, ByteOrder::little>(in, count)
                    : skip<std::uint32_t, ByteOrder::little>(in, count);
    }
    return wide ? skip<std::uint64_t, ByteOrder::big>(in, count) : skip<std::uint32_t, ByteOrder::big>(in, count);
}

}  // namespace ggufkit::container
