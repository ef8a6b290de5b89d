#include <fmt/format.h>

#include <ggufkit/writer.hpp>

#include "container/rules.hpp"

namespace ggufkit {

Result<Header> Header::from(const ModelView& view) {
    if (!view.faults().empty()) return fail(view.faults().front());
    Header header;
    header.byte_order = view.byte_order();
    header.metadata_.reserve(view.metadata().size());
    header.by_key_.reserve(view.metadata().size());
    for (const KeyValue& entry : view.metadata()) header.append(entry.key, entry.value);

    header.tensors.reserve(view.tensors().size());
    for (const TensorInfo& tensor : view.tensors()) {
        if (tensor.format == nullptr || !tensor.format->usable()) {
            return fail(container::breach(container::R::type_known, tensor.info_offset,
                                          container::subject("tensor", tensor.name),
                                          fmt::format("type {} has no known layout", tensor.type_id)));
        }
        header.tensors.push_back({std::string(tensor.name), tensor.n_dims, tensor.ne, tensor.format->type()});
    }
    return header;
}

std::uint32_t Header::find(std::string_view key) const {
    return by_key_.find(key, [this](std::uint32_t i) -> std::string_view { return metadata_[i].key; });
}

void Header::append(std::string_view key, ValueView value) {
    metadata_.push_back({std::string(key), value});
    const auto index = static_cast<std::uint32_t>(metadata_.size() - 1);
    by_key_.insert(index, [this](std::uint32_t i) -> std::string_view { return metadata_[i].key; });
}

ValueView Header::own(Value value) {
    owned_.push_back(std::make_shared<const Value>(std::move(value)));
    return owned_.back()->view();
}

void Header::set(std::string_view key, ValueView borrowed) {
    const std::uint32_t index = find(key);
    if (index == detail::NameIndex::none) {
        append(key, borrowed);
    } else {
        metadata_[index].value = borrowed;
    }
}

void Header::set(std::string_view key, Value owned) { set(key, own(std::move(owned))); }

void Header::set_last(std::string_view key, Value owned) {
    const std::string name(key);  // may be the text of the entry that goes
    remove(name);
    append(name, own(std::move(owned)));
}

bool Header::remove(std::string_view key) {
    const std::uint32_t index = find(key);
    if (index == detail::NameIndex::none) return false;
    metadata_.erase(metadata_.begin() + index);
    by_key_.clear();
    for (std::uint32_t i = 0; i < metadata_.size(); ++i) {
        by_key_.insert(i, [this](std::uint32_t k) -> std::string_view { return metadata_[k].key; });
    }
    return true;
}

}  // namespace ggufkit
