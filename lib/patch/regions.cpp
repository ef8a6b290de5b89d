#include "patch/regions.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "core/hasher.hpp"

namespace ggufkit::patch {

namespace {

// A file of one model, cut into parts.
class Parts {
  public:
    explicit Parts(const ModelView& view) : view_(view), file_bytes_(view.file().size()) {
        for (const TensorInfo& tensor : view.tensors()) places_.push_back(place(tensor));
        std::ranges::sort(places_);
    }

    const ModelView& view() const { return view_; }
    std::uint64_t file_bytes() const { return file_bytes_; }

    // Magic, version, counts.
    Range head() const { return {0, keys_begin()}; }

    // The record of a key reaches up to the next one.
    Range key(const KeyValue& entry) const {
        const auto& all = view_.metadata();
        const bool last = &entry == &all.back();
        return {entry.offset, last ? infos_begin() : all[static_cast<std::size_t>(&entry - all.data()) + 1].offset};
    }
    Range infos() const { return {infos_begin(), data_begin()}; }

    // Up to the next one in the file.
    Range tensor(const TensorInfo& info) const {
        const std::uint64_t begin = place(info);
        const auto next = std::ranges::upper_bound(places_, begin);
        return {begin, next == places_.end() ? file_bytes_ : *next};
    }
    std::uint64_t data_begin() const {
        return places_.empty() ? std::min(view_.data_offset(), file_bytes_) : places_.front();
    }

  private:
    std::uint64_t place(const TensorInfo& tensor) const {
        return std::min(view_.data_offset() + tensor.offset, file_bytes_);
    }
    std::uint64_t keys_begin() const {
        return view_.metadata().empty() ? infos_begin() : view_.metadata().front().offset;
    }
    std::uint64_t infos_begin() const {
        return view_.tensors().empty() ? view_.header_bytes() : view_.tensors().front().info_offset;
    }

    const ModelView& view_;
    std::uint64_t file_bytes_;
    std::vector<std::uint64_t> places_;  // of tensors, in order of place
};

// Tensors by what is in them, for those that have lost their names.
class Contents {
  public:
    Contents(const Parts& old, const ModelView& now) : old_(old) {
        for (const TensorInfo& tensor : old.view().tensors()) {
            if (now.find_tensor(tensor.name) == nullptr) unmatched_.emplace(old.tensor(tensor).size(), &tensor);
        }
    }

    Range find(const Parts& now, const TensorInfo& tensor) {
        const Range range = now.tensor(tensor);
        std::optional<Digest> wanted;
        for (auto [at, end] = unmatched_.equal_range(range.size()); at != end; ++at) {
            if (!wanted) wanted = digest_of(now, range);
            const auto [known, fresh] = digests_.try_emplace(at->second);
            if (fresh) known->second = digest_of(old_, old_.tensor(*at->second));
            if (known->second == *wanted) return old_.tensor(*at->second);
        }
        return {};
    }

  private:
    static Digest digest_of(const Parts& parts, Range range) {
        return hash128(parts.view().file().subspan(range.begin, range.size()));
    }

    const Parts& old_;
    std::multimap<std::uint64_t, const TensorInfo*> unmatched_;  // by bytes
    std::map<const TensorInfo*, Digest> digests_;
};

}  // namespace

std::vector<Region> regions_of(const Model& old_model, const Model& new_model) {
    const Parts old(old_model.header()), now(new_model.header());
    std::vector<Region> regions;
    const auto add = [&](Range in_new, Range in_old) {
        if (in_new.size() != 0) regions.push_back({in_new, in_old});
    };
    add(now.head(), old.head());
    for (const KeyValue& entry : now.view().metadata()) {
        const KeyValue* const other = old.view().find_key(entry.key);
        add(now.key(entry), other == nullptr ? Range{} : old.key(*other));
    }
    add(now.infos(), old.infos());

    std::vector<const TensorInfo*> tensors;
    for (const TensorInfo& tensor : now.view().tensors()) tensors.push_back(&tensor);
    std::ranges::stable_sort(tensors, {}, &TensorInfo::offset);
    Contents contents(old, now.view());
    std::uint64_t done = now.data_begin();
    for (const TensorInfo* const tensor : tensors) {
        const Range range = now.tensor(*tensor);
        if (range.begin < done) continue;  // where another one of no bytes stands in the same place
        const TensorInfo* const other = old.view().find_tensor(tensor->name);
        add(range, other == nullptr ? contents.find(now, *tensor) : old.tensor(*other));
        done = range.end;
    }
    if (tensors.empty()) add({done, now.file_bytes()}, {});
    return regions;
}

}  // namespace ggufkit::patch
