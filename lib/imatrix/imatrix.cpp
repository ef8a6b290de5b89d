#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/imatrix.hpp>
#include <ggufkit/validate.hpp>
#include <utility>

#include "container/foreign.hpp"
#include "core/cursor.hpp"
#include "core/try.hpp"
#include "imatrix/forms.hpp"
#include "io/spool_file.hpp"

namespace ggufkit {

namespace imatrix {

tl::unexpected<Error> fault(Errc code, std::string subject, std::string detail, std::optional<std::uint64_t> offset) {
    return fail({.code = code, .offset = offset, .subject = std::move(subject), .detail = std::move(detail)});
}

Result<void> check_weights(const std::string& subject, std::span<const float> values,
                           std::optional<std::uint64_t> offset) {
    const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value) && value >= 0; });
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

}  // namespace imatrix

namespace {

bool names_one_of(const std::string& tensor, std::span<const std::string> parts) {
    return std::ranges::any_of(parts, [&](const std::string& part) { return tensor.find(part) != part.npos; });
}

}  // namespace

Result<Imatrix> Imatrix::open(const std::filesystem::path& path) {
    auto file = io::open_or_spool(path);
    if (!file) {
        if (std::string folder = container::about_folder(path); !folder.empty())
            file.error().detail = std::move(folder);
        return fail(std::move(file).error());
    }
    auto imatrix = parse(file->bytes());
    TRY(file->check_unchanged());
    if (imatrix) imatrix->origin_.file = path.string();
    return imatrix;
}

Result<Imatrix> Imatrix::parse(std::span<const std::byte> bytes) {
    std::string_view magic;
    const auto found = container::recognize(bytes);
    if (found || !Cursor(bytes, {}).read_text(4, magic) || magic != "GGUF") {
        auto read = imatrix::read_older(bytes);
        if (read) return read;
        // The older form has no magic number: where this one does not begin like it, no place in it is worth naming.
        if (found && found->old_imatrix) return read;
        return imatrix::fault(Errc::bad_semantics, "imatrix", container::not_wanted(bytes, imatrix::wanted), 0);
    }
    TRY_LET(const auto view, ggufkit::parse(bytes));
    for (const Diagnostic& diagnostic : check_structure(view).diagnostics) {
        if (diagnostic.severity == Severity::error) return fail(diagnostic.error);
    }
    return imatrix::read_gguf(view);
}

Result<Imatrix> Imatrix::of(std::vector<Entry> entries, Origin origin, std::vector<std::string> uncounted) {
    std::ranges::sort(entries, {}, &Entry::tensor);
    const auto twin = std::ranges::adjacent_find(entries, {}, &Entry::tensor);
    const auto subject_of = [](const Entry& entry) { return fmt::format("imatrix entry '{}'", entry.tensor); };
    if (twin != entries.end()) return imatrix::fault(Errc::dup_tensor, subject_of(*twin), "is there twice");
    for (const Entry& entry : entries) {
        if (entry.weights.empty()) return imatrix::fault(Errc::bad_semantics, subject_of(entry), "has no numbers");
        TRY(imatrix::check_weights(subject_of(entry), entry.weights));
    }
    Imatrix imatrix;
    imatrix.entries_ = std::move(entries);
    imatrix.origin_ = std::move(origin);
    std::ranges::sort(uncounted);
    imatrix.uncounted_ = std::move(uncounted);
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

}  // namespace ggufkit
