// gguf-requant: a model in other tensor types.
#include <chrono>
#include <ggufkit/requant.hpp>
#include <optional>

#include "arguments.hpp"
#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "options.hpp"
#include "views.hpp"

namespace {

using namespace ggufkit;
using requant::Options;

constexpr int failure = 1;
constexpr int interrupted = 130;

class Command {
  public:
    Command(const Options& options, const cli::CommandLine& line, cli::Console& console)
        : options_(options), line_(line), console_(console) {}

    int run() {
        if (options_.list_types) {
            requant::print_types(console_);
            return 0;
        }
        if (const auto understood = understand(); !understood) return reject(understood.error());

        const auto model = Model::open(request_.input);
        if (!model) return refuse(cli::sentence(request_.input, model.error()));
        auto imatrix = requant::imatrix_of(options_);
        if (!imatrix) return refuse(cli::sentence(*options_.imatrix, imatrix.error()));
        if (*imatrix) recipe_.imatrix = &**imatrix;
        for (const auto& wanted : request_.outputs) {
            recipe_.file_type = wanted.file_type;
            recipe_.copy = wanted.file_type == nullptr;
            auto plan = make_plan(*model, recipe_);
            if (!plan) return reject(plan.error());
            plans_.push_back(*std::move(plan));
        }
        std::vector<Output> outputs;
        for (std::size_t i = 0; i < plans_.size(); ++i) outputs.push_back({&plans_[i], request_.outputs[i].path});
        return options_.dry_run ? show(outputs) : carry_out(*model, outputs);
    }

  private:
    Result<void> understand() {
        if (options_.positionals.empty()) {
            return fail({.code = Errc::bad_argument, .detail = "INPUT and TYPE are missing"});
        }
        auto request = requant::read_positionals(options_.positionals);
        if (!request) return fail(request.error());
        request_ = *request;
        if (!options_.threads.empty()) {
            const auto threads = requant::read_threads(options_.threads);
            if (!threads) return fail(threads.error());
            request_.threads = *threads;
        }
        auto recipe = requant::recipe_of(options_);
        if (!recipe) return fail(std::move(recipe).error());
        recipe_ = *std::move(recipe);
        return {};
    }

    // Misuse, or a failure to read what the arguments name.
    int reject(const Error& error) const {
        if (error.code != Errc::bad_argument) return refuse(cli::sentence(error));
        return line_.refuse(console_, error.subject.empty() ? error.detail : cli::sentence(error));
    }

    int refuse(std::string_view message) const {
        console_.error(message);
        return failure;
    }

    int show(const std::vector<Output>& outputs) const {
        std::optional<Error> problem;  // the first
        for (const Output& output : outputs) {
            const auto executable = check_executable(*output.plan);
            const auto fault = executable ? std::nullopt : std::optional(executable.error());
            if (options_.json) {
                requant::print_json(console_, request_, output, std::nullopt, fault);
            } else {
                requant::print_plan(console_, output);
            }
            requant::report_gaps(console_, *output.plan);
            if (!problem) problem = fault;
        }
        return problem ? refuse(cli::sentence(*problem)) : 0;
    }

    int carry_out(const Model& model, const std::vector<Output>& outputs) const {
        using Clock = std::chrono::steady_clock;
        for (const Output& output : outputs) requant::report_gaps(console_, *output.plan);
        const auto start = Clock::now();
        if (const auto done = execute_visibly(model, outputs); !done) return explain(done.error());
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (options_.json) {
            for (const Output& output : outputs) {
                requant::print_json(console_, request_, output, seconds, std::nullopt);
            }
        } else {
            requant::print_summary(console_, outputs, seconds);
        }
        return 0;
    }

    Result<void> execute_visibly(const Model& model, const std::vector<Output>& outputs) const {
        const cli::Interrupt interrupt;
        cli::ProgressBar bar;
        bool first = true;
        const auto show_progress = [&](const Progress& progress) {
            if (std::exchange(first, false) && progress.done > 0) {
                console_.error(
                    fmt::format("note: going on after {:.1f} %, which are done",
                                100.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total)));
            }
            bar.update(progress.done, progress.total);
        };
        return execute(model, outputs,
                       {.threads = request_.threads,
                        .overwrite = options_.force,
                        .progress = show_progress,
                        .stop = interrupt.token(),
                        .resume = options_.resume,
                        .checkpoint_interval = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::duration<double>(options_.checkpoint))});
    }

    int explain(const Error& error) const {
        if (error.code == Errc::cancelled) {
            console_.error(options_.resume ? "cancelled; --resume goes on from here"
                                           : "cancelled, nothing was written");
            return interrupted;
        }
        if (error.code == Errc::io_exists) return refuse(cli::sentence(error) + "; --force replaces a finished file");
        return refuse(cli::sentence(error));
    }

    const Options& options_;
    const cli::CommandLine& line_;
    cli::Console& console_;
    requant::Request request_;
    Recipe recipe_;
    std::vector<Plan> plans_;  // of the outputs, one each
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    cli::CommandLine line(requant::manual, failure);
    requant::add_options(line.app(), options);
    return line.run(argc, argv, [&](cli::Console& console) { return Command(options, line, console).run(); });
}
