#include "page.hpp"

#include <fmt/format.h>

#include <system_error>

#include "common/html.hpp"
#include "core/text.hpp"
#include "io/output_file.hpp"
#include "page/diff.js.hpp"
#include "requant/inputs.hpp"
#include "views.hpp"

namespace ggufkit::diff {

namespace fs = std::filesystem;

namespace {

std::string page_of(const Comparison& comparison) {
    const auto name = [](const fs::path& path) { return path.filename().string(); };
    const std::string title = printable(fmt::format("{} → {}", name(comparison.names.a), name(comparison.names.b)));
    const std::string data = comparison_json(comparison);
    return cli::html({.title = title, .script = cli::page::diff_js, .data = data});
}

}  // namespace

Result<void> check_page_place(const fs::path& path, bool overwrite) {
    std::error_code error;
    if (overwrite || !fs::exists(fs::symlink_status(path, error))) return {};
    return fail({.code = Errc::io_exists, .subject = path.string(), .detail = "exists already; --force replaces it"});
}

Result<void> write_page(const fs::path& path, const Comparison& comparison, const Model& a, const Model& b,
                        bool overwrite) {
    const std::string text = page_of(comparison);
    auto inputs = requant::inputs_of(a);
    for (auto& input : requant::inputs_of(b)) inputs.push_back(input);
    auto file = io::OutputFile::create(path, text.size(), {.overwrite = overwrite, .inputs = std::move(inputs)});
    if (!file) return fail(std::move(file).error());
    if (auto written = file->write(0, std::as_bytes(std::span(text))); !written) return written;
    return file->commit();
}

}  // namespace ggufkit::diff
