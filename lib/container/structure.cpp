#include "container/structure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "container/alignment.hpp"
#include "container/split.hpp"
#include "core/bytes.hpp"
#include "core/checked.hpp"
#include "core/cursor.hpp"
#include "core/text.hpp"

namespace ggufkit::container {
namespace {

// ---------------------------------------------------------------- metadata

constexpr std::size_t longest_key = 65535;

bool is_key_text(std::string_view key) {
    return std::ranges::all_of(key, [](signed char c) { return c > 0; });  // ASCII without NUL
}

constexpr std::string_view unplaced = "(where tensors lie is unknown, and not checked)";

void check_alignment(const KeyValue& entry, Findings& findings) {
    if (entry.value.type() != ValueType::uint32) {
        return findings.about_value(R::align_type, entry,
                                    fmt::format("is {}; it must be u32 {}", name(entry.value.type()), unplaced));
    }
    const std::uint64_t value = *entry.value.as_unsigned();
    if (!is_alignment(value)) {
        findings.about_value(R::align_value, entry,
                             fmt::format("is {}; it must be a power of two, at most {} {}", value,
                                         grouped(largest_alignment), unplaced));
    } else if (value % 8 != 0) {
        findings.about_value(R::align_small, entry, fmt::format("is {}; it should be a multiple of 8", value));
    }
}

bool holds_arrays(const ValueView& value) {
    if (value.type() != ValueType::array) return false;
    const auto array = value.as_array();
    return array && array->element_type() == ValueType::array;
}

void check_key(const ModelView& view, const KeyValue& entry, Findings& findings) {
    if (entry.key.empty()) findings.about_key(R::key_empty, entry, "is empty");
    if (!is_key_text(entry.key)) findings.about_key(R::key_ascii, entry, "holds NUL or bytes beyond ASCII");
    if (entry.key.size() > longest_key)
        findings.about_key(R::key_length, entry,
                           fmt::format("has {} bytes; GGUF allows at most {}", entry.key.size(), grouped(longest_key)));
    if (const KeyValue* first = view.find_key(entry.key); first != &entry) {
        findings.about_key(R::key_unique, entry, fmt::format("is there already, at 0x{:x}", first->offset));
    }
    if (holds_arrays(entry.value)) findings.about_value(R::array_nested, entry, "is an array of arrays");
    if (entry.key == alignment_key) check_alignment(entry, findings);
}

// ---------------------------------------------------------------- tensors

constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_name_llama = 63;  // its buffer of 64 has a NUL at the end

void check_name(const ModelView& view, const TensorInfo& tensor, Findings& findings) {
    const std::string_view name = tensor.name;
    if (name.empty()) findings.about(R::name_text, tensor, "has no name");
    if (name.find('\0') != name.npos) findings.about(R::name_text, tensor, "has a NUL in its name");
    if (!is_utf8(name)) findings.about(R::name_text, tensor, "has a name that is not UTF-8");
    if (name.size() > longest_name) {
        findings.about(R::name_length, tensor,
                       fmt::format("has a name of {} bytes; GGUF allows at most {} (llama.cpp {})", name.size(),
                                   longest_name, longest_name_llama));
    } else if (name.size() > longest_name_llama) {
        findings.about(
            R::name_length_llama, tensor,
            fmt::format("has a name of {} bytes; llama.cpp allows at most {}", name.size(), longest_name_llama));
    }
    if (const TensorInfo* first = view.find_tensor(name); first != &tensor) {
        findings.about(R::name_unique, tensor, fmt::format("is there already, at 0x{:x}", first->info_offset));
    }
}

// The tensors in the order of their infos; the place that the next one has in a file without gaps is carried along.
class TensorCheck {
  public:
    TensorCheck(const ModelView& view, std::uint64_t file_bytes, Findings& findings)
        : view_(view), file_bytes_(file_bytes), findings_(findings), next_known_(view.placed()) {}

    void check(const TensorInfo& tensor) {
        check_name(view_, tensor, findings_);
        const auto extent = place(tensor);
        if (!extent) {
            next_known_ = false;
            return;
        }
        if (next_known_ && tensor.offset != next_) {
            findings_.about(R::contiguous, tensor,
                            fmt::format("has offset {} where {} comes next", tensor.offset, next_));
        }
        const auto next = checked_align(tensor.offset + (extent->end - extent->begin), view_.alignment());
        next_known_ = next.has_value();
        next_ = next.value_or(0);
    }

    // One finding for a file that was cut short, however many tensors that concerns.
    void finish() {
        const auto cut = absent_ ? cut_short(view_, file_bytes_) : std::nullopt;
        if (!cut) return;
        const std::size_t all = view_.tensors().size();
        findings_.about(
            R::inside_file, *cut->first,
            fmt::format("{} of {} bytes are there, {} of {} tensors are whole, this is the first that is not",
                        grouped(file_bytes_), grouped(cut->bytes), grouped(cut->whole), grouped(all)));
    }

