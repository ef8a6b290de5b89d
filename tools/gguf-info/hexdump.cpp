// --header-hex: every byte of a header beside what it says.
#include <algorithm>
#include <string>

#include "common/show.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

constexpr std::size_t shown_at_most = 64;  // bytes of one field
constexpr std::size_t type_size = 4;       // of a value's type, a tensor's type, a number of dimensions

class HeaderDump {
  public:
    HeaderDump(Console& console, const ModelView& view)
        : console_(console),
          view_(view),
          length_size_(view.encoding().length_size()),
          per_line_(console.width().value_or(wide) < wide ? 8 : 16) {}

    void print() {
        field(4, "magic: GGUF");
        field(4, fmt::format("version {}", view_.version()));
        field(length_size_, fmt::format("number of tensors: {}", grouped(view_.announced_tensors())));
        field(length_size_, fmt::format("number of keys: {}", grouped(view_.announced_keys())));
        for (const KeyValue& entry : view_.metadata()) key(entry);
        for (const TensorInfo& info : view_.tensors()) tensor(info);
        if (!view_.complete()) return rest();
        const std::uint64_t end = std::min<std::uint64_t>(view_.data_offset(), view_.file().size());
        if (end > at_) field(end - at_, fmt::format("padding up to a multiple of {}", view_.alignment()));
        if (!view_.tensors().empty())
            console_.out.print("{:08x}  {:<{}}the tensors' data begins\n", view_.data_offset(), "", per_line_ * 3 + 1);
    }

  private:
    void rest() {
        console_.out.write("\n");
        field(view_.file().size() - at_, "from here on the header cannot be read");
    }

    void key(const KeyValue& entry) {
        console_.out.write("\n");
        field(length_size_, fmt::format("length of the key: {}", entry.key.size()));
        field(entry.key.size(), printable(entry.key));
        field(type_size, fmt::format("type of the value: {}", name(entry.value.type())));
        value(entry.value);
    }

    void value(const ValueView& value) {
        std::size_t left = value.bytes().size();
        if (const auto array = value.as_array()) {
            field(type_size, fmt::format("type of the elements: {}", name(array->element_type())));
            field(length_size_, fmt::format("number of elements: {}", grouped(array->size())));
            left -= type_size + length_size_;
        } else if (const auto text = value.as_string()) {
            field(length_size_, fmt::format("length of the string: {}", grouped(text->size())));
            left -= length_size_;
        }
        if (left > 0) field(left, value_cell(value).text);
    }

    void tensor(const TensorInfo& info) {
        console_.out.write("\n");
        field(length_size_, fmt::format("length of the tensor's name: {}", info.name.size()));
        field(info.name.size(), printable(info.name));
        field(type_size, fmt::format("number of dimensions: {}", info.n_dims));
        for (std::size_t i = 0; i < info.n_dims; ++i)
            field(length_size_, fmt::format("ne[{}] = {}", i, info.shape()[i]));
        field(type_size, fmt::format("type {}: {}", info.type_id, type_text(info)));
        field(8, fmt::format("offset of its data: {}", info.offset));
    }

    static constexpr std::size_t wide = 100;

    // The next `size` bytes, and what they mean on the first line of them.
    void field(std::uint64_t size, const std::string& meaning) {
        const auto bytes = view_.file().subspan(at_, std::min<std::uint64_t>(size, view_.file().size() - at_));
        const std::size_t shown = std::min(bytes.size(), shown_at_most);
        for (std::size_t line = 0; line < std::max<std::size_t>(shown, 1); line += per_line_) {
            std::string hex;
            for (const std::byte byte : bytes.subspan(line, std::min(per_line_, shown - line))) {
                hex += fmt::format("{:02x} ", std::to_integer<unsigned>(byte));
            }
            if (line == 0) {
                console_.out.print("{:08x}  {:<{}} {}\n", at_, hex, per_line_ * 3,
                                   console_.paint(Style::cyan, elide(meaning, room())));
            } else {
                hex.pop_back();
                console_.out.print("{:08x}  {}\n", at_ + line, hex);
            }
        }
        if (shown < bytes.size()) console_.out.print("          … {} more bytes\n", grouped(bytes.size() - shown));
        at_ += bytes.size();
    }

    // Columns beside the bytes.
    std::size_t room() const {
        const std::size_t taken = 10 + per_line_ * 3 + 1;
        constexpr std::size_t least = 24;
        return std::max(least, console_.width().value_or(1000) - std::min(taken, console_.width().value_or(1000)));
    }

    Console& console_;
    const ModelView& view_;
    const std::size_t length_size_;
    const std::size_t per_line_;  // bytes
    std::uint64_t at_ = 0;
};

}  // namespace

void print_header_hex(Console& console, const Model& model) {
    const std::string_view fence = console.markdown() ? "```\n" : "";  // every line begins with an address or a path
    console.out.write(fence);
    for (std::size_t shard = 0; shard < model.shard_count(); ++shard) {
        if (model.shard_count() > 1) {
            console.out.print("{}{}\n", shard == 0 ? "" : "\n", printable(model.shard_path(shard).string()));
        }
        HeaderDump(console, model.shard(shard)).print();
    }
    console.out.write(fence);
}

}  // namespace ggufkit::tool::info
