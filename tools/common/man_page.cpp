#include "common/man_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace ggufkit::cli {

namespace {

// Text within a line of roff.
std::string roff(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '\\': result += "\\e"; break;
            case '-': result += "\\-"; break;
            case '\'': result += "\\(aq"; break;
            case '^': result += "\\(ha"; break;
            case '~': result += "\\(ti"; break;
            case '`': result += "\\(ga"; break;
            default: result += c;
        }
    }
    return result;
}

// A line of its own, which no dot at its beginning makes a request.
std::string roff_line(std::string_view text) {
    return fmt::format("{}{}\n", text.starts_with('.') ? "\\&" : "", roff(text));
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

// "  command    what it does" in its two halves.
std::pair<std::string, std::string> halves(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::size_t gap = line.find("  ");
    if (gap == line.npos) return {std::string(line), ""};
    const std::size_t rest = line.find_first_not_of(' ', gap);
    return {std::string(line.substr(0, gap)), rest == line.npos ? "" : std::string(line.substr(rest))};
}

std::string synopsis(const Manual& manual) {
    std::string page;
    std::istringstream usage(manual.usage);
    for (std::string line; std::getline(usage, line);) {
        const auto [command, what] = halves(line);
        page += fmt::format(".TP\n.B {}{}", roff_line(command), roff_line(what));
    }
    return page;
}

std::string option(const Flag& flag) {
    std::vector<std::string> names;
    names.reserve(flag.names.size());
    for (const std::string& name : flag.names) names.push_back("\\fB" + roff(name) + "\\fR");
    const std::string value = flag.value.empty() ? "" : " \\fI" + roff(flag.value) + "\\fR";
    return fmt::format(".TP\n{}{}\n{}", fmt::join(names, ", "), value, roff_line(flag.description));
}

std::string options(const Manual& manual, const std::vector<Flag>& flags) {
    std::string page, group;
    const auto end_group = [&] {
        const auto example = manual.examples.find(group);
        if (example != manual.examples.end())
            page += fmt::format(".PP\nExample:\n.EX\n{}.EE\n", roff_line(example->second));
    };
    for (const Flag& flag : flags) {
        if (flag.group != group) {
            end_group();
            group = flag.group;
            page += fmt::format(".SS {}", roff_line(group));
        }
        page += option(flag);
    }
    end_group();
    return page;
}

std::string paragraphs(const std::vector<std::string>& lines) {
    std::string page;
    for (const std::string& line : lines) page += line.empty() ? ".PP\n" : roff_line(line);
    return page;
}

// "0  read" and the indented lines that go on with it.
std::string definitions(const std::vector<std::string>& lines) {
    std::string page;
    for (const std::string& line : lines) {
        const auto [term, what] = halves(line);
        page += line.starts_with(' ') ? roff_line(std::string_view(line).substr(line.find_first_not_of(' ')))
                                      : fmt::format(".TP\n.B {}{}", roff_line(term), roff_line(what));
    }
    return page;
}

std::string chapter(const Chapter& chapter) {
    if (chapter.title.starts_with("Exit")) return ".SH EXIT STATUS\n" + definitions(chapter.lines);
    std::string page = fmt::format(".SH {}.EX\n", roff_line(upper(chapter.title)));
    for (const std::string& line : chapter.lines) page += roff_line(line);
    return page + ".EE\n";
}

}  // namespace

std::string man_page(const Manual& manual, const std::vector<Flag>& flags, std::string_view version) {
    const auto chapters = chapters_of(manual);
    std::string page = fmt::format(".\\\" -*- coding: utf-8 -*-\n.TH {} 1 \"\" \"{}\" \"ggufkit\"\n",
                                   upper(manual.name), roff(version));
    page += fmt::format(".SH NAME\n{} \\- {}", roff(manual.name), roff_line(manual.purpose));
    page += fmt::format(".SH SYNOPSIS\n{}.SH DESCRIPTION\n{}", synopsis(manual), paragraphs(chapters.front().lines));
    page += fmt::format(".SH OPTIONS\n{}", options(manual, flags));
    for (std::size_t i = 1; i < chapters.size(); ++i) page += chapter(chapters[i]);
    page +=
        ".SH ENVIRONMENT\n.TP\n.B COLUMNS\nHow wide lines may be, in place of the terminal's width.\n"
        ".TP\n.B NO_COLOR\nWhere it is set and not empty, there is no colour.\n"
        ".TP\n.B GGUFKIT_SIMD\nThe instruction set to work with: avx512, avx2, sse4, neon or scalar. "
        "It changes no result; one that the CPU has not is refused.\n";
    std::vector<std::string> others;
    for (const std::string_view other : {"gguf-info", "gguf-requant", "gguf-diff"}) {
        if (other != manual.name) others.push_back(fmt::format("\\fB{}\\fR(1)", roff(other)));
    }
    return page + fmt::format(".SH SEE ALSO\n{}\n", fmt::join(others, ", "));
}

}  // namespace ggufkit::cli
