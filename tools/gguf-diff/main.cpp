// gguf-diff: what differs between two models.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/remote.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "common/open.hpp"
#include "common/program.hpp"
#include "common/save.hpp"
#include "common/show.hpp"
#include "common/suggest.hpp"
#include "comparison.hpp"
#include "duel.hpp"
#include "limits.hpp"
#include "options.hpp"
#include "page.hpp"
#include "patch.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

constexpr int different = 1;
constexpr int trouble = 2;

class Command {
  public:
    Command(const Options& options, const CommandLine& line, Console& console)
        : options_(options), line_(line), console_(console) {}

    int run() {
        if (const auto wrong = fault(); !wrong.empty()) return line_.refuse(console_, wrong);
        if (options_.patch.any()) {
            return run_patch({options_.patch, options_.a, options_.b, options_.threads, options_.json, options_.force},
                             line_, console_);
        }
        for (const std::string& file : {options_.a, options_.b, options_.c, options_.imatrix.value_or("")}) {
            inputs_.add(file);
        }
        if (options_.html) {
            const auto free = check_place(*options_.html, options_.force, inputs_);
            const bool there = !free && free.error().code == Errc::io_exists;
            if (!free) return refuse(sentence(free.error()) + (there ? "; --force replaces it" : ""));
        }
        const auto limits = read_limits(options_.fail_above);
        if (!limits) return line_.refuse(console_, limits.error().detail);
        if (!options_.imatrix && by_importance(*limits)) {
            return line_.refuse(console_, "--fail-above weighted_relative_rmse needs --imatrix");
        }
        std::optional<Imatrix> imatrix;
        if (options_.imatrix) {
            auto opened = Imatrix::open(*options_.imatrix);
            if (!opened) {
                return refuse(sentence(*options_.imatrix, with_near_file(*options_.imatrix, opened.error())));
            }
            imatrix = std::move(*opened);
        }
        interrupt_.emplace();
        const auto a = open(options_.a);
        const auto b = a ? open(options_.b) : std::nullopt;
        if (!a || !b) return trouble;
        if (imatrix) imatrix = std::move(*imatrix).adapted(*a);
        const Imatrix* const weights = imatrix ? &*imatrix : nullptr;
        return options_.c.empty() ? compare(*a, *b, weights, *limits) : rank(*a, *b, weights, *limits);
    }

  private:
    // What is wrong with the arguments, or nothing.
    std::string_view fault() const {
        const Options& o = options_;
        const bool of_keys = !o.ignored_keys.empty() || o.tolerance != 0, three = !o.c.empty();
        if (o.a.empty() && !o.patch.any()) return "A and B are missing";
        if (o.patch.any()) {
            if (three) return "a patch is between two files";
            const bool of_values = o.imatrix || o.sample != 0 || !o.fail_above.empty();
            if (of_keys || of_values || o.brief || o.all || o.blocks || o.html) {
                return "--patch and --apply compare nothing: flags of a comparison are of no use to them";
            }
            return "";
        }
        if (o.patch.in_place) return "--in-place is for --apply";
        if (o.force && !o.html) return "--force is for --html, --patch and --apply";
        if (o.b.empty()) return "B is missing";
        if (prints_page() && (o.json || o.brief || o.all)) {
            return "--html - takes standard output: --json, --brief and --all do not go with it";
        }
        if ((o.a == "-") + (o.b == "-") + (o.c == "-") > 1) return "only one of the models can be standard input";
        if (three && o.blocks) return "--blocks is for two models";
        if (std::isnan(o.tolerance)) return "--tolerance: not a number from 0 to 1";  // CLI::Range lets it through
        return "";
    }

    // Where one is wanted. False where that failed and was said.
    bool write_page(std::span<const Model* const> models, const auto& content) {
        if (!options_.html) return true;
        for (const Model* const model : models) inputs_.add(*model);
        const auto written = save(console_, *options_.html, page(content), inputs_, options_.force);
        if (!written) console_.error(sentence(written.error()));
        return written.has_value();
    }

    int compare(const Model& a, const Model& b, const Imatrix* imatrix, const std::vector<Limit>& limits) {
        auto comparison =
            compare_models(a, b, {shown(options_.a), shown(options_.b)}, options_, imatrix, interrupt_->token());
        if (!comparison) return explain(comparison.error());
        comparison->imatrix_a = imatrix_of(a);
        comparison->imatrix_b = imatrix_of(b);
        if (!write_page(std::array{&a, &b}, *comparison)) return trouble;
        interrupt_.reset();
        show(*comparison);
        if (!comparison->pairs.empty()) note_imatrix(comparison->imatrix_a, comparison->imatrix_b);
        const bool has_a_say = comparison->pairs.empty() || whole(*comparison).iw2 > 0;
        if (!weighed(imatrix, has_a_say) && by_importance(limits)) return trouble;
        return verdict(*comparison, limits);
    }

    int rank(const Model& base, const Model& a, const Imatrix* imatrix, const std::vector<Limit>& limits) {
        const auto b = open(options_.c);
        if (!b) return trouble;
        auto duel = fight(base, a, *b, options_, imatrix, interrupt_->token());
        if (!duel) return explain(duel.error());
        duel->a.imatrix = imatrix_of(a);
        duel->b.imatrix = imatrix_of(*b);
        if (!write_page(std::array{&base, &a, &*b}, *duel)) return trouble;
        interrupt_.reset();
        show(*duel);
        if (!duel->same()) note_imatrix(duel->a.imatrix, duel->b.imatrix);
        if (!weighed(imatrix, duel->same() || duel->weighted) && by_importance(limits)) return trouble;
        return verdict(*duel, limits);
    }

