#include "support/walk.hpp"

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

namespace ggufkit::test {

namespace {

class Walk {
  public:
    std::uint64_t operator()(const ModelView& view) {
        for (const KeyValue& entry : view.metadata()) {
            text(entry.key);
            value(entry.value);
            sum_ += view.find_key(entry.key) != nullptr;
            sum_ += view.get_unsigned(entry.key).has_value() + view.get_array(entry.key).has_value();
        }
        for (const TensorInfo& tensor : view.tensors()) {
            text(tensor.name);
            sum_ += view.find_tensor(tensor.name) != nullptr;
            sum_ += tensor.elements().value_or(1) + tensor.bytes().value_or(1) + tensor.shape().size();
            if (const auto data = view.data(tensor)) bytes(*data);
        }
        sum_ += view.get_string("").has_value();
        return sum_;
    }

  private:
    void bytes(std::span<const std::byte> bytes) {
        for (const std::byte byte : bytes) sum_ += static_cast<std::uint8_t>(byte);
    }
    void text(std::string_view text) { bytes(std::as_bytes(std::span(text))); }

    // Every getter, whatever the type: one fits, the others refuse.
    void value(const ValueView& value) {
        bytes(value.bytes());
        sum_ += value.as_unsigned().value_or(1) + static_cast<std::uint64_t>(value.as_signed().value_or(1));
        sum_ += value.as_float().has_value() + value.as_bool().has_value();
        sum_ += value == ValueView(value);
        if (const auto string = value.as_string()) text(*string);
        if (const auto array = value.as_array()) elements(*array);
    }

    void elements(const ArrayView& array) {
        std::uint64_t count = 0;
        for (const ValueView element : array) {
            value(element);
            ++count;
        }
        sum_ += count == array.size() ? 1 : 2;
        for (const std::uint64_t index : {std::uint64_t{0}, array.size() / 2, array.size() - 1, array.size()}) {
            if (const auto element = array.at(index)) bytes(element->bytes());
        }
    }

    std::uint64_t sum_ = 0;
};

}  // namespace

std::uint64_t walk(const ModelView& view) { return Walk()(view); }

std::string broken_invariant(const ModelView& view) {
    using Wide = unsigned __int128;
    struct Extent {
        Wide begin, end;
    };
    const Wide start = view.data_offset();
    std::vector<Extent> extents;
    for (const TensorInfo& tensor : view.tensors()) {
        const std::string name(tensor.name);
        if (!tensor.format || !tensor.format->usable()) return name + ": no layout";
        if (tensor.n_dims > max_dims) return name + ": dimensions";
        if (tensor.ne[0] % tensor.format->block_elements != 0) return name + ": row";
        Wide blocks = tensor.ne[0] / tensor.format->block_elements;
        for (std::size_t i = 1; i < max_dims; ++i) {
            if (tensor.ne[i] != 0 && blocks > ~Wide{0} / tensor.ne[i]) return name + ": size";
            blocks *= tensor.ne[i];
        }
        if (blocks > view.file().size()) return name + ": larger than the file";
        const Wide size = blocks * tensor.format->block_bytes;
        const Wide begin = start + tensor.offset;
        if (tensor.offset % view.alignment() != 0) return name + ": alignment";
        if (begin + size > view.file().size()) return name + ": past the end";
        const auto data = view.data(tensor);
        if (!data) return name + ": no data: " + data.error().message();
        if (data->size() != size) return name + ": data of another size";
        if (size != 0 && data->data() != view.file().data() + static_cast<std::size_t>(begin)) return name + ": place";
        if (size != 0) extents.push_back({begin, begin + size});
    }
    std::ranges::sort(extents, {}, &Extent::begin);
    for (std::size_t i = 1; i < extents.size(); ++i) {
        if (extents[i].begin < extents[i - 1].end) return "tensors overlap";
    }
    return {};
}

}  // namespace ggufkit::test
