// Pages for a browser, each one file that loads nothing from anywhere.
#pragma once

#include <string>
#include <string_view>

namespace ggufkit::tool {

struct Page {
    std::string_view title;   // any UTF-8
    std::string_view script;  // draws the page from its data, with what page/charts.js offers
    std::string_view data;    // JSON
};

// page/frame.html with the page's content, page/page.css and page/charts.js in it. Neither title nor data can break out
// of their places, whatever they hold.
std::string html(const Page& page);

}  // namespace ggufkit::tool