    // The importance matrix that a model was quantized with; empty where it names none.
    static std::string imatrix_of(const Model& model) {
        return std::string(model.header().get_string("quantize.imatrix.file").value_or(""));
    }

    // What was made to be good where it matters is judged by an error in which all columns are the same.
    void note_imatrix(const std::string& of_a, const std::string& of_b) const {
        if (options_.imatrix || (of_a.empty() && of_b.empty())) return;
        const std::string& file = of_b.empty() ? of_a : of_b;
        const std::string_view whose = of_a.empty() ? "B was" : of_b.empty() ? "A was" : "A and B were";
        const bool two = !of_a.empty() && !of_b.empty() && of_a != of_b;
        console_.error(
            fmt::format("note: {} made with an importance matrix ({}{}), but errors here weigh all columns alike; pass "
                        "--imatrix {} "
                        "to weigh them by it",
                        whose, two ? of_a + ", " : "", file, two ? "FILE" : file));
    }

    // Nothing where that failed and was said.
    std::optional<Model> open(const std::string& file) const {
        // Nothing that has a name is begun yet, and opening cannot be stopped.
        const std::stop_callback leave(interrupt_->token(), [&] {
            console_.error("cancelled");
            std::_Exit(cancelled);
        });
        // Of one on a server, the data of those tensors alone that have to be compared.
        auto model = open_model(file, {.work = {.threads = options_.threads}, .header_only = is_remote(file)});
        if (model) return std::move(*model);
        console_.error(sentence(file, model.error()));
        return {};
    }

    bool prints_page() const { return options_.html && is_standard_output(*options_.html); }

    void show(const Comparison& comparison) const {
        if (prints_page()) return;
        if (options_.json) {
            write_json(console_.out, comparison);
        } else if (options_.brief) {
            print_brief(console_, comparison);
        } else {
            print_text(console_, comparison, options_.all);
        }
    }

    void show(const Duel& duel) const {
        if (prints_page()) return;
        if (options_.json) {
            write_json(console_.out, duel);
        } else if (options_.brief) {
            print_brief(console_, duel);
        } else {
            print_duel(console_, duel, options_.all);
        }
    }

    int verdict(const Comparison& comparison, const std::vector<Limit>& limits) const {
        if (limits.empty()) return comparison.diff.same() ? 0 : different;
        return within(judged(comparison), limits, "") ? 0 : different;
    }

    // A and B have to keep within the limits both, so all of both has to be comparable.
    int verdict(const Duel& duel, const std::vector<Limit>& limits) const {
        if (limits.empty()) return duel.same() ? 0 : different;
        const auto& [pairs_a, pairs_b, a, b, not_compared, not_in_base] = duel.ranking;
        for (const std::string& name : not_compared) {
            console_.error(fmt::format("tensor '{}' is not in all three models in one shape", name));
        }
        for (const std::string& name : not_in_base) {
            console_.error(fmt::format("tensor '{}' is not in the base", name));
        }
        const bool all = not_compared.empty() && not_in_base.empty();
        const bool within_a = within(judged(duel, a), limits, "A: ");
        const bool within_b = within(judged(duel, b), limits, "B: ");
        return all && within_a && within_b ? 0 : different;
    }

    static bool by_importance(const std::vector<Limit>& limits) {
        return std::ranges::any_of(limits, [](const Limit& limit) { return limit.metric->by_importance; });
    }

    // Says where an importance matrix has no say in what differs.
    bool weighed(const Imatrix* imatrix, bool has_a_say) const {
        if (imatrix == nullptr || has_a_say) return true;
        console_.error(*options_.imatrix + ": fits no tensor that differs: nothing is weighed by it");
        return false;
    }

    // Says what is not. `whose`: begins each line.
    bool within(const std::vector<Judged>& tensors, const std::vector<Limit>& limits, std::string_view whose) const {
        const auto found = breaches(tensors, limits);
        for (const auto& [tensor, what] : found) console_.error(fmt::format("{}tensor '{}' {}", whose, tensor, what));
        return found.empty();
    }

    int explain(const Error& error) const {
        if (error.code != Errc::cancelled) return refuse(sentence(error));
        console_.error("cancelled");
        return cancelled;
    }

    int refuse(const std::string& message) const {
        console_.error(message);
        return trouble;
    }

    const Options& options_;
    const CommandLine& line_;
    Console& console_;
    std::optional<Interrupt> interrupt_{};  // while models are opened and compared
    Inputs inputs_;
};

int program(int argc, char** argv) {
    Options options;
    CommandLine line(manual(), trouble);
    add_options(line.app(), options);
    return line.run(argc, argv, [&](Console& console) { return Command(options, line, console).run(); });
}

}  // namespace

}  // namespace ggufkit::tool::diff

int main(int argc, char** argv) {
    using namespace ggufkit::tool;
    return run_program("gguf-diff", diff::trouble, diff::program, argc, argv);
}
