#include "peek.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/show.hpp"
#include "common/suggest.hpp"
#include "common/text.hpp"
#include "core/text.hpp"

namespace ggufkit::tool::info {

namespace {

struct Place {
    std::uint64_t row = 0, column = 0;
    std::optional<std::uint64_t> count{};
};

// "3", "3,256", "3,256:32".
std::optional<Place> parse_place(std::string_view text) {
    const auto number = [&](char until) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{}) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.empty()) return value;
        if (text.front() != until || text.size() == 1) return std::nullopt;
        text.remove_prefix(1);
        return value;
    };
    Place place;
    const auto row = number(',');
    if (!row) return std::nullopt;
    place.row = *row;
    if (text.empty()) return place;
    const auto column = number(':');
    if (!column) return std::nullopt;
    place.column = *column;
    if (text.empty()) return place;
    place.count = number('\0');
    return place.count && text.empty() ? std::optional(place) : std::nullopt;
}

std::uint64_t usual_count(const TensorInfo& info, std::uint64_t column) {
    constexpr std::uint64_t plain = 32;
    const std::uint64_t block = info.format->block_elements;
    const std::uint64_t wanted = info.format->quantized() ? block - column % block : plain;
    return info.ne[0] > column ? std::min(wanted, info.ne[0] - column) : wanted;
}

std::string hex_of(std::span<const std::byte> bytes, std::string_view between) {
    std::string text;
    for (const std::byte byte : bytes)
        text += fmt::format("{}{:02x}", text.empty() ? "" : between, std::to_integer<unsigned>(byte));
    return text;
}

// The shortest digits that give the same float back.
std::string real_text(double number) {
    const auto narrow = static_cast<float>(number);
    return double{narrow} == number || std::isnan(number) ? fmt::format("{}", narrow) : fmt::format("{}", number);
}

// Lines of `per_line` texts in columns, the index of the first before each where there are several.
void print_numbers_of(Console& console, std::string_view name, const std::vector<std::string>& texts,
                      std::size_t per_line, std::uint64_t first_index) {
    std::size_t width = 0;
    for (const std::string& text : texts) width = std::max(width, text.size());
    const bool counted = texts.size() > per_line;
    const std::size_t index_width = std::to_string(first_index + texts.size()).size();
    for (std::size_t at = 0; at < texts.size(); at += per_line) {
        std::string line = fmt::format("  {:<6}", at == 0 ? name : "");
        if (counted) line += console.paint(Style::dim, fmt::format(" {:>{}}:", first_index + at, index_width));
        for (std::size_t i = at; i < std::min(at + per_line, texts.size()); ++i)
            line += fmt::format(" {:>{}}", texts[i], texts.size() == 1 ? 0 : width);
        console.out.print("{}\n", line);
    }
}

std::vector<std::string> texts_of(const BlockPart& part) {
    std::vector<std::string> texts;
    texts.reserve(part.reals.size() + part.integers.size());
    for (const double number : part.reals) texts.push_back(real_text(number));
    for (const std::int64_t number : part.integers) {
        texts.push_back(part.name == "signs" ? fmt::format("{:08b}", number) : fmt::format("{}", number));
    }
    return texts;
}

void print_part(Console& console, const BlockPart& part) {
    print_numbers_of(console, part.name, texts_of(part), part.name == "signs" ? 8 : part.integers.empty() ? 4 : 16, 0);
}

void print_block(Console& console, const PeekedBlock& block, std::uint32_t elements) {
    console.out.print("\n{} {} (columns {} to {}) at 0x{:x}\n", console.paint(Style::bold, "block"),
                      block.column / elements, block.column, block.column + elements - 1, block.offset);
    constexpr std::size_t per_line = 16;
    std::vector<std::string> bytes;
    bytes.reserve(block.bytes.size());
    for (std::size_t i = 0; i < block.bytes.size(); ++i)
        bytes.push_back(hex_of(std::span(block.bytes).subspan(i, 1), ""));
    print_numbers_of(console, "bytes", bytes, per_line, 0);
    for (const BlockPart& part : block.parts) print_part(console, part);
}

}  // namespace

