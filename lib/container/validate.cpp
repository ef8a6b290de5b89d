#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/validate.hpp>
#include <optional>

#include "container/findings.hpp"
#include "container/llama_keys.hpp"
#include "container/split.hpp"
#include "container/structure.hpp"
#include "container/walk.hpp"
#include "core/checked.hpp"
#include "core/cursor.hpp"
#include "core/text.hpp"

namespace ggufkit {
namespace container {

void Findings::add(R which, std::optional<std::uint64_t> offset, std::string subject, std::string detail) {
    const Rule& broken = rule(which);
    auto severity = options_.profile == Profile::spec ? broken.spec : broken.llama;
    if (options_.strict && broken.strict) severity = Severity::error;
    if (!severity) return;
    report_.diagnostics.push_back({*severity, breach(which, offset, std::move(subject), std::move(detail))});
}

Report Findings::take() {
    std::ranges::stable_sort(report_.diagnostics, {}, [](const Diagnostic& d) { return d.error.offset; });
    return std::move(report_);
}

namespace {

// One finding for an array, however many of its elements are at fault: a report stays in proportion to the file.
struct Faults {
    std::uint64_t count = 0;
    std::uint64_t first = 0;  // offset

    void add(std::uint64_t offset) {
        if (count++ == 0) first = offset;
    }
};

// The strings and bools of one value, however deep they are in it.
class ContentCheck {
  public:
    ContentCheck(const KeyValue& entry, Findings& findings)
        : entry_(entry), findings_(findings), in_(entry.value.bytes(), entry.value.encoding()) {}

    void run() {
        const bool is_array = entry_.value.type() == ValueType::array;
        if (is_array) {
            walk_array(*this);
        } else {
            elements(entry_.value.type(), 1);
        }
        const bool tokens = is_array && entry_.key.starts_with("tokenizer.");
        report(tokens ? R::utf8_tokens : R::utf8, text_, "not UTF-8");
        report(R::bool_value, bools_, "neither 0 nor 1");
    }

    // For walk_array().
    bool open(ValueType& element, std::uint64_t& count, std::size_t /*depth*/) {
        return read_array_head(in_, element, count);
    }

    bool elements(ValueType element, std::uint64_t count) {
        if (element == ValueType::string) return strings(count);
        if (element == ValueType::boolean) return bools(count);
        return in_.skip(count * fixed_size(element));
    }

  private:
    // Vocabularies have a hundred thousand short strings, which are faster to check together, lengths included: where each
    // byte of a length is ASCII, no character can reach from one string into the next.
    bool strings(std::uint64_t count) {
        constexpr std::uint64_t together = 256, ascii = 128;
        while (count != 0) {
            const std::uint64_t some = std::min(count, together);
            const Cursor start = in_;
            std::uint64_t lengths = 0, length = 0;
            std::string_view text;
            for (std::uint64_t i = 0; i < some; ++i, lengths |= length) {
                if (!in_.read_length(length) || !in_.read_text(length, text)) return false;
            }
            if (lengths >= ascii || !is_utf8(text_between(start.at(), in_.at()))) {
                in_ = start;
                if (!strings_one_by_one(some)) return false;
            }
            count -= some;
        }
        return true;
    }

    bool strings_one_by_one(std::uint64_t count) {
        for (; count != 0; --count) {
            const std::size_t begin = in_.at();
            std::uint64_t length = 0;
            std::string_view text;
            if (!in_.read_length(length) || !in_.read_text(length, text)) return false;
            if (!is_utf8(text)) text_.add(entry_.value.offset() + begin);
        }
        return true;
    }

