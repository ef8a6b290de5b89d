#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <vector>

#include "io/output_file.hpp"

namespace ggufkit::requant {

namespace fs = std::filesystem;

namespace {

struct Kind {
    std::string_view ending;
    std::string (*make)(const Outcome&);
};
constexpr Kind kinds[] = {{".json", report_json}, {".html", report_html}};

const Kind* kind_of(const fs::path& path) {
    const auto* const kind = std::ranges::find(kinds, path.extension().string(), &Kind::ending);
    return kind == std::end(kinds) ? nullptr : kind;
}

// The same name, written in another way or not; the files need not be there.
bool same_name(const fs::path& a, const fs::path& b) {
    std::error_code ignored;
    return fs::absolute(a, ignored).lexically_normal() == fs::absolute(b, ignored).lexically_normal();
}

}  // namespace

Result<void> check_report_names(std::span<const std::string> paths, const fs::path& output) {
    const auto misuse = [](std::string detail) {
        return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
    };
    for (std::size_t i = 0; i < paths.size(); ++i) {
        if (kind_of(paths[i]) == nullptr) {
            return misuse(fmt::format("--report: '{}' ends with neither .json nor .html", paths[i]));
        }
        if (same_name(paths[i], output)) return misuse(fmt::format("--report: '{}' is the output", paths[i]));
        for (const std::string& other : paths.first(i)) {
            if (same_name(paths[i], other)) return misuse(fmt::format("--report: '{}' is given twice", paths[i]));
        }
    }
    return {};
}

Result<void> check_report_places(std::span<const std::string> paths, bool overwrite) {
    for (const fs::path path : paths) {
        std::error_code error;
        if (!fs::is_directory(fs::absolute(path, error).parent_path(), error)) {
            return fail({.code = Errc::io_open, .subject = path.string(), .detail = "its folder does not exist"});
        }
        if (!overwrite && fs::exists(fs::symlink_status(path, error))) {
            return fail({.code = Errc::io_exists, .subject = path.string(), .detail = "exists already"});
        }
    }
    return {};
}

Result<void> write_reports(std::span<const std::string> paths, const Outcome& outcome, const Model& model,
                           bool overwrite) {
    std::vector<int> inputs;
    for (std::size_t shard = 0; shard < model.shard_count(); ++shard) inputs.push_back(model.shard_fd(shard));
    for (const fs::path path : paths) {
        const std::string text = kind_of(path)->make(outcome);
        auto file = io::OutputFile::create(path, text.size(), {.overwrite = overwrite, .inputs = inputs});
        if (!file) return fail(std::move(file).error());
        if (auto written = file->write(0, std::as_bytes(std::span(text))); !written) return written;
        if (auto done = file->commit(); !done) return done;
    }
    return {};
}

}  // namespace ggufkit::requant
