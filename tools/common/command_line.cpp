#include "common/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <ggufkit/version.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/completion.hpp"
#include "common/man_page.hpp"
#include "common/message.hpp"
#include "common/shrunk_file.hpp"
#include "common/suggest.hpp"
#include "quant/simd/target.hpp"

namespace ggufkit::tool {

namespace {

// "ORDER" of "ORDER:{file,name}", "N" of "N:UINT in [1 - 4]".
std::string value_name(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const std::size_t check = std::min(type.find('{'), type.find(" in ["));
    return check == type.npos ? type : type.substr(0, type.rfind(':', check));
}

// What CLI::IsMember puts behind the name of the value: "{file,name}".
std::vector<std::string> checked_choices(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const std::size_t open = type.find('{'), close = type.rfind('}');
    if (open == type.npos || close == type.npos || close < open) return {};
    return split_words(std::string_view(type).substr(open + 1, close - open - 1), ',');
}

Flag flag_of(const CLI::Option& option, const Manual& manual) {
    Flag flag;
    flag.value = value_name(option);
    flag.description = option.get_description();
    flag.group = option.get_group();
    for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
    if (flag.names.empty()) flag.names.push_back(option.get_single_name());
    std::ranges::replace(flag.description, '\n', ' ');
    if (option.get_items_expected_max() == 0) flag.value.clear();
    flag.choices = checked_choices(option);
    for (const std::string& key : {flag.names.back(), flag.value}) {
        const auto words = manual.choices.find(key);
        if (flag.choices.empty() && words != manual.choices.end()) flag.choices = words->second;
    }
    constexpr std::string_view files[] = {"FILE", "SOURCE", "PATCH", "OUT"};
    flag.takes_file = std::ranges::find(files, flag.value) != std::end(files);
    flag.optional_value = option.get_items_expected_max() > 0 && option.get_items_expected_min() == 0;
    flag.repeats = option.get_items_expected_max() > 1;
    return flag;
}

// In the order of --help; hidden ones are left out.
std::vector<Flag> flags_of(const CLI::App& app, const Manual& manual) {
    std::vector<Flag> flags;
    for (const std::string& group : app.get_groups()) {
        if (group.empty()) continue;
        for (const CLI::Option* option : app.get_options()) {
            if (option->nonpositional() && option->get_group() == group) flags.push_back(flag_of(*option, manual));
        }
    }
    return flags;
}

// Hidden ones too.
std::vector<Flag> positionals_of(const CLI::App& app, const Manual& manual) {
    std::vector<Flag> arguments;
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_positional()) arguments.push_back(flag_of(*option, manual));
    }
    return arguments;
}

class ManualFormatter : public CLI::Formatter {
  public:
    explicit ManualFormatter(const Manual& manual) : manual_(manual) { column_width(26); }

    std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
        return fmt::format("{}: {}\n\nUsage:\n{}\n{}\n{}", manual_.name, manual_.purpose, manual_.usage,
                           make_groups(app, mode), manual_.epilogue);
    }
    std::string make_group(std::string group, bool, std::vector<const CLI::Option*> options) const override {
        std::string text = fmt::format("{}:\n", group);
        for (const CLI::Option* option : options) text += make_option(option, false);
        const auto example = manual_.examples.find(group);
        if (example != manual_.examples.end()) text += fmt::format("  Example: {}\n", example->second);
        return text;
    }
    // What is checked stands in the description already.
    std::string make_option_opts(const CLI::Option* option) const override {
        const std::string value = value_name(*option);
        return value.empty() ? "" : " " + value;
    }

  private:
    const Manual& manual_;
};

// Ends the reading of arguments, as --version does: a text is wanted and no work.
class CallForText : public CLI::Success {
  public:
    explicit CallForText(std::string text) : CLI::Success("CallForText", std::move(text), CLI::ExitCodes::Success) {}
};

// The library does with the best instruction set where it cannot do as GGUFKIT_SIMD says; a person wants to know.
std::optional<std::string> simd_fault() {
    const char* const asked = std::getenv("GGUFKIT_SIMD");
    if (asked == nullptr || *asked == '\0') return std::nullopt;
    const auto names = quant::simd_targets();
    if (std::ranges::find(names, asked) != names.end()) return std::nullopt;
    return fmt::format("GGUFKIT_SIMD={} names no instruction set that can be used here; there are {}", asked,
                       fmt::join(names, ", "));
}

// A split model may have more shards than a program may have files open, unless it asks.
void allow_many_files() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);  // where it fails, a model with so many shards cannot be opened, and says so
}

Color color_named(const std::string& name) {
    return name == "always" ? Color::always : name == "never" ? Color::never : Color::automatic;
}

// Of arguments that no option and no place takes.
std::string unexpected(const std::vector<std::string>& arguments, const CLI::App& app) {
    const auto is_option = [](const std::string& text) { return text.size() > 1 && text.starts_with('-'); };
    const auto option = std::ranges::find_if(arguments, is_option);
    if (option == arguments.end()) return fmt::format("unexpected argument '{}'", arguments.front());
    const std::string name = option->substr(0, option->find('='));
    Nearest nearest(name);
    for (const CLI::Option* known : app.get_options()) {
        for (const std::string& flag : known->get_lnames()) nearest.consider("--" + flag);
    }
    return fmt::format("unknown option '{}'{}", name, did_you_mean(nearest.found()));
}

