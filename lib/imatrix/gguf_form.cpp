#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "container/role.hpp"
#include "core/try.hpp"
#include "imatrix/forms.hpp"

namespace ggufkit::imatrix {

namespace {

using Entry = Imatrix::Entry;

// A tensor NAME.in_sum2 of squared inputs, summed, and NAME.counts of how many there were.
class GgufForm {
  public:
    explicit GgufForm(const ModelView& view) : view_(view) {}

    Result<Imatrix> read() const {
        if (view_.get_string("general.type") != "imatrix") {
            return fault(Errc::bad_semantics, "key 'general.type'",
                         fmt::format("is not 'imatrix': this is {}, not {}",
                                     container::describe(container::role_of(view_)), wanted));
        }
        std::vector<Entry> entries;
        std::vector<std::string> uncounted;
        for (const TensorInfo& tensor : view_.tensors()) {
            if (const auto name = stem(tensor.name, counts_suffix); name && !find(*name, sums_suffix)) {
                return fault(Errc::bad_semantics, subject_of(tensor), "counts what no sums are of");
            }
            const auto name = stem(tensor.name, sums_suffix);
            if (!name) continue;
            TRY_LET(auto entry, read_entry(std::string(*name), tensor, find(*name, counts_suffix)));
            if (entry.weights.empty()) {
                uncounted.push_back(entry.tensor);
            } else {
                entries.push_back(std::move(entry));
            }
        }
        if (entries.empty() && uncounted.empty()) return fault(Errc::bad_semantics, "imatrix", "has no entries");
        return Imatrix::of(std::move(entries), read_origin(), std::move(uncounted));
    }

  private:
    static constexpr std::string_view sums_suffix = ".in_sum2", counts_suffix = ".counts";

    static std::optional<std::string_view> stem(std::string_view name, std::string_view suffix) {
        if (!name.ends_with(suffix)) return std::nullopt;
        return name.substr(0, name.size() - suffix.size());
    }
    static std::string subject_of(const TensorInfo& tensor) { return fmt::format("tensor '{}'", tensor.name); }
    const TensorInfo* find(std::string_view name, std::string_view suffix) const {
        return view_.find_tensor(std::string(name).append(suffix));
    }

    Result<std::vector<float>> read_numbers(const TensorInfo& tensor) const {
        if (tensor.type_id != format_of(TensorType::F32).id) {
            return fault(Errc::bad_semantics, subject_of(tensor), "is not of type F32", tensor.info_offset);
        }
        TRY_LET(const auto bytes, view_.data(tensor));
        auto values = floats(bytes, view_.byte_order());
        TRY(check_weights(subject_of(tensor), values, view_.data_offset() + tensor.offset));
        return values;
    }

    // Means of the sums. A matrix that was never counted (an expert that the text did not reach) weighs one; where that
    // is all of them, there are no weights.
    Result<Entry> read_entry(std::string name, const TensorInfo& sums, const TensorInfo* counts) const {
        if (counts == nullptr) return fault(Errc::bad_semantics, subject_of(sums), "has no counts", sums.info_offset);
        TRY_LET(auto weights, read_numbers(sums));
        TRY_LET(const auto counted, read_numbers(*counts));
        const std::uint64_t matrices = weights.size() / std::max<std::uint64_t>(1, sums.ne[0]);
        if (weights.empty() || (counted.size() != matrices && counted.size() != 1)) {
            return fault(Errc::bad_semantics, subject_of(*counts),
                         fmt::format("has {} counts for {} matrices", counted.size(), matrices), counts->info_offset);
        }
        if (std::ranges::none_of(counted, [](float count) { return count > 0; })) return Entry{std::move(name), {}};
        Entry entry{std::move(name), std::move(weights)};
        for (std::uint64_t matrix = 0; matrix < matrices; ++matrix) {
            const float count = counted[counted.size() == 1 ? 0 : matrix];
            if (!(count > 0)) entry.unseen.push_back(static_cast<std::uint32_t>(matrix));
            for (float& weight : std::span(entry.weights).subspan(matrix * sums.ne[0], sums.ne[0])) {
                weight = count > 0 ? weight / count : 1.0f;
            }
        }
        return entry;
    }

    Imatrix::Origin read_origin() const {
        Imatrix::Origin origin;
        if (const auto chunks = view_.get_unsigned("imatrix.chunk_count")) {
            origin.chunks = static_cast<std::uint32_t>(std::min<std::uint64_t>(*chunks, ~std::uint32_t{0}));
        }
        const auto first =
            view_.get_array("imatrix.datasets").and_then([](const ArrayView& names) { return names.at(0); });
        if (first) origin.dataset = first->as_string().value_or("");
        return origin;
    }

    const ModelView& view_;
};

}  // namespace

Result<Imatrix> read_gguf(const ModelView& view) { return GgufForm(view).read(); }

}  // namespace ggufkit::imatrix
