// gguf-info: look at a GGUF file.
#include <algorithm>
#include <utility>

#include "common/show.hpp"
#include "options.hpp"
#include "verify.hpp"
#include "views.hpp"

namespace {

using namespace ggufkit;
using info::Options;

constexpr std::pair<std::string_view, info::Sort> orders[] = {
    {"file", info::Sort::file}, {"name", info::Sort::name}, {"size", info::Sort::size}, {"type", info::Sort::type}};

info::Selection select(const std::optional<std::string>& pattern, const Options& options) {
    const auto* const order = std::ranges::find(orders, options.sort, &std::pair<std::string_view, info::Sort>::first);
    return {
        .pattern = pattern.value_or("").empty() ? "*" : *pattern, .sort = order->second, .in_full = options.in_full};
}

// The sections that were asked for, one after the other. Whether all of them were there.
class Sections {
  public:
    Sections(const Options& options, const info::Inspection& inspection, cli::Console& console)
        : options_(options), inspection_(inspection), console_(console) {}

    bool print() {
        if (inspection_.model) print_model(*inspection_.model);
        section(options_.check, [&] {
            info::print_diagnostics(console_, inspection_,
                                    options_.profile == "llama" ? Profile::llama : Profile::spec);
        });
        if (!any_) info::print_summary(console_, inspection_);
        return found_;
    }

  private:
    void print_model(const Model& model) {
        section(options_.metadata.has_value(),
                [&] { info::print_metadata(console_, model, select(options_.metadata, options_)); });
        section(options_.tensors.has_value(),
                [&] { info::print_tensors(console_, model, select(options_.tensors, options_)); });
        section(options_.layers, [&] { info::print_layers(console_, model); });
        section(options_.types, [&] { info::print_types(console_, model); });
        section(options_.tokenizer, [&] {
            if (!info::print_tokenizer(console_, inspection_)) miss("has no tokenizer");
        });
        section(options_.chat_template, [&] {
            if (!info::print_template(console_, model)) miss("has no chat template");
        });
        section(options_.header_hex, [&] { info::print_header_hex(console_, model); });
    }

    template <class Print>
    void section(bool wanted, Print print) {
        if (!wanted) return;
        if (any_) console_.out.write("\n");
        any_ = true;
        print();
    }

    void miss(std::string_view what) {
        console_.error(fmt::format("{}: {}", cli::shown(inspection_.path), what));
        found_ = false;
    }

    const Options& options_;
    const info::Inspection& inspection_;
    cli::Console& console_;
    bool any_ = false;
    bool found_ = true;
};

int look(Options options, const cli::CommandLine& line, cli::Console& console) {
    if (options.list_types) {
        info::print_known_types(console);
        return 0;
    }
    // The value of these may be left out: `--tensors FILE` has taken the file for a pattern.
    for (auto* pattern : {&options.metadata, &options.tensors}) {
        if (options.file.empty() && pattern->has_value()) options.file = std::exchange(**pattern, "");
    }
    if (options.file.empty()) return line.refuse(console, "FILE is missing");
    if (options.source) return info::verify(console, {options.file, *options.source}, options.json);

    const ValidateOptions rules{.profile = options.profile == "llama" ? Profile::llama : Profile::spec,
                                .strict = options.strict};
    const info::Inspection inspection = info::inspect(options.file, rules, !options.check);
    const int code = !inspection.model || (options.check && !inspection.valid()) ? 1 : 0;
    if (options.json) {
        info::print_json(console, inspection);
        return code;
    }
    if (!inspection.model && !options.check) {
        console.error(cli::sentence(options.file, inspection.diagnostics.front().error));
        return code;
    }
    if (!options.get.empty() && inspection.model) {
        const auto printed = info::print_one(console, *inspection.model, options.get);
        if (!printed) console.error(cli::sentence(options.file, printed.error()));
        return printed ? 0 : 1;
    }
    return Sections(options, inspection, console).print() ? code : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    cli::CommandLine line(info::manual(), 1);
    info::add_options(line.app(), options);
    return line.run(argc, argv, [&](cli::Console& console) { return look(options, line, console); });
}
