#include <fmt/format.h>

#include "common/html.hpp"
#include "core/text.hpp"
#include "page/report.js.hpp"
#include "report.hpp"

namespace ggufkit::tool::requant {

std::string report_html(const Outcome& outcome) {
    const std::string title = printable(fmt::format("{}: quality", outcome.output.path.filename().string()));
    const std::string data = report_json(outcome);
    return html({.title = title, .script = page::report_js, .data = data});
}

}  // namespace ggufkit::tool::requant
