// gguf-diff: what differs between two models.
#include <ggufkit/diff.hpp>
#include <ggufkit/remote.hpp>
#include <optional>

#include "common/command_line.hpp"
#include "common/open.hpp"
#include "common/show.hpp"
#include "comparison.hpp"
#include "duel.hpp"
#include "limits.hpp"
#include "options.hpp"
#include "page.hpp"
#include "patch.hpp"
#include "views.hpp"

namespace {

using namespace ggufkit;
using diff::Options;

constexpr int different = 1;
constexpr int trouble = 2;

class Command {
  public:
    Command(const Options& options, const cli::CommandLine& line, cli::Console& console)
        : options_(options), line_(line), console_(console) {}

    int run() {
        if (options_.patch.any()) {
            const diff::PatchRun run{options_.patch,   options_.a,    options_.b,
                                     options_.threads, options_.json, options_.force};
            return options_.c.empty() ? diff::run_patch(run, line_, console_)
                                      : line_.refuse(console_, "a patch is between two files");
        }
        if (options_.patch.in_place) return line_.refuse(console_, "--in-place is for --apply");
        if (options_.b.empty()) return line_.refuse(console_, "B is missing");
        const bool three = !options_.c.empty();
        if ((options_.a == "-") + (options_.b == "-") + (options_.c == "-") > 1) {
            return line_.refuse(console_, "only one of the models can be standard input");
        }
        if (three && (options_.brief || !options_.fail_above.empty() || options_.html)) {
            return line_.refuse(console_, "--brief, --fail-above and --html are for two models");
        }
        if (options_.html) {
            const auto free = diff::check_page_place(*options_.html, options_.force);
            if (!free) return refuse(cli::sentence(free.error()));
        }
        const auto limits = diff::read_limits(options_.fail_above);
        if (!limits) return line_.refuse(console_, limits.error().detail);
        std::optional<Imatrix> imatrix;
        if (options_.imatrix) {
            auto opened = Imatrix::open(*options_.imatrix);
            if (!opened) return refuse(cli::sentence(*options_.imatrix, opened.error()));
            imatrix = std::move(*opened);
        }
        const Imatrix* const weights = imatrix ? &*imatrix : nullptr;
        const auto a = open(options_.a);
        const auto b = a ? open(options_.b) : std::nullopt;
        if (!a || !b) return trouble;
        return three ? rank(*a, *b, weights) : compare(*a, *b, weights, *limits);
    }

  private:
    int compare(const Model& a, const Model& b, const Imatrix* imatrix, const std::vector<diff::Limit>& limits) const {
        const auto comparison =
            diff::compare_models(a, b, {cli::shown(options_.a), cli::shown(options_.b)}, options_, imatrix);
        if (!comparison) return refuse(cli::sentence(comparison.error()));
        if (options_.html) {
            const auto written = diff::write_page(*options_.html, *comparison, a, b, options_.force);
            if (!written) return refuse(cli::sentence(written.error()));
        }
        show(*comparison);
        return verdict(*comparison, limits);
    }

    int rank(const Model& base, const Model& a, const Imatrix* imatrix) const {
        const auto b = open(options_.c);
        if (!b) return trouble;
        const auto duel = diff::fight(base, a, *b, options_, imatrix);
        if (!duel) return refuse(cli::sentence(duel.error()));
        if (options_.json) {
            console_.out.write(diff::duel_json(*duel));
        } else {
            diff::print_duel(console_, *duel, options_.all);
        }
        return duel->same() ? 0 : different;
    }

    // Nothing where that failed and was said.
    std::optional<Model> open(const std::string& file) const {
        // Of one on a server, the data of those tensors alone that have to be compared.
        auto model = cli::open_model(file, {.header_only = is_remote(file), .threads = options_.threads});
        if (model) return std::move(*model);
        console_.error(cli::sentence(file, model.error()));
        return {};
    }

    void show(const diff::Comparison& comparison) const {
        if (options_.json) {
            console_.out.write(diff::comparison_json(comparison));
        } else if (options_.brief) {
            diff::print_brief(console_, comparison.diff);
        } else {
            diff::print_text(console_, comparison, options_.all);
        }
    }

    int verdict(const diff::Comparison& comparison, const std::vector<diff::Limit>& limits) const {
        if (limits.empty()) return comparison.diff.same() ? 0 : different;
        const auto found = diff::breaches(comparison, limits);
        for (const auto& [tensor, what] : found) console_.error(fmt::format("tensor '{}' {}", tensor, what));
        return found.empty() ? 0 : different;
    }

    int refuse(const std::string& message) const {
        console_.error(message);
        return trouble;
    }

    const Options& options_;
    const cli::CommandLine& line_;
    cli::Console& console_;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    cli::CommandLine line(diff::manual(), trouble);
    diff::add_options(line.app(), options);
    return line.run(argc, argv, [&](cli::Console& console) { return Command(options, line, console).run(); });
}
