#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ggufkit/model.hpp>
#include <memory>
#include <utility>

#include "container/alignment.hpp"
#include "container/foreign.hpp"
#include "container/rules.hpp"
#include "container/tensor_size.hpp"
#include "container/walk.hpp"
#include "core/checked.hpp"
#include "core/cursor.hpp"
#include "core/try.hpp"

namespace ggufkit {

using container::breach;
using container::R;
using container::subject;

// What to do about a fault that does not hide what follows it.
enum class OnFault : std::uint8_t { stop, go_on };

// One step a part of the header, in file order; the first that fails ends it.
class Parser {
  public:
    Parser(std::span<const std::byte> bytes, Limits limits, OnFault on_fault)
        : in_(bytes, {}), limits_(limits), on_fault_(on_fault) {
        view_.file_ = bytes;
    }

    Result<ModelView> run() {
        TRY(preamble());
        auto read = counts().and_then([this] { return metadata(); }).and_then([this] { return tensor_infos(); });
        view_.complete_ = read.has_value();
        if (!read && on_fault_ == OnFault::stop) return fail(std::move(read).error());
        if (!read) view_.faults_.push_back(std::move(read).error());
        return finish();
    }

  private:
    // Room for more records than this is made as they are read: a count may be a lie, which a sparse file makes possible.
    std::size_t room_for(std::uint64_t records, std::size_t least_size) const {
        constexpr std::uint64_t limit = 1 << 16;
        return static_cast<std::size_t>(std::min({records, limit, std::uint64_t{in_.remaining() / least_size}}));
    }

    // The shortest records: empty names, no dimensions, one-byte values.
    std::size_t least_key_value() const { return in_.encoding().length_size() + 4 + 1; }
    std::size_t least_tensor_info() const { return in_.encoding().length_size() + 4 + 4 + 8; }

    static tl::unexpected<Error> cut(std::size_t at, std::string about) {
        return fail(breach(R::complete, at, std::move(about), "the file ends before or inside this field"));
    }

    Result<void> pass_over(Error fault) {
        if (on_fault_ == OnFault::stop) return fail(std::move(fault));
        view_.faults_.push_back(std::move(fault));
        return {};
    }

    Result<void> preamble() {
        constexpr std::string_view magic = "GGUF";
        std::string_view start;
        in_.read_text(std::min(in_.remaining(), magic.size()), start);
        if (start.empty() || !magic.starts_with(start)) {
            return fail(breach(start.empty() ? R::complete : R::magic, 0, "magic",
                               container::not_wanted(view_.file_, "a GGUF file")));
        }
        if (start.size() < magic.size()) return cut(0, "magic");

        const std::size_t at = in_.at();
        std::uint32_t version = 0;
        if (!in_.read(version)) return cut(at, "version");
        const std::uint32_t swapped = swap_bytes(version);
        const bool big = !is_known(version) && is_known(swapped);
        if (!big && !is_known(version)) {
            if (const auto other = container::recognize(view_.file_))  // a patch begins with these letters too
                return fail(breach(R::magic, 0, "magic", container::not_wanted(*other, "a GGUF file")));
            return fail(
                breach(R::version, at, "version", fmt::format("is {}; 1 to 3 are known", std::min(version, swapped))));
        }
        view_.encoding_ = {big ? ByteOrder::big : ByteOrder::little,
                           static_cast<std::uint8_t>(big ? swapped : version)};
        in_ = Cursor(view_.file_, view_.encoding_, in_.at());
        view_.header_bytes_ = in_.at();
        return {};
    }

    static bool is_known(std::uint32_t version) { return version >= 1 && version <= 3; }

    Result<void> counts() {
        const std::size_t tensors_at = in_.at();
        if (!in_.read_length(view_.announced_tensors_)) return cut(tensors_at, "tensor count");
        const std::size_t keys_at = in_.at();
        if (!in_.read_length(view_.announced_keys_)) return cut(keys_at, "key-value count");
        view_.header_bytes_ = in_.at();

        const std::uint64_t tensors = view_.announced_tensors_, keys = view_.announced_keys_;
        if (fits(tensors, keys)) return {};
        const bool narrow = view_.encoding_.version == 1;
        const auto other_order = [narrow](std::uint64_t value) {
            return narrow ? swap_bytes(static_cast<std::uint32_t>(value)) : swap_bytes(value);
        };
        if (fits(other_order(tensors), other_order(keys))) {
            return fail(breach(R::byte_order, tensors_at, "counts",
                               "make sense only in the byte order opposite to the version's"));
        }
        const auto impossible = [this](R which, std::size_t at, std::string about, std::uint64_t count) {
            return pass_over(breach(which, at, std::move(about),
                                    count > limits_.records
                                        ? fmt::format("is {}, where the reader's limit is {}", count, limits_.records)
                                        : fmt::format("is {}, where {} bytes follow", count, in_.remaining())));
        };
        if (!fits(tensors, 0)) return impossible(R::tensor_count, tensors_at, "tensor count", tensors);
        return impossible(R::kv_count, keys_at, "key-value count", keys);
    }

    bool fits(std::uint64_t tensors, std::uint64_t keys) const {
        const auto a = checked_mul(tensors, least_tensor_info());
        const auto b = checked_mul(keys, least_key_value());
        const auto sum = a && b ? checked_add(*a, *b) : std::nullopt;
        return sum && *sum <= in_.remaining() && tensors <= limits_.records && keys <= limits_.records;
    }