  private:
    std::optional<Extent> place(const TensorInfo& tensor) {
        if (view_.placed() && tensor.offset % view_.alignment() != 0) {
            findings_.about(R::aligned, tensor,
                            fmt::format("offset {} is no multiple of {}", tensor.offset, view_.alignment()));
        }
        const auto negative = std::ranges::find_if(tensor.shape(), [](std::uint64_t n) { return n >= size_limit; });
        if (negative != tensor.shape().end()) {
            findings_.about(R::dim_range, tensor,
                            fmt::format("ne[{}] is {}; GGUF allows numbers below 2^63",
                                        negative - tensor.shape().begin(), *negative));
            return std::nullopt;
        }
        auto extent = extent_of(view_, tensor);
        if (!extent) {
            if (extent.error().which == R::offset_sum && !view_.placed()) return std::nullopt;
            findings_.about(extent.error().which, tensor, std::move(extent.error().detail));
            return std::nullopt;
        }
        if (tensor.format->standing == Standing::activation_only) {
            findings_.about(R::type_is_weight, tensor, fmt::format("type {} is for activations", tensor.format->name));
        }
        const std::uint64_t size = extent->end - extent->begin;
        if (*checked_align(size, view_.alignment()) >= size_limit) {
            findings_.about(R::byte_count, tensor,
                            fmt::format("{} bytes and their padding; GGUF allows fewer than 2^63", size));
            return std::nullopt;
        }
        if (!view_.placed()) return std::nullopt;
        absent_ |= extent->end > file_bytes_;
        return *extent;
    }

    const ModelView& view_;
    std::uint64_t file_bytes_;
    Findings& findings_;
    std::uint64_t next_ = 0;
    bool next_known_;
    bool absent_ = false;  // some tensor ends past the end of the file
};

// Each tensor that begins before all those ahead of it in the file have ended.
void check_overlap(const Placement& placement, Findings& findings) {
    const Placed* furthest = nullptr;
    for (const Placed& placed : placement.tensors) {
        if (furthest != nullptr && placed.extent.begin < furthest->extent.end) {
            const std::uint64_t shared = std::min(placed.extent.end, furthest->extent.end) - placed.extent.begin;
            findings.about(R::disjoint, *placed.tensor,
                           fmt::format("shares {} bytes with {}", shared, subject("tensor", furthest->tensor->name)));
        }
        if (furthest == nullptr || placed.extent.end > furthest->extent.end) furthest = &placed;
    }
}

}  // namespace

Placement placement_of(const ModelView& view) {
    Placement placement;
    placement.tensors.reserve(view.tensors().size());
    for (const TensorInfo& tensor : view.tensors()) {
        const auto extent = extent_of(view, tensor);
        if (!extent) {
            placement.complete = false;
        } else if (extent->begin != extent->end) {
            placement.tensors.push_back({&tensor, *extent});
        }
    }
    // Most files are in order already. At the same position, the order of the infos.
    const auto position = [](const Placed& placed) { return std::pair(placed.extent.begin, placed.tensor); };
    if (!std::ranges::is_sorted(placement.tensors, {}, position)) std::ranges::sort(placement.tensors, {}, position);
    return placement;
}

std::optional<CutShort> cut_short(const ModelView& view, std::uint64_t file_bytes) {
    if (!view.placed()) return std::nullopt;
    CutShort cut{.bytes = 0, .whole = 0, .first = nullptr};
    for (const TensorInfo& tensor : view.tensors()) {
        const auto extent = extent_of(view, tensor);
        if (!extent) continue;
        cut.bytes = std::max(cut.bytes, extent->end);
        if (extent->end <= file_bytes) {
            ++cut.whole;
        } else if (cut.first == nullptr || tensor.offset < cut.first->offset) {
            cut.first = &tensor;
        }
    }
    return cut.first == nullptr ? std::nullopt : std::optional(cut);
}

std::optional<std::uint64_t> next_header(const ModelView& view) {
    if (!view.placed()) return std::nullopt;
    const Placement placement = placement_of(view);
    if (!placement.complete) return std::nullopt;  // a tensor may lie there
    std::uint64_t end = view.header_bytes();
    for (const Placed& placed : placement.tensors) end = std::max(end, placed.extent.end);
    // The last tensor need not be padded; without tensors there need not be a data section.
    const std::uint64_t places[] = {end, checked_align(end, view.alignment()).value_or(end)};
    for (const std::uint64_t at : places) {
        Cursor in(view.file(), view.encoding(), std::min<std::uint64_t>(at, view.file().size()));
        std::string_view magic;
        std::uint32_t version = 0;
        if (!in.read_text(4, magic) || magic != "GGUF" || !in.read(version)) continue;
        if (std::min(version, swap_bytes(version)) <= 3) return at;
    }
    return std::nullopt;
}

namespace {

void check_joined(const ModelView& view, Findings& findings) {
    const auto keys = split_keys(view);
    if (!keys) return;  // bytes behind a file that is whole are a matter of nothing_after
    const auto next = next_header(view);
    if (!next) return;
    findings.add(
        R::shards_apart, *next, "file",
        fmt::format("another GGUF header begins here, behind shard {} of {}: shards that are joined end to end "
                    "(as by 'cat') are no model; keep them apart, as NAME-{:05}-of-{:05}.gguf and so on, and "
                    "merge them with: gguf-requant NAME-{:05}-of-{:05}.gguf OUTPUT COPY",
                    keys->number + 1, keys->count, 1, keys->count, 1, keys->count));
}

}  // namespace

void check_structure(const ModelView& view, std::uint64_t file_bytes, Findings& findings) {
    for (const Error& fault : view.faults()) findings.add(fault);
    for (const KeyValue& entry : view.metadata()) check_key(view, entry, findings);
    if (view.complete()) check_split_keys(view, findings);
    TensorCheck tensors(view, file_bytes, findings);
    for (const TensorInfo& tensor : view.tensors()) tensors.check(tensor);
    tensors.finish();
    if (view.placed()) check_overlap(placement_of(view), findings);
    check_joined(view, findings);
}

}  // namespace ggufkit::container
