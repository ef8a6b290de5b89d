#include "mode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.hpp"
#include "options.hpp"

namespace ggufkit::tool::info {

namespace {

using enum Mode;

struct Use {
    std::string_view flag;
    Modes modes;
};
constexpr Modes one_file{verify, data, fit, value, json, sections, page, summary};
constexpr Modes any_file{several, verify, data, fit, value, json, sections, page, summary};  // of a flag without a row
constexpr Use uses[] = {
    {"--list-types", {types}},
    {"--verify", {verify}},
    {"--stats", {data}},
    {"--peek", {data}},
    {"--hash", {data}},
    {"--manifest", {data}},
    {"--fit", {fit}},
    {"--gpu", {fit}},
    {"--get", {value}},
    {"--metadata", {sections, json}},
    {"--tensors", {sections, json}},
    {"--layers", {sections, json}},
    {"--types", {sections, json}},
    {"--tokenizer", {sections, json}},
    {"--template", {sections, json}},
    {"--header-hex", {sections, json}},
    {"--check", {sections, json, several}},
    {"--check-data", {sections, json}},
    {"--html", {page, sections, json, fit}},
    {"--markdown", {summary, sections, several, types}},
    {"--sort", one_file},
    {"--long", one_file},
    {"--ctx", one_file},
    {"--batch", one_file},
    {"--kv-type", one_file},
    {"--no-flash-attn", one_file},
    {"--margin", one_file},
};

// A flag that does nothing without one of others, in other modes than these.
struct Need {
    std::string_view flag;
    std::array<std::string_view, 3> others;
    Modes modes;
    std::string_view message;
};
constexpr std::string_view shows_faults =
    "--strict and --profile are for what shows faults: the summary, --check, --check-data, --json and --html";
constexpr Need needs[] = {
    {"--ctx", {"--fit", "--gpu", "--html"}, {}, "--ctx requires --fit, --gpu or --html"},
    {"--batch", {"--fit", "--gpu", "--html"}, {}, "--batch requires --fit, --gpu or --html"},
    {"--kv-type", {"--fit", "--gpu", "--html"}, {}, "--kv-type requires --fit, --gpu or --html"},
    {"--no-flash-attn", {"--fit", "--gpu", "--html"}, {}, "--no-flash-attn requires --fit, --gpu or --html"},
    {"--margin", {"--fit", "--gpu", "--html"}, {}, "--margin requires --fit, --gpu or --html"},
    {"--force", {"--html", "--manifest"}, {}, "--force is for --html and --manifest"},
    {"--sort", {"--metadata", "--tensors"}, {}, "--sort is for --metadata and --tensors"},
    {"--long", {"--tensors", "--stats"}, {}, "--long is for --tensors and --stats"},
    {"--strict", {"--check", "--check-data", "--html"}, {summary, json, page}, shows_faults},
    {"--profile", {"--check", "--check-data", "--html"}, {summary, json, page}, shows_faults},
};

bool any_section(const Options& o) {
    return o.metadata || o.tensors || o.layers || o.types || o.tokenizer || o.chat_template || o.header_hex || o.check;
}

std::string misuse_of_several(const Options& options) {
    const auto is_for_one = [](const std::string& flag) { return !modes_of(flag).contains(several); };
    if (std::ranges::any_of(options.given, is_for_one)) {
        return fmt::format(
            "several files are shown as a table, with --json, --markdown, --check, --strict and --profile at most; "
            "'{}' is the second",
            printable(options.files[1]));
    }
    return std::ranges::count(options.files, "-") > 1 ? "only one of the files can be standard input" : "";
}

}  // namespace

Mode mode_of(const Options& options) {
    if (options.list_types) return types;
    if (options.files.size() > 1) return several;
    if (options.source) return verify;
    if (options.numbers.any()) return data;
    if (options.fit.wanted()) return fit;
    if (options.get) return value;
    if (options.json) return json;
    if (any_section(options) || options.numbers.check_data) return sections;
    return options.html.empty() ? summary : page;
}

Modes modes_of(std::string_view flag) {
    const auto* const use = std::ranges::find(uses, flag, &Use::flag);
    return use == std::end(uses) ? any_file : use->modes;
}

std::string misuse(const Options& options) {
    const Mode mode = mode_of(options);
    if (mode == types) return "";
    if (options.files.empty()) return "FILE is missing";
    if (mode == several) return misuse_of_several(options);

    const bool glob = !options.metadata.value_or("").empty() || !options.tensors.value_or("").empty();
    if (options.json && (glob || options.sort || (options.in_full && !options.numbers.stats))) {
        return "--json prints all of the file as it is: a GLOB of a section, --sort and --long do not go with it";
    }
    if (options.html == "-" && (options.json || any_section(options))) {
        return "--html - takes standard output: sections and --json do not go with it";
    }
    const auto given = [&](std::string_view flag) { return std::ranges::count(options.given, flag) != 0; };
    for (const Need& need : needs) {
        if (given(need.flag) && std::ranges::none_of(need.others, given) && !need.modes.contains(mode))
            return std::string(need.message);
    }
    if (options.json && options.numbers.manifest == "-") {
        return "--manifest - takes standard output: --json does not go with it";
    }
    return mode == data ? misuse(options.numbers) : "";
}

}  // namespace ggufkit::tool::info
