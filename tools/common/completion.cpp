#include "common/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace ggufkit::tool {

namespace {

// In single quotes as sh reads them; fish takes \' within them.
std::string in_quotes(std::string_view text, std::string_view apostrophe = "'\\''") {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'') {
            result += apostrophe;
        } else {
            result += c;
        }
    }
    return result + "'";
}

std::string backslashed(std::string_view text, std::string_view special) {
    std::string result;
    for (const char c : text) {
        if (special.find(c) != special.npos) result += '\\';
        result += c;
    }
    return result;
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// "gguf_info".
std::string identifier(std::string_view name) {
    std::string result(name);
    std::ranges::replace(result, '-', '_');
    return result;
}

// The words that positional arguments can be beside files.
std::string positional_words(const Tool& tool) {
    std::vector<std::string> words;
    for (const Flag& argument : tool.positionals) {
        words.insert(words.end(), argument.choices.begin(), argument.choices.end());
    }
    return joined(words);
}

// Whether more follows the words that the value begins with: METRIC=VALUE.
bool goes_on(const Flag& flag) {
    return std::ranges::any_of(flag.choices, [](const std::string& word) { return word.ends_with('='); });
}

std::string header(const Tool& tool, std::string_view shell) {
    return fmt::format("# Completion of {0} for {1}: what `{0} --completion {1}` prints.\n", tool.name, shell);
}

}  // namespace

std::string bash_completion(const Tool& tool) {
    std::vector<std::string> names;
    std::string values;
    for (const Flag& flag : tool.flags) {
        names.insert(names.end(), flag.names.begin(), flag.names.end());
        if (flag.value.empty() || (flag.optional_value && flag.choices.empty())) continue;
        std::string answer;
        if (flag.takes_file) answer = "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); ";
        if (!flag.choices.empty())
            answer += fmt::format("_{}_words {}; ", identifier(tool.name), in_quotes(joined(flag.choices)));
        if (goes_on(flag)) answer += "compopt -o nospace 2> /dev/null || :; ";
        values += fmt::format("        {}) {}{};;\n", fmt::join(flag.names, "|"), answer,
                              flag.optional_value ? "" : "return ");
    }
    return header(tool, "bash") + fmt::format(R"(# Adds those of the words in $1 that $cur begins, in any case.
_{0}_words() {{
    local word
    for word in $1; do
        if [[ ${{word,,}} == "${{cur,,}}"* ]]; then COMPREPLY+=("$word"); fi
    done
}}
_{0}() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=
    ((COMP_CWORD > 0)) && prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    COMPREPLY=()
    # --sort=size is three words to bash.
    if [[ $cur == '=' ]]; then
        cur=
    elif [[ $prev == '=' ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    case $prev in
{1}    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W {2} -- "$cur")
    else
        _{0}_words {3}
        local -a files
        mapfile -t files < <(compgen -d -- "$cur"
            for packed in '' .zst .gz .bz2 .xz; do compgen -f -X "!*.gguf$packed" -- "$cur"; done)
        COMPREPLY+=("${{files[@]}}")
    fi
}}
complete -o filenames -F _{0} {4}
)",
                                              identifier(tool.name), values, in_quotes(joined(names)),
                                              in_quotes(positional_words(tool)), tool.name);
}

std::string zsh_completion(const Tool& tool) {
    std::string specs;
    for (const Flag& flag : tool.flags) {
        const std::string what = backslashed(flag.description, "\\[]:");
        std::string value;
        if (!flag.value.empty() && (!flag.optional_value || !flag.choices.empty())) {
            std::string words = flag.takes_file        ? "_files"
                                : flag.choices.empty() ? " "
                                                       : fmt::format("({})", fmt::join(flag.choices, " "));
            if (goes_on(flag)) words = fmt::format("{{compadd -S \"\" - {}}}", fmt::join(flag.choices, " "));
            value = fmt::format("{}:{}:{}", flag.optional_value ? ":" : "", backslashed(flag.value, "[]\\:"), words);
        }
        for (const std::string& name : flag.names) {
            const bool may_join = !value.empty() && name.starts_with("--") && !flag.optional_value;
            const std::string spec =
                fmt::format("{}{}{}[{}]{}", flag.repeats ? "*" : "", name, may_join ? "=" : "", what, value);
            specs += fmt::format("    {} \\\n", in_quotes(spec));
        }
    }
    // Either autoloaded as a file of the function's name, or read by `source`.
    return fmt::format("#compdef {}\n", tool.name) + header(tool, "zsh") +
           fmt::format(R"x(_{0}-arguments() {{
    compadd -M 'm:{{a-zA-Z}}={{A-Za-z}}' -- {1}
    _files -g '*.gguf(|.zst|.gz|.bz2|.xz)(-.)'
}}
_{0}() {{
    _arguments -s -S -M 'm:{{a-zA-Z}}={{A-Za-z}} r:|[_-]=* r:|=*' \
{2}    '*:model:_{0}-arguments'
}}
if [[ $funcstack[1] == _{0} ]]; then
    _{0} "$@"
else
    compdef _{0} {0}
fi
)x",
                       tool.name, positional_words(tool), specs);
}

std::string fish_completion(const Tool& tool) {
    const auto text = [](std::string_view words) { return in_quotes(backslashed(words, "\\"), "\\'"); };
    std::string lines = header(tool, "fish");
    for (const Flag& flag : tool.flags) {
        std::string line = fmt::format("complete -c {}", tool.name);
        for (const std::string& name : flag.names) {
            line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        }
        if (!flag.value.empty()) {
            if (!flag.optional_value) line += flag.takes_file ? " -r -F" : " -x";
            if (!flag.choices.empty()) line += " -a " + text(joined(flag.choices));
        }
        lines += fmt::format("{} -d {}\n", line, text(flag.description));
    }
    const std::string words = positional_words(tool);
    if (!words.empty()) lines += fmt::format("complete -c {} -a {}\n", tool.name, text(words));
    return lines;
}

}  // namespace ggufkit::tool
