// gguf-diff: what differs between two models.
#include <algorithm>
#include <cmath>
#include <ggufkit/diff.hpp>
#include <ggufkit/remote.hpp>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

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
        if (three && (!options_.ignored_keys.empty() || options_.tolerance != 0 || options_.blocks)) {
            return line_.refuse(console_, "--ignore, --tolerance and --blocks are for two models");
        }
        // CLI::Range lets it through.
        if (std::isnan(options_.tolerance)) return line_.refuse(console_, "--tolerance: not a number from 0 to 1");
        if (options_.html) {
            const auto free = diff::check_page_place(*options_.html, options_.force);
            if (!free) return refuse(cli::sentence(free.error()));
        }
        const auto limits = diff::read_limits(options_.fail_above);
        if (!limits) return line_.refuse(console_, limits.error().detail);
        if (!options_.imatrix && by_importance(*limits)) {
            return line_.refuse(console_, "--fail-above weighted_relative_rmse needs --imatrix");
        }
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
        return three ? rank(*a, *b, weights, *limits) : compare(*a, *b, weights, *limits);
    }

  private:
    int compare(const Model& a, const Model& b, const Imatrix* imatrix, const std::vector<diff::Limit>& limits) const {
        const auto comparison =
            diff::compare_models(a, b, {cli::shown(options_.a), cli::shown(options_.b)}, options_, imatrix);
        if (!comparison) return refuse(cli::sentence(comparison.error()));
        if (options_.html) {
            const Model* const models[] = {&a, &b};
            const auto written = diff::write_page({*options_.html, models, options_.force}, *comparison);
            if (!written) return refuse(cli::sentence(written.error()));
        }
        show(*comparison);
        const bool measured = !comparison->pairs.empty();
        if (measured && !weighed(imatrix, {diff::whole(*comparison)}) && by_importance(limits)) return trouble;
        return verdict(*comparison, limits);
    }

    int rank(const Model& base, const Model& a, const Imatrix* imatrix, const std::vector<diff::Limit>& limits) const {
        const auto b = open(options_.c);
        if (!b) return trouble;
        const auto duel = diff::fight(base, a, *b, options_, imatrix);
        if (!duel) return refuse(cli::sentence(duel.error()));
        if (options_.html) {
            const Model* const models[] = {&base, &a, &*b};
            const auto written = diff::write_page({*options_.html, models, options_.force}, *duel);
            if (!written) return refuse(cli::sentence(written.error()));
        }
        show(*duel);
        if (!weighed(imatrix, {duel->a.total, duel->b.total}) && by_importance(limits)) return trouble;
        return verdict(*duel, limits);
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
            diff::print_brief(console_, comparison);
        } else {
            diff::print_text(console_, comparison, options_.all);
        }
    }

    void show(const diff::Duel& duel) const {
        if (options_.json) {
            console_.out.write(diff::duel_json(duel));
        } else if (options_.brief) {
            diff::print_brief(console_, duel);
        } else {
            diff::print_duel(console_, duel, options_.all);
        }
    }

    int verdict(const diff::Comparison& comparison, const std::vector<diff::Limit>& limits) const {
        if (limits.empty()) return comparison.diff.same() ? 0 : different;
        return within(diff::judged(comparison), limits, "") ? 0 : different;
    }

    // A and B have to keep within the limits both, so all of both has to be comparable.
    int verdict(const diff::Duel& duel, const std::vector<diff::Limit>& limits) const {
        if (limits.empty()) return duel.same() ? 0 : different;
        const auto& [pairs_a, pairs_b, a, b, not_compared, not_in_base] = duel.ranking;
        for (const std::string& name : not_compared) {
            console_.error(fmt::format("tensor '{}' is not in all three models in one shape", name));
        }
        for (const std::string& name : not_in_base) {
            console_.error(fmt::format("tensor '{}' is not in the base", name));
        }
        const bool all = not_compared.empty() && not_in_base.empty();
        const bool within_a = within(diff::judged(duel, a), limits, "A: ");
        const bool within_b = within(diff::judged(duel, b), limits, "B: ");
        return all && within_a && within_b ? 0 : different;
    }

    static bool by_importance(const std::vector<diff::Limit>& limits) {
        return std::ranges::any_of(limits, [](const diff::Limit& limit) { return limit.metric->by_importance; });
    }

    // Whether the importance matrix, where there is one, has a say in any of the sums. Says where it has not.
    bool weighed(const Imatrix* imatrix, std::initializer_list<ErrorSums> sums) const {
        if (imatrix == nullptr || std::ranges::any_of(sums, [](const ErrorSums& s) { return s.iw2 > 0; })) return true;
        console_.error(*options_.imatrix + ": fits no tensor that differs: nothing is weighed by it");
        return false;
    }

    // Says what is not. `whose`: begins each line.
    bool within(const std::vector<diff::Judged>& tensors, const std::vector<diff::Limit>& limits,
                std::string_view whose) const {
        const auto found = diff::breaches(tensors, limits);
        for (const auto& [tensor, what] : found) console_.error(fmt::format("{}tensor '{}' {}", whose, tensor, what));
        return found.empty();
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
