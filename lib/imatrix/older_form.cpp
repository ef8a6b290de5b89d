#include <fmt/format.h>

#include <bit>
#include <utility>

#include "core/cursor.hpp"
#include "core/try.hpp"
#include "imatrix/forms.hpp"

namespace ggufkit::imatrix {

namespace {

using Entry = Imatrix::Entry;

// Little-endian; sums of means, to be divided by the number of calls.
class OlderForm {
  public:
    explicit OlderForm(std::span<const std::byte> bytes) : cursor_(bytes, {ByteOrder::little}) {}

    Result<Imatrix> read() {
        TRY_LET(const auto count, read_count("the number of entries"));
        if (count == 0) return fault(Errc::bad_semantics, "imatrix", "has no entries", 0);
        std::vector<Entry> entries;
        for (std::uint32_t i = 0; i < count; ++i) {
            TRY_LET(auto entry, read_entry(fmt::format("imatrix without GGUF header, entry {}", i)));
            entries.push_back(std::move(entry));
        }
        TRY_LET(auto origin, read_origin());
        return Imatrix::of(std::move(entries), std::move(origin));
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
        TRY_LET(const auto length, read_count(subject));
        std::string_view text;
        if (!cursor_.read_text(length, text)) {
            return fault(Errc::length_past_eof, subject, fmt::format("{} bytes go past the end", length), at);
        }
        return std::string(text);
    }

    Result<Entry> read_entry(const std::string& subject) {
        TRY_LET(auto name, read_text(subject));
        TRY_LET(const auto calls, read_count(subject));
        TRY_LET(const auto count, read_count(subject));
        const std::size_t at = cursor_.at();
        std::span<const std::byte> bytes;
        if (!cursor_.read_bytes(std::uint64_t{count} * sizeof(float), bytes)) {
            return fault(Errc::length_past_eof, subject, fmt::format("{} numbers go past the end", count), at);
        }
        Entry entry{std::move(name), floats(bytes, ByteOrder::little)};
        TRY(check_weights(subject, entry.weights, at));
        if (calls > 0) {
            for (float& weight : entry.weights) weight /= static_cast<float>(calls);
        }
        return entry;
    }

    // The oldest files end with the entries.
    Result<Imatrix::Origin> read_origin() {
        Imatrix::Origin origin;
        if (cursor_.done()) return origin;
        TRY_LET(const auto chunks, read_count("the number of chunks"));
        origin.chunks = chunks;
        if (cursor_.done()) return origin;
        TRY_LET(auto dataset, read_text("the name of the dataset"));
        origin.dataset = std::move(dataset);
        return origin;
    }

    Cursor cursor_;
};

}  // namespace

Result<Imatrix> read_older(std::span<const std::byte> bytes) { return OlderForm(bytes).read(); }

}  // namespace ggufkit::imatrix
