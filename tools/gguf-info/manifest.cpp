#include "manifest.hpp"

#include <fstream>
#include <iterator>

#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "common/open.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"

namespace ggufkit::tool::info {

namespace {

using Finding = ManifestCheck::Finding;

std::string_view name(HashLine::Of of) {
    switch (of) {
        case HashLine::Of::tensor: return "tensor";
        case HashLine::Of::file: return "file";
        case HashLine::Of::data: return "data";
    }
    return {};
}

std::string subject(const HashLine& line) {
    if (line.of == HashLine::Of::tensor) return printable(line.tensor);
    return printable(line.file) + (line.of == HashLine::Of::data ? " (all tensors)" : " (the file)");
}

std::string explain(const ManifestCheck::Line& line) {
    switch (line.finding) {
        case Finding::same: return {};
        case Finding::differs:
            return fmt::format("{} is {}, not {}", ggufkit::name(line.listed.kind), line.found, line.listed.hex);
        case Finding::missing: return "in the manifest, but not in the model";
        case Finding::unlisted: return "in the model, but not in the manifest";
    }
    return {};
}

void print_check(Console& console, const std::filesystem::path& file, const std::filesystem::path& path,
                 const ManifestCheck& check) {
    Table table({{.style = Style::red}, {.cut = Cut::middle}, {.style = Style::dim}});
    for (const ManifestCheck::Line& line : check.lines) {
        if (line.finding != Finding::same)
            table.add({ggufkit::name(line.finding), subject(line.listed), explain(line)});
    }
    table.print(console, std::nullopt);  // a hash is not cut short
    if (!table.empty()) console.out.write("\n");
    console.out.print("{}: {} {}: {} of {} the same\n", printable(file.string()),
                      check.holds() ? console.paint(Style::green, "fits") : console.paint(Style::red, "does not fit"),
                      printable(path.string()), grouped(check.count(Finding::same)),
                      counted(check.lines.size(), "line"));
}

void write_line(JsonWriter& json, const HashLine& line) {
    json.field("of", name(line.of)).field("file", line.file).key("tensor");
    if (line.of == HashLine::Of::tensor) {
        json.value(line.tensor);
    } else {
        json.null();
    }
}

void print_json(Console& console, const std::filesystem::path& file, const std::filesystem::path& path,
                const ManifestCheck& check) {
    JsonWriter json(console.out);
    json.begin_object().field("file", file.string()).field("manifest", path.string()).field("holds", check.holds());
    json.key("lines").begin_array();
    for (const ManifestCheck::Line& line : check.lines) {
        json.begin_object()
            .field("finding", ggufkit::name(line.finding))
            .field("kind", ggufkit::name(line.listed.kind));
        write_line(json, line.listed);
        json.field("listed", line.listed.hex)
            .field("found", line.finding == Finding::same ? line.listed.hex : line.found);
        json.end_object();
    }
    json.end_array().end_object().finish();
}

}  // namespace

std::optional<Manifest> load_manifest(const std::filesystem::path& path) {
    constexpr std::uintmax_t most = 64 << 20;
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed)) return std::nullopt;
    const std::uintmax_t size = std::filesystem::file_size(path, failed);
    if (failed || size > most) return std::nullopt;
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file || text.starts_with("GGUF")) return std::nullopt;
    auto manifest = Manifest::parse(text);
    return manifest ? std::optional(std::move(*manifest)) : std::nullopt;
}

void write_hashes(JsonWriter& json, const Manifest& manifest) {
    json.key("hashes").begin_array();
    for (const HashLine& line : manifest.lines) {
        json.begin_object().field("kind", ggufkit::name(line.kind));
        write_line(json, line);
        json.field("hash", line.hex).end_object();
    }
    json.end_array();
}

int verify_manifest(Console& console, const std::filesystem::path& file, const std::filesystem::path& path,
                    const Manifest& manifest, unsigned threads, bool as_json) {
    const auto refuse = [&](const Error& error) {
        const bool stopped = error.code == Errc::cancelled;
        console.error(stopped ? "cancelled" : sentence(file, error));
        return stopped ? cancelled : 1;
    };
    const Interrupt interrupt;
    const auto model = open_model(file);
    if (!model) return refuse(model.error());
    const auto check = [&] {
        ProgressBar bar;
        const auto progress = [&](const Progress& now) { bar.update(now); };
        return check_manifest(*model, manifest, {.threads = threads, .progress = progress, .stop = interrupt.token()});
    }();
    if (!check) return refuse(check.error());
    if (as_json) {
        print_json(console, file, path, *check);
    } else {
        print_check(console, file, path, *check);
    }
    return check->holds() ? 0 : 1;
}

}  // namespace ggufkit::tool::info
