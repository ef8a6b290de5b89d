#include "page.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "common/html.hpp"
#include "core/text.hpp"
#include "page/diff.js.hpp"
#include "page/duel.js.hpp"
#include "page/weights.js.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace fs = std::filesystem;

namespace {

std::string file_name(const std::string& path) { return fs::path(path).filename().string(); }

std::string json_of(const auto& content) {
    Output text(Output::Sink::memory);
    write_json(text, content);
    return text.take();
}

std::string page_of(const std::string& title, std::string_view script, const std::string& data) {
    const std::string scripts = std::string(page::weights_js) + std::string(script);
    return html({.title = printable(title), .script = scripts, .data = data});
}

}  // namespace

std::string page(const Comparison& comparison) {
    const auto& [a, b] = comparison.names;
    return page_of(fmt::format("{} → {}", file_name(a), file_name(b)), page::diff_js, json_of(comparison));
}

std::string page(const Duel& duel) {
    const std::string title = fmt::format("{} or {}: which is nearer to {}", file_name(duel.a.name),
                                          file_name(duel.b.name), file_name(duel.base));
    return page_of(title, page::duel_js, json_of(duel));
}

}  // namespace ggufkit::tool::diff
