// The greedy algorithm of E. W. Myers, "An O(ND) difference algorithm and its variations" (1986).
#include <algorithm>

#include "diff/sequences.hpp"

namespace ggufkit {

namespace {

using Items = std::span<const std::uint64_t>;
using Kind = Edit::Kind;

constexpr std::int64_t most_edits = 1000;

// Steps are taken in order; neighbours of one kind become one edit.
class Script {
  public:
    Script(std::uint64_t a, std::uint64_t b) : a_(a), b_(b) {}
    void add(Kind kind, std::uint64_t count) {
        if (count == 0) return;
        if (!edits_.empty() && edits_.back().kind == kind) {
            edits_.back().count += count;
        } else {
            edits_.push_back({kind, a_, b_, count});
        }
        if (kind != Kind::add) a_ += count;
        if (kind != Kind::remove) b_ += count;
    }
    std::vector<Edit> take() { return std::move(edits_); }

  private:
    std::uint64_t a_;
    std::uint64_t b_;
    std::vector<Edit> edits_;
};

// For every number of edits d how far each diagonal k = x - y from -d to d gets, in steps of 2.
class Frontier {
  public:
    std::int64_t& at(std::int64_t d, std::int64_t k) { return rows_[static_cast<std::size_t>(d)][index(d, k)]; }
    std::int64_t at(std::int64_t d, std::int64_t k) const { return rows_[static_cast<std::size_t>(d)][index(d, k)]; }
    void add_row() { rows_.emplace_back(rows_.size() + 1); }

    // Whether the best way to diagonal k with d edits comes from k + 1, by an addition.
    bool comes_down(std::int64_t d, std::int64_t k) const {
        return k == -d || (k != d && at(d - 1, k - 1) < at(d - 1, k + 1));
    }
    std::int64_t start(std::int64_t d, std::int64_t k) const {
        if (d == 0) return 0;
        return comes_down(d, k) ? at(d - 1, k + 1) : at(d - 1, k - 1) + 1;
    }

  private:
    static std::size_t index(std::int64_t d, std::int64_t k) { return static_cast<std::size_t>((k + d) / 2); }
    std::vector<std::vector<std::int64_t>> rows_;
};

struct Step {
    Kind kind;
    std::uint64_t count;
};

// From the end back to the beginning.
std::vector<Step> way_back(const Frontier& frontier, std::int64_t d, std::int64_t k) {
    std::vector<Step> steps;
    for (;; --d) {
        const std::int64_t x = frontier.at(d, k), start = frontier.start(d, k);
        steps.push_back({Kind::keep, static_cast<std::uint64_t>(x - start)});
        if (d == 0) break;
        const bool down = frontier.comes_down(d, k);
        steps.push_back({down ? Kind::add : Kind::remove, 1});
        k += down ? 1 : -1;
    }
    std::ranges::reverse(steps);
    return steps;
}

// Empty where it takes too many edits.
std::vector<Step> shortest(Items a, Items b) {
    const auto n = static_cast<std::int64_t>(a.size()), m = static_cast<std::int64_t>(b.size());
    Frontier frontier;
    for (std::int64_t d = 0; d <= std::min(n + m, most_edits); ++d) {
        frontier.add_row();
        for (std::int64_t k = -d; k <= d; k += 2) {
            std::int64_t x = frontier.start(d, k);
            const auto equal = [&] {
                const std::int64_t y = x - k;
                return x >= 0 && y >= 0 && x < n && y < m &&
                       a[static_cast<std::size_t>(x)] == b[static_cast<std::size_t>(y)];
            };
            while (equal()) ++x;
            frontier.at(d, k) = x;
            if (x == n && x - k == m) return way_back(frontier, d, k);
        }
    }
    return {};
}

}  // namespace

std::vector<Edit> edits_between(Items a, Items b) {
    const auto [in_a, in_b] = std::ranges::mismatch(a, b);
    const auto head = static_cast<std::size_t>(in_a - a.begin());
    Script script(0, 0);
    script.add(Kind::keep, head);
    a = a.subspan(head);
    b = b.subspan(head);
    std::size_t tail = 0;
    while (tail < std::min(a.size(), b.size()) && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
    a = a.first(a.size() - tail);
    b = b.first(b.size() - tail);
    const auto steps = shortest(a, b);
    for (const auto& [kind, count] : steps) script.add(kind, count);
    if (steps.empty()) {
        script.add(Kind::remove, a.size());
        script.add(Kind::add, b.size());
    }
    script.add(Kind::keep, tail);
    return script.take();
}

std::vector<Hunk> hunks_of(std::span<const Edit> edits, std::uint64_t context) {
    std::vector<Hunk> hunks;
    bool open = false;
    const auto add = [&](const Edit& edit) {
        if (edit.count == 0) return;
        if (!open) hunks.push_back({.a = edit.a, .b = edit.b});
        open = true;
        Hunk& hunk = hunks.back();
        hunk.edits.push_back(edit);
        if (edit.kind != Kind::add) hunk.count_a += edit.count;
        if (edit.kind != Kind::remove) hunk.count_b += edit.count;
    };
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit& edit = edits[i];
        const bool first = i == 0, last = i + 1 == edits.size();
        if (edit.kind != Kind::keep || (!first && !last && edit.count <= 2 * context)) {
            add(edit);
        } else {
            const std::uint64_t shown = std::min(edit.count, context), skipped = edit.count - shown;
            if (!first) add({Kind::keep, edit.a, edit.b, shown});
            open = open && last;
            if (!last) add({Kind::keep, edit.a + skipped, edit.b + skipped, shown});
        }
    }
    return hunks;
}

}  // namespace ggufkit
