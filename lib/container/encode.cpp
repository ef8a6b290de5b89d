#include "container/encode.hpp"

#include "container/walk.hpp"
#include "core/cursor.hpp"

namespace ggufkit::container {
namespace {

void append_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

// Reads what parse() has checked, writes it in the other layout; stops where the input ends too early.
class Transcoder {
  public:
    Transcoder(const ValueView& value, std::vector<std::byte>& out, ByteOrder order)
        : in_(value.bytes(), value.encoding()), out_(out), order_(order) {}

    void run(ValueType type) {
        if (type == ValueType::array) {
            walk_array(*this);
        } else {
            elements(type, 1);
        }
    }

    // For walk_array().
    bool open(ValueType& element, std::uint64_t& count, std::size_t /*depth*/) {
        if (!read_array_head(in_, element, count)) return false;
        append(out_, static_cast<std::uint32_t>(element), order_);
        append(out_, count, order_);
        return true;
    }

    bool elements(ValueType element, std::uint64_t count) {
        switch (fixed_size(element)) {
            case 1: return numbers<std::uint8_t>(count);
            case 2: return numbers<std::uint16_t>(count);
            case 4: return numbers<std::uint32_t>(count);
            case 8: return numbers<std::uint64_t>(count);
            default: return strings(count);
        }
    }

  private:
    template <class T>
    bool numbers(std::uint64_t count) {
        for (T number{}; count != 0; --count) {
            if (!in_.read(number)) return false;
            append(out_, number, order_);
        }
        return true;
    }

    bool strings(std::uint64_t count) {
        for (; count != 0; --count) {
            const auto text = read_string(in_);
            if (!text) return false;
            append_string(out_, *text, order_);
        }
        return true;
    }

    Cursor in_;
    std::vector<std::byte>& out_;
    ByteOrder order_;
};

}  // namespace

void append_string(std::vector<std::byte>& out, std::string_view text, ByteOrder order) {
    append(out, std::uint64_t{text.size()}, order);
    append_bytes(out, std::as_bytes(std::span(text)));
}

void append_value(std::vector<std::byte>& out, const ValueView& value, ByteOrder order) {
    const Encoding from = value.encoding();
    if (from.order == order && from.length_size() == sizeof(std::uint64_t)) {
        append_bytes(out, value.bytes());
    } else {
        Transcoder(value, out, order).run(value.type());
    }
}

}  // namespace ggufkit::container
