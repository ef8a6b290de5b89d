#include "common/man_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <utility>

namespace ggufkit::tool {

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
    bool example = false;  // indented lines stay as they are
    for (const std::string& line : lines) {
        if (line.starts_with("  ") != example) page += std::exchange(example, !example) ? ".EE\n.RE\n" : ".RS 4\n.EX\n";
        page += line.empty() ? ".PP\n" : roff_line(example ? std::string_view(line).substr(2) : line);
    }
    return page + (example ? ".EE\n.RE\n" : "");
}

// What all three tools heed.
constexpr std::pair<std::string_view, std::string_view> environment[] = {
    {"COLUMNS", "How wide lines may be, in place of the terminal's width."},
    {"GGUFKIT_CACHE",
     "The folder that keeps headers of files on servers, or off to keep none. Default: ggufkit in "
     "XDG_CACHE_HOME, or ~/.cache/ggufkit."},
    {"GGUFKIT_PROGRESS",
     "How many seconds pass between lines of progress where standard error is no terminal; 0: no "
     "such lines. Default: 60."},
    {"GGUFKIT_SIMD",
     "The instruction set to work with: avx512, avx2, sse4, neon or scalar. It changes no result; one that "
     "the CPU has not is refused."},
    {"HF_ENDPOINT", "The server that hf: names lead to. Default: https://huggingface.co."},
    {"HF_TOKEN", "A token for repositories that are not public. It is sent to HF_ENDPOINT and nowhere else."},
    {"http_proxy, https_proxy, no_proxy", "Proxies, as curl takes them."},
    {"LC_ALL, LC_CTYPE, LANG",
     "The first one that is set names the locale. Where that has no UTF-8, as C and POSIX, bars, "
     "arrows and ellipses are drawn in ASCII."},
    {"NO_COLOR", "Where it is set and not empty, there is no colour."},
    {"SSL_CERT_FILE", "Certificates of servers to trust, in place of the system's."},
    {"TMPDIR", "The folder for what has to be unpacked or fetched, in files without a name. Default: /var/tmp."},
    {"XDG_CACHE_HOME", "The folder of caches. Default: ~/.cache."},
};

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
    page += ".SH ENVIRONMENT\n";
    for (const auto& [name, what] : environment) page += fmt::format(".TP\n.B {}{}", roff_line(name), roff_line(what));
    std::vector<std::string> others;
    for (const std::string_view other : {"gguf-info", "gguf-requant", "gguf-diff"}) {
        if (other != manual.name) others.push_back(fmt::format("\\fB{}\\fR(1)", roff(other)));
    }
    return page + fmt::format(".SH SEE ALSO\n{}\n", fmt::join(others, ", "));
}

}  // namespace ggufkit::tool
