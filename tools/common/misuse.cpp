#include "common/misuse.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

#include "common/manual.hpp"
#include "common/suggest.hpp"

namespace ggufkit::tool {

namespace {

// Of arguments that no option and no place takes.
std::string unexpected(const std::vector<std::string>& arguments, const CLI::App& app) {
    const auto is_option = [](const std::string& text) { return text.size() > 1 && text.starts_with('-'); };
    const auto option = std::ranges::find_if(arguments, is_option);
    if (option == arguments.end()) return fmt::format("unexpected argument '{}'", arguments.front());
    const std::string name = option->substr(0, option->find('='));
    Nearest nearest(name);
    for (const CLI::Option* known : app.get_options()) {
        for (const std::string& flag : known->get_lnames()) nearest.consider("--" + flag);
    }
    return fmt::format("unknown option '{}'{}", name, did_you_mean(nearest.found()));
}

// "siz not in {file,name,size}", as CLI::IsMember says it.
std::optional<std::string> not_a_choice(std::string_view flag, std::string_view text) {
    constexpr std::string_view between = " not in {";
    const std::size_t at = text.find(between);
    if (at == text.npos || !text.ends_with('}')) return std::nullopt;
    const std::string_view value = text.substr(0, at);
    std::string_view list = text.substr(at + between.size());
    list.remove_suffix(1);
    const std::vector<std::string> choices = split_words(list, ',');
    return fmt::format("{}: '{}' is not one of {}{}", flag, value, fmt::join(choices, ", "),
                       did_you_mean(value, choices));
}

// "Could not convert: --ctx = 8x".
std::optional<std::string> not_a_number(std::string_view text) {
    constexpr std::string_view before = "Could not convert: ", between = " = ";
    const std::size_t equals = text.find(between);
    if (!text.starts_with(before) || equals == text.npos) return std::nullopt;
    return fmt::format("{}: '{}' is not a number", text.substr(before.size(), equals - before.size()),
                       text.substr(equals + between.size()));
}

}  // namespace

std::optional<std::string> empty_value(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_items_expected_min() == 0 ||
            std::ranges::find(option->results(), "") == option->results().end())
            continue;
        return option->get_positional() ? "an argument is empty"
                                        : fmt::format("{}: the value is empty", option->get_name());
    }
    return std::nullopt;
}

std::string message_of(const CLI::ParseError& fault, const CLI::App& app) {
    if (auto empty = empty_value(app)) return *empty;
    const std::string_view text = fault.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&fault) != nullptr && app.remaining_size() != 0) {
        return unexpected(app.remaining(), app);
    }
    if (const auto message = not_a_number(text)) return *message;
    const std::string flag(text.substr(0, text.find(':')));
    const CLI::Option* const option = app.get_option_no_throw(flag);
    const std::string_view rest = text.substr(flag.size());
    if (rest.starts_with(": At Most 1 required")) return fmt::format("{} is given more than once", flag);
    if (option == nullptr) return std::string(text);
    if (rest.starts_with(": 1 required ") && rest.ends_with(" missing"))
        return fmt::format("{} needs {}", flag, value_name(*option));
    if (const auto message = not_a_choice(flag, rest.substr(std::min<std::size_t>(2, rest.size())))) return *message;
    return std::string(text);
}

}  // namespace ggufkit::tool
