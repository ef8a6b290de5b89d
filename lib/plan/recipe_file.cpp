#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/requant/recipe_file.hpp>

#include "core/text.hpp"
#include "core/try.hpp"
#include "io/spool_file.hpp"
#include "plan/exact_pattern.hpp"
#include "plan/recipe_line.hpp"

namespace ggufkit {

namespace {

constexpr std::string_view blanks = " \t\r\v\f";

tl::unexpected<Error> misuse(std::string detail, std::string subject = {}) {
    return fail({.code = Errc::bad_argument, .subject = std::move(subject), .detail = std::move(detail)});
}

// What stands before a comment: a '#' that begins the line or follows a blank.
std::string_view without_comment(std::string_view line) {
    for (std::size_t at = line.find('#'); at != line.npos; at = line.find('#', at + 1)) {
        if (at == 0 || blanks.find(line[at - 1]) != blanks.npos) return line.substr(0, at);
    }
    return line;
}

// The entries of a line; blanks part them, but for those around an equals sign.
std::vector<std::string> entries_of(std::string_view line) {
    std::vector<std::string> entries;
    for (std::size_t begin = line.find_first_not_of(blanks); begin != line.npos;) {
        const std::size_t end = std::min(line.find_first_of(blanks, begin), line.size());
        const std::string_view word = line.substr(begin, end - begin);
        if (!entries.empty() && (word.front() == '=' || entries.back().ends_with('='))) {
            entries.back() += word;
        } else {
            entries.emplace_back(word);
        }
        begin = line.find_first_not_of(blanks, end);
    }
    return entries;
}

Result<void> read_entry(std::string_view entry, std::string_view place, RecipeFile& recipe) {
    constexpr std::string_view key = "file_type=";
    if (!entry.starts_with(key)) {
        TRY_LET(auto row, parse_override(entry));
        row.from = place;
        recipe.overrides.push_back(std::move(row));
        return {};
    }
    if (recipe.file_type != nullptr) return misuse("file_type is given a second time");
    const std::string_view name = entry.substr(key.size());
    recipe.file_type = find_file_type(name);
    return recipe.file_type != nullptr ? Result<void>() : misuse(fmt::format("'{}' is no file type", name));
}

}  // namespace

Result<TensorType> parse_weight_type(std::string_view name) {
    const FormatInfo* format = find_format(name);
    if (format != nullptr && format->usable() && format->standing == Standing::active) return format->type();
    if (const FileType* const mix = find_file_type(name)) {
        return misuse(fmt::format("'{}' is no tensor type but a file type, a mix of them: mostly {}", name,
                                  format_of(mix->default_type).name));
    }
    return misuse(fmt::format("'{}' is no tensor type that weights can have", name));
}

Result<TypeOverride> parse_override(std::string_view text) {
    const std::size_t equals = text.rfind('=');
    if (equals == text.npos || equals == 0) return misuse(fmt::format("'{}' is not REGEX=TYPE", text));
    TRY_LET(const auto type, parse_weight_type(text.substr(equals + 1)));
    const std::string_view pattern = text.substr(0, equals);
    if (auto name = plan::exact_name(pattern)) return TypeOverride{TensorName(*std::move(name)), type};
    return TypeOverride{std::string(pattern), type};
}

Result<RecipeFile> parse_recipe_file(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";  // some editors begin a text with it
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    RecipeFile recipe;
    for (std::size_t begin = 0, number = 1; begin < text.size(); ++number) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string place = fmt::format("line {}", number);
        for (const std::string& entry : entries_of(without_comment(text.substr(begin, end - begin)))) {
            if (auto read = read_entry(entry, place, recipe); !read) {
                return misuse(std::move(read.error().detail), place);
            }
        }
        begin = end + 1;
    }
    return recipe;
}

Result<RecipeFile> read_recipe_file(const std::filesystem::path& path) {
    TRY_LET(const auto file, io::open_or_spool(path));
    const auto bytes = file.bytes();
    auto recipe = parse_recipe_file({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    TRY(file.check_unchanged());
    if (!recipe) {
        recipe.error().subject = fmt::format("{}, {}", path.string(), recipe.error().subject);
        return recipe;
    }
    for (TypeOverride& row : recipe->overrides) row.from = fmt::format("{}, {}", path.filename().string(), row.from);
    return recipe;
}

std::string TypeOverride::pattern() const {
    if (const auto* name = std::get_if<TensorName>(&tensors)) return plan::exact_pattern(name->text);
    return std::get<std::string>(tensors);
}

std::string plan::recipe_line(const TypeOverride& row, std::string_view comment) {
    return fmt::format("{}={}{}{}\n", row.pattern(), format_of(row.type).name, comment.empty() ? "" : "  # ",
                       printable(comment));
}

std::string plan::recipe_line(const FileType& file_type) { return fmt::format("file_type = {}\n", file_type.name); }

std::string recipe_text(const Plan& plan) {
    std::string text = fmt::format("# {} bytes, {:.3f} bits a weight\n", plan.bytes_out(), plan.bpw());
    if (plan.file_type != nullptr) text += plan::recipe_line(*plan.file_type);
    for (const PlannedTensor& tensor : plan.tensors) {
        if (tensor.chooser == Chooser::none) continue;
        text += plan::recipe_line({TensorName(tensor.name), tensor.to}, tensor.reason);
    }
    return text;
}

}  // namespace ggufkit
