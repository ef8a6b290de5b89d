#include <fmt/format.h>

#include <ggufkit/model.hpp>

#include "container/rules.hpp"
#include "container/tensor_size.hpp"
#include "core/try.hpp"

namespace ggufkit {

using container::breach;
using container::R;
using container::subject;

namespace {

// A getter's value, or its error with the key's name.
template <class T>
Result<T> get(const ModelView& view, std::string_view key, Result<T> (ValueView::*getter)() const) {
    const KeyValue* entry = view.find_key(key);
    if (entry == nullptr)
        return fail({.code = Errc::not_found, .subject = subject("key", key), .detail = "there is no such key"});
    auto value = (entry->value.*getter)();
    if (!value) value.error().subject = subject("key", key);
    return value;
}

}  // namespace

const KeyValue* ModelView::find_key(std::string_view key) const {
    const auto index = keys_by_name_.find(key, [this](std::uint32_t i) { return metadata_[i].key; });
    return index == detail::NameIndex::none ? nullptr : &metadata_[index];
}

const TensorInfo* ModelView::find_tensor(std::string_view name) const {
    const auto index = tensors_by_name_.find(name, [this](std::uint32_t i) { return tensors_[i].name; });
    return index == detail::NameIndex::none ? nullptr : &tensors_[index];
}

Result<std::uint64_t> ModelView::get_unsigned(std::string_view key) const {
    return get(*this, key, &ValueView::as_unsigned);
}
Result<std::int64_t> ModelView::get_signed(std::string_view key) const {
    return get(*this, key, &ValueView::as_signed);
}
Result<double> ModelView::get_float(std::string_view key) const { return get(*this, key, &ValueView::as_float); }
Result<bool> ModelView::get_bool(std::string_view key) const { return get(*this, key, &ValueView::as_bool); }
Result<std::string_view> ModelView::get_string(std::string_view key) const {
    return get(*this, key, &ValueView::as_string);
}
Result<ArrayView> ModelView::get_array(std::string_view key) const { return get(*this, key, &ValueView::as_array); }

namespace {

auto of_tensor(const TensorInfo& tensor) {
    return [&tensor](container::Breach broken) {
        return breach(broken.which, tensor.info_offset, subject("tensor", tensor.name), std::move(broken.detail));
    };
}

}  // namespace

Result<std::span<const std::byte>> ModelView::data(const TensorInfo& tensor) const {
    if (whole_) return place(tensor);
    return fail({.code = Errc::not_found,
                 .subject = subject("tensor", tensor.name),
                 .detail = "has no data here: only the header was asked for"});
}

Result<std::span<const std::byte>> ModelView::place(const TensorInfo& tensor) const {
    if (!placed_) {
        return fail({.code = Errc::not_found,
                     .subject = subject("tensor", tensor.name),
                     .detail = complete_ ? "the place of its data is unknown: general.alignment cannot be used"
                                         : "the place of its data is unknown: the header cannot be read to its end"});
    }
    TRY_LET(const auto extent, container::extent_of(*this, tensor).map_error(of_tensor(tensor)));
    const auto [begin, end] = extent;
    if (end > file_.size()) {
        return fail(of_tensor(tensor)({R::inside_file, container::past_end(extent, file_.size())}));
    }
    return file_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

Result<std::uint64_t> TensorInfo::elements() const {
    return container::element_count(shape()).map_error(of_tensor(*this));
}

Result<std::uint64_t> TensorInfo::bytes() const {
    return container::byte_count(type_id, format, shape()).map_error(of_tensor(*this));
}

}  // namespace ggufkit