Result<PeekView> find_peek(const Model& model, std::string_view expression) {
    std::string_view name = expression;
    std::optional<Place> place = Place{};
    const ModelTensor* tensor = model.find_tensor(name);
    const std::size_t bracket = expression.rfind('[');
    if (tensor == nullptr && bracket != expression.npos && expression.ends_with(']')) {
        name = expression.substr(0, bracket);
        place = parse_place(expression.substr(bracket + 1, expression.size() - bracket - 2));
        tensor = model.find_tensor(name);
    }
    if (tensor == nullptr) {
        return fail({.code = Errc::not_found,
                     .subject = fmt::format("tensor '{}'", name),
                     .detail = "there is none" + did_you_mean_tensor(name, model)});
    }
    if (!place) {
        return fail({.code = Errc::bad_argument,
                     .subject = fmt::format("'{}'", expression),
                     .detail = "is no place: NAME[row,column:count] is"});
    }
    if (auto readable = model.data(*tensor); !readable) return fail(std::move(readable).error());
    auto found = peek_weights(model, *tensor, place->row, place->column,
                              place->count.value_or(usual_count(*tensor->info, place->column)));
    if (!found) return fail(std::move(found).error());
    return PeekView{tensor->info, std::move(*found)};
}

void print_peek(Console& console, const PeekView& view) {
    const TensorInfo& info = *view.tensor;
    const Peek& peek = view.peek;
    console.out.print("{}  {}  {}  {}\n", console.paint(Style::bold, printable(info.name)), type_text(info),
                      shape_text(info.shape()), block_formula(info.format->type()));
    if (info.format->quantized()) {
        for (const PeekedBlock& block : peek.blocks) print_block(console, block, info.format->block_elements);
    } else if (!peek.blocks.empty()) {
        console.out.print("\n{} {} to {} at 0x{:x}\n", console.paint(Style::bold, "columns"), peek.column,
                          peek.column + peek.values.size() - 1, peek.blocks.front().offset);
        std::vector<std::string> words;
        const std::size_t width = info.format->block_bytes;
        const auto& bytes = peek.blocks.front().bytes;
        for (std::size_t at = 0; at < bytes.size(); at += width)
            words.push_back(hex_of(std::span(bytes).subspan(at, width), ""));
        print_numbers_of(console, "bytes", words, width > 4 ? 4 : 8, peek.column);
    }
    console.out.print("\n{} of row {}\n", console.paint(Style::bold, "weights"), peek.row);
    std::vector<std::string> texts;
    if (info.format->quantized() || peek.blocks.empty()) {
        for (const float value : peek.values) texts.push_back(real_text(value));
    } else {
        texts = texts_of(peek.blocks.front().parts.front());  // as they are, not rounded to floats
    }
    print_numbers_of(console, "", texts, 4, peek.column);
}

void write_peek(JsonWriter& json, const PeekView& view) {
    const TensorInfo& info = *view.tensor;
    json.key("peek")
        .begin_object()
        .field("name", info.name)
        .field("type", type_text(info))
        .field("shape", info.shape())
        .field("formula", block_formula(info.format->type()))
        .field("row", view.peek.row)
        .field("column", view.peek.column);
    json.key("values").begin_array();
    for (const float value : view.peek.values) json.value(value);
    json.end_array().key("blocks").begin_array();
    for (const PeekedBlock& block : view.peek.blocks) {
        json.begin_object()
            .field("column", block.column)
            .field("offset", block.offset)
            .field("bytes", hex_of(block.bytes, ""));
        json.key("parts").begin_object();
        for (const BlockPart& part : block.parts) {
            json.key(part.name).begin_array();
            for (const double number : part.reals) json.value(number);
            for (const std::int64_t number : part.integers) json.value(number);
            json.end_array();
        }
        json.end_object().end_object();
    }
    json.end_array().end_object();
}

}  // namespace ggufkit::tool::info
