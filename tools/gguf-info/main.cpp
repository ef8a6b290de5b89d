// gguf-info: look at a GGUF file.
#include <algorithm>
#include <span>
#include <utility>

#include "check_data.hpp"
#include "common/program.hpp"
#include "common/show.hpp"
#include "common/suggest.hpp"
#include "common/text.hpp"
#include "mode.hpp"
#include "options.hpp"
#include "several.hpp"
#include "verify.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

constexpr int failure = 1;

constexpr std::pair<std::string_view, Sort> orders[] = {
    {"file", Sort::file}, {"name", Sort::name}, {"size", Sort::size}, {"type", Sort::type}, {"offset", Sort::offset}};

Profile profile(const Options& options) { return options.profile == "llama" ? Profile::llama : Profile::spec; }

Selection select(const std::optional<std::string>& pattern, const Options& options) {
    const auto* const order =
        std::ranges::find(orders, options.sort.value_or("file"), &std::pair<std::string_view, Sort>::first);
    return {
        .pattern = pattern.value_or("").empty() ? "*" : *pattern, .sort = order->second, .in_full = options.in_full};
}

// Why not all of the model is shown.
void report_faults(const Options& options, const Inspection& inspection, Console& console) {
    console.out.flush();  // what was read stands above it
    constexpr std::size_t most = 3;
    const std::size_t count = inspection.faults.size();
    for (const Error& fault : std::span(inspection.faults).first(std::min(count, most))) {
        console.error(sentence(options.file(), fault));
    }
    if (most < count) {
        console.error(
            fmt::format("{}: and {} more; --check lists them", shown(options.file()), counted(count - most, "error")));
    }
}

// The sections that were asked for, one after the other.
class Sections {
  public:
    Sections(const Options& options, Mode mode, const Inspection& inspection, Console& console)
        : options_(options), mode_(mode), inspection_(inspection), console_(console) {}

    // Whether all of them were there. What could not be read is told after them, unless they tell it themselves.
    bool print() {
        if (inspection_.model) print_model(*inspection_.model);
        section("Problems", options_.check, [&] { print_diagnostics(console_, inspection_, profile(options_)); });
        if (mode_ == Mode::summary) {
            print_summary(console_, inspection_);
        } else if (!options_.check) {
            report_faults(options_, inspection_, console_);
        }
        return found_;
    }

  private:
    void print_model(const Model& model) {
        section("Metadata", options_.metadata.has_value(), [&] {
            if (!print_metadata(console_, model, select(options_.metadata, options_)))
                miss(
                    fmt::format("'{}' fits no key{}", *options_.metadata, did_you_mean_key(*options_.metadata, model)));
        });
        section("Tensors", options_.tensors.has_value(), [&] {
            if (!print_tensors(console_, model, select(options_.tensors, options_)))
                miss(fmt::format("'{}' fits no tensor{}", *options_.tensors,
                                 did_you_mean_tensor(*options_.tensors, model)));
        });
        section("Layers", options_.layers, [&] { print_layers(console_, model); });
        section("Types", options_.types, [&] { print_types(console_, model); });
        section("Tokenizer", options_.tokenizer, [&] {
            if (!print_tokenizer(console_, inspection_)) miss("has no tokenizer");
        });
        section("Chat template", options_.chat_template.has_value(), [&] {
            const auto printed = print_template(console_, model, *options_.chat_template);
            if (!printed) miss(printed.error().detail);
        });
        section("Header", options_.header_hex, [&] { print_header_hex(console_, model); });
    }

    template <class Print>
    void section(std::string_view title, bool wanted, Print print) {
        if (!wanted) return;
        console_.section(title);
        print();
    }

    void miss(std::string_view what) {
        console_.error(fmt::format("{}: {}", shown(inspection_.path), what));
        found_ = false;
    }

    const Options& options_;
    const Mode mode_;
    const Inspection& inspection_;
    Console& console_;
    bool found_ = true;
};