// "siz not in {file,name,size}", as CLI::IsMember says it.
std::optional<std::string> not_a_choice(std::string_view flag, std::string_view text) {
    constexpr std::string_view between = " not in {";
    const std::size_t at = text.find(between);
    if (at == text.npos || !text.ends_with('}')) return std::nullopt;
    const std::string_view value = text.substr(0, at);
    std::string_view list = text.substr(at + between.size());
    list.remove_suffix(1);
    const std::vector<std::string> choices = split_words(list, ',');
    return fmt::format("{}: '{}' is not one of {}{}", flag, value, fmt::join(choices, ", "),
                       did_you_mean(value, choices));
}

// "Could not convert: --ctx = 8x".
std::optional<std::string> not_a_number(std::string_view text) {
    constexpr std::string_view before = "Could not convert: ", between = " = ";
    const std::size_t equals = text.find(between);
    if (!text.starts_with(before) || equals == text.npos) return std::nullopt;
    return fmt::format("{}: '{}' is not a number", text.substr(before.size(), equals - before.size()),
                       text.substr(equals + between.size()));
}

// What a script makes of a variable that is not set: `--threads ''`. Options whose value may be left out take it.
std::optional<std::string> empty_value(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_items_expected_min() == 0 ||
            std::ranges::find(option->results(), "") == option->results().end())
            continue;
        return option->get_positional() ? "an argument is empty"
                                        : fmt::format("{}: the value is empty", option->get_name());
    }
    return std::nullopt;
}

// The parser's message in our words.
std::string message_of(const CLI::ParseError& fault, const CLI::App& app) {
    if (auto empty = empty_value(app)) return *empty;
    const std::string_view text = fault.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&fault) != nullptr && app.remaining_size() != 0) {
        return unexpected(app.remaining(), app);
    }
    if (const auto message = not_a_number(text)) return *message;
    const std::string flag(text.substr(0, text.find(':')));
    const CLI::Option* const option = app.get_option_no_throw(flag);
    const std::string_view rest = text.substr(flag.size());
    if (rest.starts_with(": At Most 1 required")) return fmt::format("{} is given more than once", flag);
    if (option == nullptr) return std::string(text);
    if (rest.starts_with(": 1 required ") && rest.ends_with(" missing"))
        return fmt::format("{} needs {}", flag, value_name(*option));
    if (const auto message = not_a_choice(flag, rest.substr(std::min<std::size_t>(2, rest.size())))) return *message;
    return std::string(text);
}

}  // namespace

CommandLine::CommandLine(Manual manual, int failure)
    : manual_(std::move(manual)), failure_(failure), app_(std::make_unique<CLI::App>(manual_.purpose, manual_.name)) {
    app_->formatter(std::make_shared<ManualFormatter>(manual_));
}

CommandLine::~CommandLine() = default;

int CommandLine::run(int argc, char** argv, const std::function<int(Console&)>& work) {
    explain_shrunk_files(manual_.name, failure_);
    allow_many_files();
    if (argc < 2) {
        teach();
        return misuse;
    }
    add_common_options();
    try {
        app_->parse(argc, argv);
    } catch (const CLI::Success& request) {  // --help, --version, --man, --completion
        Console console(manual_.name, Color::automatic);
        const bool help = dynamic_cast<const CLI::CallForHelp*>(&request) != nullptr;
        const std::string text = help ? app_->help() : request.what();
        if (!help) console.out.keep_utf8();  // a script or a page, not for the screen
        console.out.write(text);
        if (!text.ends_with('\n')) console.out.write("\n");
        return console.finish(0, failure_);
    } catch (const CLI::ParseError& fault) {
        return refuse(Console(manual_.name, Color::automatic), message_of(fault, *app_));
    }
    Console console(manual_.name, color_named(color_));
    if (const auto empty = empty_value(*app_)) return refuse(console, *empty);
    if (const auto fault = simd_fault()) return refuse(console, *fault);
    return console.finish(work(console), failure_);
}

// Who gives no argument made a mistake, or wants to know what to give: the exit code says the first, the text the second.
void CommandLine::teach() const {
    print_message(fmt::format("Usage:\n{}\n", manual_.usage));
    for (const auto& [title, lines] : chapters_of(manual_)) {
        if (title == "Examples") print_message(fmt::format("Examples:\n  {}\n\n", fmt::join(lines, "\n  ")));
    }
    print_message(fmt::format("Try '{} --help'.\n", manual_.name));
}

std::string CommandLine::completion(const std::string& shell) const {
    const Tool tool{manual_.name, flags_of(*app_, manual_), positionals_of(*app_, manual_)};
    return shell == "bash" ? bash_completion(tool) : shell == "zsh" ? zsh_completion(tool) : fish_completion(tool);
}

// After the tool's own, so that they come last in --help. Those for who installs it are not shown there.
void CommandLine::add_common_options() {
    app_->set_help_flag("-h,--help", "Print this help");
    app_->set_version_flag("--version", version(), "Print the version");
    app_->add_option("--color", color_, "auto, always or never: auto colours on a\nterminal, unless NO_COLOR is set")
        ->type_name("WHEN")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    app_->add_option_function<std::string>(
            "--completion", [this](const std::string& shell) { throw CallForText(completion(shell)); },
            "Print what completes arguments in this shell")
        ->type_name("SHELL")
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->group("");
    app_->add_flag_callback(
            "--man", [this] { throw CallForText(man_page(manual_, flags_of(*app_, manual_), version())); },
            "Print the manual page")
        ->group("");
}

std::string CommandLine::version() const { return fmt::format("{} {}", manual_.name, ggufkit::version()); }

int CommandLine::refuse(const Console& console, std::string_view message) const {
    console.error(message);
    print_message(fmt::format("Try '{} --help'.\n", manual_.name));
    return misuse;
}

}  // namespace ggufkit::tool