    std::string_view text_between(std::size_t begin, std::size_t end) const {
        const auto bytes = entry_.value.bytes().subspan(begin, end - begin);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    bool bools(std::uint64_t count) {
        for (std::uint8_t byte = 0; count != 0; --count) {
            if (!in_.read(byte)) return false;
            if (byte > 1) bools_.add(entry_.value.offset() + in_.at() - 1);
        }
        return true;
    }

    void report(R which, const Faults& faults, std::string_view what) {
        if (faults.count == 0) return;
        const std::string detail = entry_.value.type() == ValueType::array
                                       ? fmt::format("{} of its elements {} {}, this the first", faults.count,
                                                     faults.count == 1 ? "is" : "are", what)
                                       : fmt::format("is {}", what);
        findings_.add(which, faults.first, subject("key", entry_.key), detail);
    }

    const KeyValue& entry_;
    Findings& findings_;
    Cursor in_;
    Faults text_, bools_;
};

// What lies between and after the tensors.
class PaddingCheck {
  public:
    PaddingCheck(const ModelView& view, Findings& findings) : view_(view), findings_(findings) {}

    void run() {
        if (!view_.placed()) return;
        check_zero("header", view_.header_bytes(), view_.data_offset());
        const Placement placement = placement_of(view_);
        const TensorInfo* last = nullptr;
        std::uint64_t end = view_.data_offset();  // of all that was seen so far
        for (const Placed& placed : placement.tensors) {
            if (last != nullptr && placed.extent.begin > end) {
                check_zero(subject("tensor", last->name), end, std::min(padded(end), placed.extent.begin));
            }
            if (placed.extent.end > end) {
                end = placed.extent.end;
                last = placed.tensor;
            }
        }
        if (!placement.complete) return;  // a tensor may lie behind these
        if (last != nullptr) check_last_padding(*last, end);
        const bool shards_joined = split_keys(view_) && next_header(view_);  // which is a rule of its own
        if (size() > padded(end) && !shards_joined) {
            findings_.add(
                R::nothing_after, padded(end), "file",
                fmt::format("goes on for {} bytes{}", size() - padded(end),
                            next_header(view_) ? ", where another GGUF header begins: files were joined end to "
                                                 "end, and all but the first are ignored"
                                               : ""));
        }
    }

  private:
    std::uint64_t size() const { return view_.file().size(); }
    std::uint64_t padded(std::uint64_t end) const {
        return checked_align(end, view_.alignment()).value_or(~std::uint64_t{0});
    }

    void check_last_padding(const TensorInfo& last, std::uint64_t end) {
        check_zero(subject("tensor", last.name), end, padded(end));
        if (size() >= end && size() < padded(end)) {
            findings_.add(R::last_padding, size(), subject("tensor", last.name),
                          fmt::format("is followed by {} of {} bytes of padding", size() - end, padded(end) - end));
        }
    }

    void check_zero(std::string what, std::uint64_t begin, std::uint64_t end) {
        end = std::min(end, size());
        if (begin >= end) return;
        const auto padding =
            view_.file().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
        const auto dirty = std::ranges::find_if(padding, [](std::byte b) { return b != std::byte{0}; });
        if (dirty == padding.end()) return;
        findings_.add(R::zero_padding, begin + static_cast<std::uint64_t>(dirty - padding.begin()), std::move(what),
                      fmt::format("is followed by 0x{:02x} in its padding", std::to_integer<unsigned>(*dirty)));
    }

    const ModelView& view_;
    Findings& findings_;
};

}  // namespace
}  // namespace container

bool Report::valid() const {
    return std::ranges::none_of(diagnostics, [](const Diagnostic& d) { return d.severity == Severity::error; });
}

Report check_structure(const ModelView& view, const ValidateOptions& options) {
    container::Findings findings(options);
    container::check_structure(view, view.file().size(), findings);
    return findings.take();
}

std::optional<CutShort> cut_short(const ModelView& view) { return container::cut_short(view, view.file().size()); }

Report validate(const ModelView& view, const ValidateOptions& options) {
    container::Findings findings(options);
    container::check_structure(view, view.file().size(), findings);
    for (const KeyValue& entry : view.metadata()) container::ContentCheck(entry, findings).run();
    container::PaddingCheck(view, findings).run();
    if (options.profile == Profile::llama) container::check_llama_keys(view, findings);
    return findings.take();
}

}  // namespace ggufkit
