#include "container/walk.hpp"

#include <fmt/format.h>

#include "container/rules.hpp"
#include "container/strings.hpp"

namespace ggufkit::container {
namespace {

Error cut(std::size_t at, std::string_view field, std::size_t remaining) {
    return breach(R::complete, at, {}, fmt::format("the file ends {} bytes into {}", remaining, field));
}

Error too_long(std::size_t at, std::uint64_t length, std::size_t remaining) {
    return breach(R::string_length, at, {}, fmt::format("a string of {} bytes, where {} remain", length, remaining));
}

}  // namespace

std::size_t least_size(ValueType type, Encoding encoding) noexcept {
    if (type == ValueType::string) return encoding.length_size();
    if (type == ValueType::array) return sizeof(std::uint32_t) + encoding.length_size();
    return fixed_size(type);
}

bool read_array_head(Cursor& in, ValueType& element, std::uint64_t& count) {
    std::uint32_t type = 0;
    if (!in.read(type) || !is_value_type(type) || !in.read_length(count)) return false;
    element = static_cast<ValueType>(type);
    return true;
}

Result<std::string_view> read_string(Cursor& in) {
    const std::size_t begin = in.at();
    std::uint64_t length = 0;
    std::string_view text;
    if (!in.read_length(length)) return fail(cut(begin, "a string's length", in.remaining()));
    if (!in.read_text(length, text)) return fail(too_long(begin, length, in.remaining()));
    return text;
}

bool ValueWalk::skip(ValueType type) {
    if (type == ValueType::array) return walk_array(*this);
    if (type == ValueType::string) return elements(type, 1);
    if (!in_.skip(fixed_size(type))) return refuse(cut(in_.at(), "a value", in_.remaining()));
    return true;
}

bool ValueWalk::open(ValueType& element, std::uint64_t& count, std::size_t depth) {
    const std::size_t begin = in_.at();
    if (depth > depth_limit_) {
        return refuse(breach(R::array_depth, begin, {}, fmt::format("arrays nest more than {} deep", depth_limit_)));
    }
    std::uint32_t type = 0;
    if (!in_.read(type)) return refuse(cut(begin, "an array's element type", in_.remaining()));
    if (!is_value_type(type)) {
        return refuse(breach(R::element_type, begin, {}, fmt::format("element type {} is unknown", type)));
    }
    element = static_cast<ValueType>(type);

    const std::size_t count_at = in_.at();
    if (!in_.read_length(count)) return refuse(cut(count_at, "an array's length", in_.remaining()));
    if (count > in_.remaining() / least_size(element, in_.encoding())) {
        return refuse(
            breach(R::array_length, count_at, {},
                   fmt::format("an array of {} {}, where {} bytes remain", count, name(element), in_.remaining())));
    }
    return true;
}

bool ValueWalk::elements(ValueType element, std::uint64_t count) {
    if (element != ValueType::string) {
        return in_.skip(count * fixed_size(element)) || refuse(cut(in_.at(), "an array", in_.remaining()));
    }
    if (skip_strings(in_, count)) return true;
    auto text = read_string(in_);  // the first one that does not fit
    return refuse(std::move(text.error()));
}

}  // namespace ggufkit::container