int save_page(const Options& options, const Inspection& inspection, const CommandLine& line, Console& console) {
    // No estimate of a part of a model.
    const bool whole = inspection.model->complete() && inspection.faults.empty();
    const auto memory = whole ? make_memory_chart(*inspection.model, options.fit) : std::nullopt;
    if (!memory) return line.refuse(console, memory.error().detail);
    const auto saved = save_html(console, options.html, inspection, *memory, line.version(), options.force);
    if (saved) return 0;
    const bool there = saved.error().code == Errc::io_exists;
    console.error(sentence(saved.error()) + (there ? "; --force replaces it" : ""));
    return 1;
}

int fit(const Options& options, const Inspection& inspection, const CommandLine& line, Console& console) {
    const Model& model = *inspection.model;
    report_faults(options, inspection, console);
    if (!inspection.faults.empty()) return 1;
    if (!model.complete()) {
        console.error(
            fmt::format("{}: --fit needs the whole model: this is {}", shown(options.file()), shards_text(model)));
        return 1;
    }
    const auto fit = make_fit(model, options.fit);
    if (!fit && fit.error().code == Errc::bad_argument) return line.refuse(console, fit.error().detail);
    if (!fit) console.error(sentence(options.file(), fit.error()));
    if (fit) print_fit(console, model, *fit, options.json);
    return fit ? 0 : 1;
}

bool print_value(const Options& options, const Inspection& inspection, Console& console) {
    const auto printed = print_one(console, *inspection.model, *options.get, options.json);
    if (!printed) console.error(sentence(options.file(), printed.error()));
    report_faults(options, inspection, console);
    return printed.has_value();
}

// What the header says, and what is wrong with the file.
int look_at_header(const Options& options, Mode mode, const CommandLine& line, Console& console) {
    const ValidateOptions rules{.profile = profile(options), .strict = options.strict};
    Inspection inspection = inspect(options.file(), rules, !options.check);
    if (options.numbers.check_data) {
        if (const int failed = check_data(console, inspection, rules, options.numbers.threads); failed != 0)
            return failed;
    }
    const bool broken = !inspection.model || !inspection.faults.empty();
    const int code = broken || (options.check && !inspection.valid()) ? 1 : 0;
    if (!inspection.model) {
        if (options.json && mode != Mode::value) {
            print_json(console, inspection);
        } else if (options.check) {
            Sections(options, mode, inspection, console).print();
        } else {
            console.error(sentence(options.file(), inspection.diagnostics.front().error));
        }
        return code;
    }
    if (!options.html.empty()) {
        if (const int failed = save_page(options, inspection, line, console); failed != 0) return failed;
    }
    if (options.html == "-") return code;
    switch (mode) {
        case Mode::fit: return fit(options, inspection, line, console);
        case Mode::value: return print_value(options, inspection, console) ? code : 1;
        case Mode::json: print_json(console, inspection); return code;
        default: return Sections(options, mode, inspection, console).print() ? code : 1;
    }
}

int look(Options options, const CommandLine& line, Console& console) {
    if (options.markdown) console.write_markdown();
    give_back_file(options);
    if (const std::string wrong = misuse(options); !wrong.empty()) return line.refuse(console, wrong);
    if (options.numbers.check_data) options.check = true;
    switch (const Mode mode = mode_of(options)) {
        case Mode::types: print_known_types(console); return 0;
        case Mode::several:
            return print_several(console, options.files, {.profile = profile(options), .strict = options.strict},
                                 {.check = options.check, .json = options.json})
                       ? 0
                       : 1;
        case Mode::verify:
            return verify(console, {options.file(), *options.source}, options.numbers.threads, options.json);
        case Mode::data: return print_numbers(console, options);
        default: return look_at_header(options, mode, line, console);
    }
}

int program(int argc, char** argv) {
    Options options;
    CommandLine line(manual(), failure);
    add_options(line.app(), options);
    return line.run(argc, argv, [&](Console& console) { return look(options, line, console); });
}

}  // namespace

}  // namespace ggufkit::tool::info

int main(int argc, char** argv) {
    using namespace ggufkit::tool;
    return run_program("gguf-info", info::failure, info::program, argc, argv);
}
