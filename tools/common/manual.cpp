#include "common/manual.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

namespace ggufkit::tool {

namespace {

// What CLI::IsMember puts behind the name of the value: "{file,name}".
std::vector<std::string> checked_choices(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const std::size_t open = type.find('{'), close = type.rfind('}');
    if (open == type.npos || close == type.npos || close < open) return {};
    return split_words(std::string_view(type).substr(open + 1, close - open - 1), ',');
}

Flag flag_of(const CLI::Option& option, const Manual& manual) {
    Flag flag;
    flag.value = value_name(option);
    flag.description = option.get_description();
    flag.group = option.get_group();
    for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
    if (flag.names.empty()) flag.names.push_back(option.get_single_name());
    std::ranges::replace(flag.description, '\n', ' ');
    if (option.get_items_expected_max() == 0) flag.value.clear();
    flag.choices = checked_choices(option);
    for (const std::string& key : {flag.names.back(), flag.value}) {
        const auto words = manual.choices.find(key);
        if (flag.choices.empty() && words != manual.choices.end()) flag.choices = words->second;
    }
    constexpr std::string_view files[] = {"FILE", "SOURCE", "PATCH", "OUT"};
    flag.takes_file = std::ranges::find(files, flag.value) != std::end(files);
    flag.optional_value = option.get_items_expected_max() > 0 && option.get_items_expected_min() == 0;
    flag.repeats = option.get_items_expected_max() > 1;
    return flag;
}

}  // namespace

std::vector<std::string> split_words(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

std::vector<Chapter> chapters_of(const Manual& manual) {
    std::vector<Chapter> chapters(1);
    const std::vector<std::string> lines = split_words(manual.epilogue, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string& line = lines[i];
        const bool alone = (i == 0 || lines[i - 1].empty()) && i + 1 < lines.size() && lines[i + 1].starts_with("  ");
        if (alone && line.size() > 1 && line.front() != ' ' && line.back() == ':') {
            chapters.push_back({.title = line.substr(0, line.size() - 1), .lines = {}});
        } else {
            const bool indented = !chapters.back().title.empty() && line.starts_with("  ");
            chapters.back().lines.push_back(indented ? line.substr(2) : line);
        }
    }
    for (Chapter& chapter : chapters) {
        while (!chapter.lines.empty() && chapter.lines.back().empty()) chapter.lines.pop_back();
    }
    return chapters;
}

std::vector<Flag> flags_of(const CLI::App& app, const Manual& manual) {
    std::vector<Flag> flags;
    for (const std::string& group : app.get_groups()) {
        if (group.empty()) continue;
        for (const CLI::Option* option : app.get_options()) {
            if (option->nonpositional() && option->get_group() == group) flags.push_back(flag_of(*option, manual));
        }
    }
    return flags;
}

std::vector<Flag> positionals_of(const CLI::App& app, const Manual& manual) {
    std::vector<Flag> arguments;
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_positional()) arguments.push_back(flag_of(*option, manual));
    }
    return arguments;
}

std::string value_name(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const std::size_t check = std::min(type.find('{'), type.find(" in ["));
    return check == type.npos ? type : type.substr(0, type.rfind(':', check));
}

}  // namespace ggufkit::tool