    Result<void> metadata() {
        view_.metadata_.reserve(room_for(view_.announced_keys_, least_key_value()));
        for (std::uint64_t i = 0; i < view_.announced_keys_; ++i) {
            auto read = i < limits_.records ? key_value() : too_many(R::kv_count);
            if (!read) {
                if (read.error().subject.empty())
                    read.error().subject = fmt::format("key #{} of {}", i, view_.announced_keys_);
                return read;
            }
            view_.header_bytes_ = in_.at();
        }
        return {};
    }

    // Only where counts() passed over a count: it knows the limit too.
    Result<void> too_many(R which) const {
        return fail(breach(which, in_.at(), {}, fmt::format("is beyond the reader's limit of {}", limits_.records)));
    }

    Result<void> key_value() {
        const std::size_t begin = in_.at();
        TRY_LET(const auto key, container::read_string(in_));

        const std::size_t type_at = in_.at();
        std::uint32_t type_id = 0;
        if (!in_.read(type_id)) return cut(type_at, "type of " + subject("key", key));
        if (!container::is_value_type(type_id)) {
            return fail(
                breach(R::value_type, type_at, subject("key", key), fmt::format("value type {} is unknown", type_id)));
        }
        const auto type = static_cast<ValueType>(type_id);
        const std::size_t value_at = in_.at();
        container::ValueWalk walk(in_, limits_.array_depth);
        if (!walk.skip(type)) {
            Error error = walk.error();
            error.subject = subject("key", key);
            return fail(std::move(error));
        }
        const auto bytes = view_.file_.subspan(value_at, in_.at() - value_at);
        view_.metadata_.push_back({key, ValueView(type, bytes, view_.encoding_, value_at), begin});
        return {};
    }

    Result<void> tensor_infos() {
        view_.tensors_.reserve(room_for(view_.announced_tensors_, least_tensor_info()));
        for (std::uint64_t i = 0; i < view_.announced_tensors_; ++i) {
            auto read = i < limits_.records ? tensor_info() : too_many(R::tensor_count);
            if (!read) {
                if (read.error().subject.empty())
                    read.error().subject = fmt::format("tensor #{} of {}", i, view_.announced_tensors_);
                return read;
            }
            view_.header_bytes_ = in_.at();
        }
        return {};
    }

    Result<void> tensor_info() {
        TensorInfo tensor;
        tensor.info_offset = in_.at();
        TRY_LET(const auto name, container::read_string(in_));
        tensor.name = name;

        std::size_t at = in_.at();
        if (!in_.read(tensor.n_dims)) return cut(at, "number of dimensions of " + subject("tensor", name));
        if (tensor.n_dims > max_dims) {
            const Error fault = breach(R::n_dims, at, subject("tensor", name), container::too_many_dims(tensor.n_dims));
            TRY(pass_over(fault));
        }
        TRY(shape(tensor));
        at = in_.at();
        if (!in_.read(tensor.type_id)) return cut(at, "type of " + subject("tensor", name));
        tensor.format = find_format(tensor.type_id);
        at = in_.at();
        if (!in_.read(tensor.offset)) return cut(at, "offset of " + subject("tensor", name));
        view_.tensors_.push_back(tensor);
        return {};
    }

    Result<void> shape(TensorInfo& tensor) {
        std::uint64_t* ne = tensor.ne.data();
        if (tensor.n_dims > max_dims) {
            if (tensor.n_dims > in_.remaining() / in_.encoding().length_size()) {
                return cut(in_.at(), "dimensions of " + subject("tensor", tensor.name));
            }
            auto all = std::make_shared<std::uint64_t[]>(tensor.n_dims);
            tensor.all_ne = ne = all.get();
            view_.long_shapes_.push_back(std::move(all));
        }
        for (std::uint32_t i = 0; i < tensor.n_dims; ++i) {
            const std::size_t at = in_.at();
            if (!in_.read_length(ne[i])) return cut(at, fmt::format("ne[{}] of {}", i, subject("tensor", tensor.name)));
        }
        if (tensor.n_dims > max_dims) std::copy_n(ne, max_dims, tensor.ne.begin());
        return {};
    }

    ModelView finish() {
        view_.keys_by_name_.reserve(view_.metadata_.size());
        for (std::uint32_t i = 0; i < view_.metadata_.size(); ++i) {
            view_.keys_by_name_.insert(i, [this](std::uint32_t k) { return view_.metadata_[k].key; });
        }
        view_.tensors_by_name_.reserve(view_.tensors_.size());
        for (std::uint32_t i = 0; i < view_.tensors_.size(); ++i) {
            view_.tensors_by_name_.insert(i, [this](std::uint32_t t) { return view_.tensors_[t].name; });
        }
        if (const KeyValue* entry = view_.find_key(container::alignment_key)) {
            view_.alignment_ = container::usable_alignment(entry->value);
            view_.placed_ = container::has_usable_alignment(entry->value);
        }
        view_.placed_ = view_.placed_ && view_.complete();
        // Cannot wrap: a file in memory is far smaller than 2^63, an alignment at most 2^30.
        view_.data_offset_ =
            view_.complete() ? *checked_align(view_.header_bytes_, view_.alignment_) : view_.header_bytes_;
        return std::move(view_);
    }

    ModelView view_;
    Cursor in_;
    Limits limits_;
    OnFault on_fault_;
};

Result<ModelView> parse(std::span<const std::byte> bytes, Limits limits) {
    return Parser(bytes, limits, OnFault::stop).run();
}

Result<ModelView> parse_prefix(std::span<const std::byte> bytes, Limits limits) {
    return Parser(bytes, limits, OnFault::go_on).run();
}

}  // namespace ggufkit
