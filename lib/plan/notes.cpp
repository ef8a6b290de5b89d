// What a user may not expect of a plan.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ggufkit/requant/plan.hpp>
#include <set>

namespace ggufkit {

namespace {

using Kind = PlanNote::Kind;

// Kept matrices are noted where they take at least this share of the output's tensor data.
constexpr double much = 0.01;

std::string_view type_name(TensorType type) { return format_of(type).name; }

std::string tensors(std::size_t count, std::string_view one, std::string_view several) {
    return count == 1 ? fmt::format("1 tensor {}", one) : fmt::format("{} tensors {}", count, several);
}

// "96, 288", or "96, 288, 400, 416, …".
std::string listed(const std::set<std::uint64_t>& numbers) {
    constexpr std::size_t most = 4;
    std::string text;
    std::size_t count = 0;
    for (const std::uint64_t number : numbers) {
        if (++count > most) return text + ", …";
        text += fmt::format("{}{}", text.empty() ? "" : ", ", number);
    }
    return text;
}

double bits_per_weight(TensorType type) {
    const FormatInfo& format = format_of(type);
    return 8.0 * static_cast<double>(format.block_bytes) / static_cast<double>(format.block_elements);
}

// Collects what one note is made of.
struct Tally {
    std::vector<std::string> names;
    std::set<std::string> changes;  // "Q4_K to Q8_0"
    std::set<std::uint64_t> rows, multiples;
    std::uint64_t bytes = 0;

    void add(const PlannedTensor& tensor, std::string change) {
        names.push_back(tensor.name);
        changes.insert(std::move(change));
        bytes += tensor.bytes_out;
    }
    void add_row(const PlannedTensor& tensor) {
        rows.insert(tensor.ne[0]);
        multiples.insert(format_of(*tensor.wanted).block_elements);
    }
    std::string why() const { return fmt::format("rows of {} are no multiple of {}", listed(rows), listed(multiples)); }
};

std::string change(TensorType from, TensorType to) { return fmt::format("{} to {}", type_name(from), type_name(to)); }

class Notes {
  public:
    explicit Notes(const Plan& plan) : plan_(plan) {}

    std::vector<PlanNote> take() {
        for (const PlannedTensor& tensor : plan_.tensors) look_at(tensor);
        unmatched_.names = plan_.unmatched_entries;
        add(Kind::fallback, fallback_, [&](std::size_t n) {
            return fmt::format("{} another type than asked for ({}): {}", tensors(n, "gets", "get"),
                               fmt::join(fallback_.changes, ", "), fallback_.why());
        });
        add(Kind::forced_fallback, forced_, [&](std::size_t n) {
            return fmt::format("{} the type asked for by name ({}): {}", tensors(n, "cannot have", "cannot have"),
                               fmt::join(forced_.changes, ", "), forced_.why());
        });
        if (plan_.converts() && static_cast<double>(larger_.bytes) >= much * static_cast<double>(bytes_)) {
            add(Kind::larger, larger_, [&](std::size_t n) {
                return fmt::format("{} larger than {} ({}), {:.0f} % of the output", tensors(n, "stays", "stay"),
                                   type_name(plan_.file_type->default_type), fmt::join(larger_.changes, ", "),
                                   100 * static_cast<double>(larger_.bytes) / static_cast<double>(bytes_));
            });
        }
        add(Kind::grown, grown_, [&](std::size_t n) {
            return fmt::format("{} and {} no precision ({})", tensors(n, "grows", "grow"), n == 1 ? "gains" : "gain",
                               fmt::join(grown_.changes, ", "));
        });
        add(Kind::unseen_experts, unseen_, [&](std::size_t n) {
            return fmt::format(
                "{} experts that the imatrix's text never reached; those experts count as if all "
                "their inputs were alike",
                tensors(n, "has", "have"));
        });
        add(Kind::adapted_entries, adapted_, [&](std::size_t n) {
            return fmt::format("{} importance from imatrix entries of other names ({})", tensors(n, "takes", "take"),
                               fmt::join(adapted_.changes, ", "));
        });
        add(Kind::unmatched_entries, unmatched_, [](std::size_t n) {
            return n == 1 ? std::string("1 entry of the imatrix fits no tensor of the model")
                          : fmt::format("{} entries of the imatrix fit no tensor of the model", n);
        });
        return std::move(notes_);
    }

  private:
    void look_at(const PlannedTensor& tensor) {
        bytes_ += tensor.bytes_out;
        if (tensor.wanted) {
            for (Tally* tally : {&fallback_, tensor.chooser == Chooser::user ? &forced_ : nullptr}) {
                if (tally == nullptr) continue;
                tally->add(tensor, fmt::format("{} for {}", type_name(tensor.to), type_name(*tensor.wanted)));
                tally->add_row(tensor);
            }
        }
        const bool kept = plan_.file_type != nullptr && tensor.chooser == Chooser::none && tensor.rows() > 1;
        if (kept && bits_per_weight(tensor.to) > bits_per_weight(plan_.file_type->default_type)) {
            larger_.add(tensor, tensor.reason.starts_with("copied: ") ? tensor.reason.substr(8) : tensor.reason);
        }
        if (tensor.bytes_out > tensor.bytes_in) grown_.add(tensor, change(tensor.from, tensor.to));
        if (tensor.unseen > 0) unseen_.add(tensor, "");
        if (tensor.importance_from.empty()) return;
        if (adapted_.changes.empty()) adapted_.changes.insert(fmt::format("such as {}", tensor.importance_from));
        adapted_.names.push_back(tensor.name);
    }

    void add(Kind kind, Tally& tally, const auto& text) {
        if (tally.names.empty()) return;
        std::string words = text(tally.names.size());
        notes_.push_back({kind, std::move(words), std::move(tally.names)});
    }

    const Plan& plan_;
    std::uint64_t bytes_ = 0;
    Tally fallback_, forced_, larger_, grown_, unseen_, adapted_, unmatched_;
    std::vector<PlanNote> notes_;
};

}  // namespace

std::string_view name(PlanNote::Kind kind) noexcept {
    switch (kind) {
        case Kind::fallback: return "fallback";
        case Kind::forced_fallback: return "forced_fallback";
        case Kind::larger: return "larger";
        case Kind::grown: return "grown";
        case Kind::unseen_experts: return "unseen_experts";
        case Kind::adapted_entries: return "adapted_entries";
        case Kind::unmatched_entries: return "unmatched_entries";
    }
    return {};
}

std::vector<PlanNote> notes_of(const Plan& plan) { return Notes(plan).take(); }

}  // namespace ggufkit
