// The choice of types under a budget: a multiple-choice knapsack.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ggufkit/requant/target.hpp>
#include <limits>
#include <optional>

namespace ggufkit::target {

namespace {

// What an option saves of the loss, and what it takes, over the option before it on a tensor's hull.
struct Step {
    std::size_t tensor;
    std::size_t option;  // after the step
    std::uint64_t bytes;
    double gain;

    double gain_per_byte() const { return gain / static_cast<double>(bytes); }
};

// The lower convex hull of a tensor's options in the plane of bytes and error, as indices: each step along it gains less
// for a byte than the one before. Costs can only be met between these by mixing, so no optimum of the relaxed problem
// needs any other.
std::vector<std::size_t> lower_hull(std::span<const TypeOption> options) {
    std::vector<std::size_t> hull;
    const auto below = [&](std::size_t a, std::size_t b, std::size_t c) {  // b lies below the line from a to c
        const auto run = [&](std::size_t i) { return static_cast<double>(options[i].bytes - options[a].bytes); };
        return (options[b].error - options[a].error) * run(c) < (options[c].error - options[a].error) * run(b);
    };
    for (std::size_t i = 0; i < options.size(); ++i) {
        if (!hull.empty() && options[i].error >= options[hull.back()].error) continue;
        if (!hull.empty() && options[i].bytes == options[hull.back()].bytes) hull.pop_back();
        while (hull.size() >= 2 && !below(hull[hull.size() - 2], hull.back(), i)) hull.pop_back();
        hull.push_back(i);
    }
    return hull;
}

class Knapsack {
  public:
    Knapsack(const Measurement& measurement, std::uint64_t budget) : tensors_(measurement.tensors), budget_(budget) {
        solution_.bytes = measurement.fixed_bytes;
        for (const MeasuredTensor& tensor : tensors_) {
            const auto hull = lower_hull(tensor.options);
            const std::size_t index = solution_.choice.size();
            solution_.choice.push_back(hull.front());
            solution_.bytes += tensor.options[hull.front()].bytes;
            for (std::size_t i = 1; i < hull.size(); ++i) {
                const TypeOption &from = tensor.options[hull[i - 1]], &to = tensor.options[hull[i]];
                steps_.push_back({index, hull[i], to.bytes - from.bytes, tensor.sensitivity * (from.error - to.error)});
            }
        }
        std::ranges::stable_sort(steps_, std::ranges::greater{}, &Step::gain_per_byte);
    }

    Result<Solution> solve() {
        if (solution_.bytes > budget_) {
            return fail({.code = Errc::out_of_range,
                         .detail = fmt::format("the smallest types take {} bytes", solution_.bytes)});
        }
        climb();
        while (exchange()) {
        }
        solution_.loss = loss();
        solution_.bound = std::min(solution_.bound, solution_.loss);
        return std::move(solution_);
    }

  private:
    // A change of one tensor's option.
    struct Move {
        std::size_t tensor;
        std::size_t option;
        std::uint64_t bytes;  // more, or fewer
        double loss;          // less, or more
    };
    // The two moves that save most among those of a size or smaller, of different tensors.
    using Best = std::array<const Move*, 2>;

    double loss() const {
        double sum = 0;
        for (std::size_t i = 0; i < tensors_.size(); ++i) sum += loss_of(i, solution_.choice[i]);
        return sum;
    }
    double loss_of(std::size_t tensor, std::size_t option) const {
        return tensors_[tensor].sensitivity * tensors_[tensor].options[option].error;
    }

    // Steps in order of what they gain for a byte, up to the first that is too big. A part of that one, if it could be had,
    // would make the optimum of the relaxed problem, which no whole choice beats.
    void climb() {
        for (const Step& step : steps_) {
            const std::uint64_t left = budget_ - solution_.bytes;
            if (step.bytes > left) {
                solution_.bound = loss() - step.gain_per_byte() * static_cast<double>(left);
                return;
            }
            give(step.tensor, step.option);
        }
        solution_.bound = loss();
    }

    void give(std::size_t tensor, std::size_t option) {
        const auto& options = tensors_[tensor].options;
        solution_.bytes = solution_.bytes - options[solution_.choice[tensor]].bytes + options[option].bytes;
        solution_.choice[tensor] = option;
    }

    // Of all ways to give one tensor a better option, with or without giving another a smaller one, the one that saves
    // most is taken. False where none saves anything.
    bool exchange() {
        std::vector<Move> bigger, smaller;
        list_moves(bigger, smaller);
        std::ranges::stable_sort(bigger, {}, &Move::bytes);
        std::vector<Best> best(bigger.size());
        for (std::size_t i = 0; i < bigger.size(); ++i) best[i] = better(i == 0 ? Best{} : best[i - 1], &bigger[i]);

        const Move* up = nullptr;
        const Move* down = nullptr;
        double saved = loss() * 1e-9;  // less than this is rounding
        const auto consider = [&](const Move* candidate_down) {
            const std::uint64_t room = budget_ - solution_.bytes + (candidate_down ? candidate_down->bytes : 0);
            const auto fitting = std::ranges::upper_bound(bigger, room, {}, &Move::bytes) - bigger.begin();
            if (fitting == 0) return;
            for (const Move* candidate : best[static_cast<std::size_t>(fitting) - 1]) {
                if (candidate == nullptr || (candidate_down && candidate->tensor == candidate_down->tensor)) continue;
                const double saving = candidate->loss - (candidate_down ? candidate_down->loss : 0);
                if (saving > saved) saved = saving, up = candidate, down = candidate_down;
            }
        };
        consider(nullptr);
        for (const Move& move : smaller) consider(&move);
        if (up == nullptr) return false;
        give(up->tensor, up->option);
        if (down != nullptr) give(down->tensor, down->option);
        return true;
    }

    void list_moves(std::vector<Move>& bigger, std::vector<Move>& smaller) const {
        for (std::size_t t = 0; t < tensors_.size(); ++t) {
            const auto& options = tensors_[t].options;
            const std::uint64_t bytes = options[solution_.choice[t]].bytes;
            const double now = loss_of(t, solution_.choice[t]);
            for (std::size_t o = 0; o < options.size(); ++o) {
                const double then = loss_of(t, o);
                if (then < now) {
                    const std::uint64_t more = options[o].bytes > bytes ? options[o].bytes - bytes : 0;
                    bigger.push_back({t, o, more, now - then});
                } else if (options[o].bytes < bytes) {
                    smaller.push_back({t, o, bytes - options[o].bytes, then - now});
                }
            }
        }
    }

    static Best better(Best best, const Move* move) {
        if (best[0] == nullptr || move->loss > best[0]->loss) {
            if (best[0] != nullptr && best[0]->tensor != move->tensor) best[1] = best[0];
            best[0] = move;
        } else if (move->tensor != best[0]->tensor && (best[1] == nullptr || move->loss > best[1]->loss)) {
            best[1] = move;
        }
        return best;
    }

    const std::vector<MeasuredTensor>& tensors_;
    const std::uint64_t budget_;
    std::vector<Step> steps_;
    Solution solution_;
};

}  // namespace

std::uint64_t budget_of(const Measurement& measurement, double bits_a_weight) {
    const double bytes = bits_a_weight * static_cast<double>(measurement.weights) / 8;
    constexpr double most = 1ull << 62;
    return measurement.header_bytes + static_cast<std::uint64_t>(std::clamp(bytes, 0.0, most));
}

Result<Solution> solve(const Measurement& measurement, std::uint64_t budget) {
    return Knapsack(measurement, budget).solve();
}

}  // namespace ggufkit::target
