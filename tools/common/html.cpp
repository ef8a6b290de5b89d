#include "common/html.hpp"

#include <cstddef>
#include <utility>

#include "page/charts.js.hpp"
#include "page/frame.html.hpp"
#include "page/page.css.hpp"

namespace ggufkit::tool {

namespace {

std::string replaced(std::string_view text, std::initializer_list<std::pair<char, std::string_view>> substitutes) {
    std::string result;
    for (const char c : text) {
        std::string_view put(&c, 1);
        for (const auto& [from, to] : substitutes)
            if (c == from) put = to;
        result += put;
    }
    return result;
}

std::string as_text(std::string_view text) { return replaced(text, {{'&', "&amp;"}, {'<', "&lt;"}}); }

// In JSON a < stands in strings only, and can be written so that no end tag appears.
std::string as_script_data(std::string_view json) { return replaced(json, {{'<', "\\u003c"}}); }

}  // namespace

std::string html(const Page& page) {
    const std::pair<std::string_view, std::string> contents[] = {{"title", as_text(page.title)},
                                                                 {"style", std::string(page::page_css)},
                                                                 {"charts", std::string(page::charts_js)},
                                                                 {"script", std::string(page.script)},
                                                                 {"data", as_script_data(page.data)}};
    std::string result;
    std::string_view rest = page::frame_html;
    for (std::size_t open = rest.find("{{"); open != rest.npos; open = rest.find("{{")) {
        const std::size_t close = rest.find("}}", open);
        const std::string_view name = rest.substr(open + 2, close - open - 2);
        result += rest.substr(0, open);
        for (const auto& [place, content] : contents)
            if (place == name) result += content;
        rest.remove_prefix(close + 2);
    }
    return result += rest;
}

}  // namespace ggufkit::tool
