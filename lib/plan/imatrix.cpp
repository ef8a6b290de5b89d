#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <ggufkit/imatrix.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <optional>
#include <utility>

#include "container/foreign.hpp"
#include "container/role.hpp"
#include "core/bytes.hpp"
#include "core/cursor.hpp"
#include "io/spool_file.hpp"

namespace ggufkit {

namespace {

using Entry = Imatrix::Entry;

constexpr std::string_view wanted = "an importance matrix";

tl::unexpected<Error> fault(Errc code, std::string subject, std::string detail,
                            std::optional<std::uint64_t> offset = {}) {
    return fail({.code = code, .offset = offset, .subject = std::move(subject), .detail = std::move(detail)});
}

bool is_weight(float value) { return std::isfinite(value) && value >= 0; }

Result<void> check_weights(const std::string& subject, std::span<const float> values,
                           std::optional<std::uint64_t> offset = {}) {
    const auto bad = std::ranges::find_if_not(values, is_weight);
    if (bad == values.end()) return {};
    const auto index = static_cast<std::uint64_t>(bad - values.begin());
    if (offset) *offset += index * sizeof(float);
    return fault(Errc::bad_semantics, subject, fmt::format("number {} is {}", index, *bad), offset);
}

std::vector<float> floats(std::span<const std::byte> bytes, ByteOrder order) {
    std::vector<float> values(bytes.size() / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = std::bit_cast<float>(load<std::uint32_t>(bytes.data() + i * sizeof(float), order));
    }
    return values;
}

bool names_one_of(const std::string& tensor, std::span<const std::string> parts) {
    return std::ranges::any_of(parts, [&](const std::string& part) { return tensor.find(part) != part.npos; });
}

// The form of 2025 and later: a tensor NAME.in_sum2 of squared inputs, summed, and NAME.counts of how many there were.
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
            auto entry = read_entry(std::string(*name), tensor, find(*name, counts_suffix));
            if (!entry) return fail(std::move(entry).error());
            if (entry->weights.empty()) {
                uncounted.push_back(entry->tensor);
            } else {
                entries.push_back(*std::move(entry));
            }
        }
        if (entries.empty() && uncounted.empty()) return fault(Errc::bad_semantics, "imatrix", "has no entries");
        auto imatrix = Imatrix::of(std::move(entries), read_origin());
        if (imatrix) imatrix->set_uncounted(std::move(uncounted));
        return imatrix;
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
        const auto bytes = view_.data(tensor);
        if (!bytes) return fail(bytes.error());
        auto values = floats(*bytes, view_.byte_order());
        const auto checked = check_weights(subject_of(tensor), values, view_.data_offset() + tensor.offset);
        if (!checked) return fail(checked.error());
        return values;
    }

    // Means of the sums. A matrix that was never counted (an expert that the text did not reach) weighs one; where that
    // is all of them, there are no weights.
    Result<Entry> read_entry(std::string name, const TensorInfo& sums, const TensorInfo* counts) const {
        if (counts == nullptr) return fault(Errc::bad_semantics, subject_of(sums), "has no counts", sums.info_offset);
        auto weights = read_numbers(sums);
        if (!weights) return fail(std::move(weights).error());
        const auto counted = read_numbers(*counts);
        if (!counted) return fail(counted.error());
        const std::uint64_t matrices = weights->size() / std::max<std::uint64_t>(1, sums.ne[0]);
        if (weights->empty() || (counted->size() != matrices && counted->size() != 1)) {
            return fault(Errc::bad_semantics, subject_of(*counts),
                         fmt::format("has {} counts for {} matrices", counted->size(), matrices), counts->info_offset);
        }
        if (std::ranges::none_of(*counted, [](float count) { return count > 0; })) return Entry{std::move(name), {}};
        Entry entry{std::move(name), *std::move(weights)};
        for (std::uint64_t matrix = 0; matrix < matrices; ++matrix) {
            const float count = (*counted)[counted->size() == 1 ? 0 : matrix];
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

// The older form: little-endian, no magic number; sums of means, to be divided by the number of calls.
class OlderForm {
  public:
    explicit OlderForm(std::span<const std::byte> bytes) : cursor_(bytes, {ByteOrder::little}) {}

    Result<Imatrix> read() {
        const auto count = read_count("the number of entries");
        if (!count) return fail(count.error());
        if (*count == 0) return fault(Errc::bad_semantics, "imatrix", "has no entries", 0);
        std::vector<Entry> entries;
        for (std::uint32_t i = 0; i < *count; ++i) {
            auto entry = read_entry(fmt::format("imatrix without GGUF header, entry {}", i));
            if (!entry) return fail(std::move(entry).error());
            entries.push_back(*std::move(entry));
        }
        auto origin = read_origin();
        if (!origin) return fail(std::move(origin).error());
        return Imatrix::of(std::move(entries), *std::move(origin));
    }

  private:
    // Counts are signed in the file, and never negative.
    Result<std::uint32_t> read_count(const std::string& subject) {
        const std::size_t at = cursor_.at();
        std::uint32_t count = 0;
        if (!cursor_.read(count)) return fault(Errc::truncated, subject, "the file ends in it", at);
        if (count >> 31 != 0) {
            return fault(Errc::bad_semantics, subject, fmt::format("{} is negative", std::bit_cast<int>(count)), at);
        }
        return count;
    }

    Result<std::string> read_text(const std::string& subject) {
        const std::size_t at = cursor_.at();
        const auto length = read_count(subject);
        if (!length) return fail(length.error());
        std::string_view text;
        if (!cursor_.read_text(*length, text)) {
            return fault(Errc::length_past_eof, subject, fmt::format("{} bytes go past the end", *length), at);
        }
        return std::string(text);
    }

    Result<Entry> read_entry(const std::string& subject) {
        auto name = read_text(subject);
        if (!name) return fail(std::move(name).error());
        const auto calls = read_count(subject);
        if (!calls) return fail(calls.error());
        const auto count = read_count(subject);
        if (!count) return fail(count.error());
        const std::size_t at = cursor_.at();
        std::span<const std::byte> bytes;
        if (!cursor_.read_bytes(std::uint64_t{*count} * sizeof(float), bytes)) {
            return fault(Errc::length_past_eof, subject, fmt::format("{} numbers go past the end", *count), at);
        }
        Entry entry{*std::move(name), floats(bytes, ByteOrder::little)};
        if (const auto checked = check_weights(subject, entry.weights, at); !checked) return fail(checked.error());
        if (*calls > 0) {
            for (float& weight : entry.weights) weight /= static_cast<float>(*calls);
        }
        return entry;
    }

    // The oldest files end with the entries.
    Result<Imatrix::Origin> read_origin() {
        Imatrix::Origin origin;
        if (cursor_.done()) return origin;
        const auto chunks = read_count("the number of chunks");
        if (!chunks) return fail(chunks.error());
        origin.chunks = *chunks;
        if (cursor_.done()) return origin;
        auto dataset = read_text("the name of the dataset");
        if (!dataset) return fail(std::move(dataset).error());
        origin.dataset = *std::move(dataset);
        return origin;
    }

    Cursor cursor_;
};

}  // namespace

Result<Imatrix> Imatrix::open(const std::filesystem::path& path) {
    auto file = io::open_or_spool(path);
    if (!file) {
        if (std::string folder = container::about_folder(path); !folder.empty())
            file.error().detail = std::move(folder);
        return fail(std::move(file).error());
    }
    auto imatrix = parse(file->bytes());
    if (const auto same = file->check_unchanged(); !same) return fail(same.error());
    if (imatrix) imatrix->origin_.file = path.string();
    return imatrix;
}

Result<Imatrix> Imatrix::parse(std::span<const std::byte> bytes) {
    std::string_view magic;
    const auto found = container::recognize(bytes);
    if (found || !Cursor(bytes, {}).read_text(4, magic) || magic != "GGUF") {
        auto read = OlderForm(bytes).read();
        if (read) return read;
        // The older form has no magic number: where this one does not begin like it, no place in it is worth naming.
        if (found && found->old_imatrix) return read;
        return fault(Errc::bad_semantics, "imatrix", container::not_wanted(bytes, wanted), 0);
    }
    const auto view = ggufkit::parse(bytes);
    if (!view) return fail(view.error());
    for (const Diagnostic& diagnostic : check_structure(*view).diagnostics) {
        if (diagnostic.severity == Severity::error) return fail(diagnostic.error);
    }
    return GgufForm(*view).read();
}

Result<Imatrix> Imatrix::of(std::vector<Entry> entries, Origin origin) {
    std::ranges::sort(entries, {}, &Entry::tensor);
    const auto twin = std::ranges::adjacent_find(entries, {}, &Entry::tensor);
    const auto subject_of = [](const Entry& entry) { return fmt::format("imatrix entry '{}'", entry.tensor); };
    if (twin != entries.end()) return fault(Errc::dup_tensor, subject_of(*twin), "is there twice");
    for (const Entry& entry : entries) {
        if (entry.weights.empty()) return fault(Errc::bad_semantics, subject_of(entry), "has no numbers");
        if (const auto checked = check_weights(subject_of(entry), entry.weights); !checked) {
            return fail(checked.error());
        }
    }
    Imatrix imatrix;
    imatrix.entries_ = std::move(entries);
    imatrix.origin_ = std::move(origin);
    return imatrix;
}

Imatrix Imatrix::including(std::span<const std::string> parts) && {
    std::erase_if(entries_, [&](const Entry& entry) { return !names_one_of(entry.tensor, parts); });
    std::erase_if(uncounted_, [&](const std::string& tensor) { return !names_one_of(tensor, parts); });
    return std::move(*this);
}

Imatrix Imatrix::excluding(std::span<const std::string> parts) && {
    std::erase_if(entries_, [&](const Entry& entry) { return names_one_of(entry.tensor, parts); });
    std::erase_if(uncounted_, [&](const std::string& tensor) { return names_one_of(tensor, parts); });
    return std::move(*this);
}

const Imatrix::Entry* Imatrix::find_entry(std::string_view tensor) const {
    const auto entry = std::ranges::lower_bound(entries_, tensor, {}, &Entry::tensor);
    return entry == entries_.end() || entry->tensor != tensor ? nullptr : &*entry;
}

std::span<const float> Imatrix::find(std::string_view tensor) const {
    const Entry* const entry = find_entry(tensor);
    return entry == nullptr ? std::span<const float>() : entry->weights;
}

bool Imatrix::is_uncounted(std::string_view tensor) const { return std::ranges::binary_search(uncounted_, tensor); }

void Imatrix::set_uncounted(std::vector<std::string> tensors) {
    std::ranges::sort(tensors);
    uncounted_ = std::move(tensors);
}

}  // namespace ggufkit
