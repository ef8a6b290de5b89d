// gguf-requant: a model in other tensor types.
#include <chrono>
#include <ggufkit/requant.hpp>
#include <optional>

#include "arguments.hpp"
#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "report.hpp"
#include "views.hpp"

namespace {

using namespace ggufkit;

constexpr int failure = 1;
constexpr int interrupted = 130;

const cli::Manual manual{
    .name = "gguf-requant",
    .purpose = "write a GGUF model in other tensor types",
    .usage =
        "  gguf-requant INPUT [OUTPUT] TYPE [THREADS]\n"
        "  gguf-requant INPUT [OUTPUT] TYPE --dry-run     show what would be written\n"
        "  gguf-requant --list-types\n",
    .epilogue = R"(TYPE is a file type such as Q4_K_M, in any case, or its number: a mix of tensor
types, chosen for each tensor as llama-quantize chooses. Without OUTPUT the file
goes next to INPUT, and TYPE takes the place of the type in its name: from
m-Q8_0.gguf to m-Q4_K_M.gguf.

OUTPUT appears under its name complete and on disk, or not at all: whatever
fails, and on Ctrl-C, no part of it is left behind. Room for all of it is
reserved before work starts. Its bytes do not depend on the number of threads
or on the machine.

The environment variable GGUFKIT_SIMD makes the work use another instruction set
than the best one that the CPU has: avx512, avx2, sse4, neon or scalar. All of
them write the same bytes.

Examples:
  gguf-requant m-Q8_0.gguf Q4_K_M
  gguf-requant m-f16.gguf m-small.gguf IQ4_XS --dry-run
  gguf-requant m-f16.gguf Q4_K_M --tensor-type 'ffn_down=Q6_K' --threads 4
  gguf-requant m-f16.gguf IQ3_M --imatrix m.imatrix.gguf --effort max
  gguf-requant m-f16.gguf Q3_K_M --report m-Q3_K_M.html
  gguf-requant m-f16.gguf Q6_K --json | jq .bytes_out

Exit codes:
  0    done
  1    the input is invalid, the plan cannot be carried out, or the work failed
  2    misuse
  130  cancelled by Ctrl-C or a request to terminate; nothing was written
)",
};

struct Options {
    std::vector<std::string> positionals;
    std::string threads;
    std::string effort = "default";
    std::optional<std::string> imatrix;
    std::string imatrix_missing = "error";
    std::vector<std::string> tensor_types;
    std::vector<std::string> reports;
    bool pure = false;
    bool dry_run = false;
    bool force = false;
    bool json = false;
    bool list_types = false;
    bool allow_requantize = false;
};

class Command {
  public:
    Command(const Options& options, const cli::CommandLine& line, cli::Console& console)
        : options_(options), line_(line), console_(console) {}

    int run() {
        if (options_.list_types) {
            requant::print_types(console_);
            return 0;
        }
        if (auto understood = understand(); !understood) return line_.refuse(console_, understood.error().detail);

        const auto model = Model::open(request_.input);
        if (!model) return refuse(cli::sentence(request_.input, model.error()));
        if (auto read = read_imatrix(); !read) {
            return refuse(cli::sentence(*options_.imatrix, read.error()));
        }
        const auto plan = make_plan(*model, recipe_);
        if (!plan && plan.error().code == Errc::bad_argument)
            return line_.refuse(console_, cli::sentence(plan.error()));
        if (!plan) return refuse(cli::sentence(plan.error()));
        return options_.dry_run ? show(*plan) : carry_out(*model, *plan);
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
        recipe_.file_type = request_.file_type;
        recipe_.pure = options_.pure;
        const auto effort = requant::read_effort(options_.effort);
        if (!effort) return fail(effort.error());
        recipe_.effort = *effort;
        if (auto fine = requant::check_report_names(options_.reports, request_.output); !fine) return fine;
        if (options_.dry_run && !options_.reports.empty()) {
            return fail(
                {.code = Errc::bad_argument, .detail = "--report tells what the work cost: not with --dry-run"});
        }
        recipe_.imatrix_gaps_allowed = options_.imatrix_missing == "warn";
        for (const std::string& argument : options_.tensor_types) {
            auto override = requant::read_override(argument);
            if (!override) return fail(override.error());
            recipe_.overrides.push_back(std::move(*override));
        }
        return {};
    }

    Result<void> read_imatrix() {
        if (!options_.imatrix) return {};
        auto imatrix = Imatrix::open(*options_.imatrix);
        if (!imatrix) return fail(std::move(imatrix).error());
        imatrix_ = *std::move(imatrix);
        recipe_.imatrix = &imatrix_;
        return {};
    }

    int refuse(std::string_view message) const {
        console_.error(message);
        return failure;
    }

    int refuse_file(const Error& error) const {
        return refuse(cli::sentence(error) + (error.code == Errc::io_exists ? "; --force replaces it" : ""));
    }

    int show(const Plan& plan) const {
        const auto executable = check_executable(plan);
        const auto problem = executable ? std::nullopt : std::optional(executable.error());
        if (options_.json) {
            requant::print_json(console_, plan, request_, std::nullopt, problem);
        } else {
            requant::print_plan(console_, plan, request_);
        }
        requant::report_gaps(console_, plan);
        return problem ? refuse(cli::sentence(*problem)) : 0;
    }

    int carry_out(const Model& model, const Plan& plan) const {
        using Clock = std::chrono::steady_clock;
        requant::report_gaps(console_, plan);
        if (auto fine = requant::check_report_places(options_.reports, options_.force); !fine) {
            return refuse_file(fine.error());
        }
        std::vector<QualityReport> quality;
        const auto start = Clock::now();
        const auto done = [&] {
            const cli::Interrupt interrupt;
            cli::ProgressBar bar;
            return execute(model, plan, request_.output,
                           {.threads = request_.threads,
                            .overwrite = options_.force,
                            .progress = [&](const Progress& progress) { bar.update(progress.done, progress.total); },
                            .stop = interrupt.token(),
                            .quality = options_.reports.empty() ? nullptr : &quality});
        }();
        if (!done && done.error().code == Errc::cancelled) {
            console_.error("cancelled, nothing was written");
            return interrupted;
        }
        if (!done) return refuse_file(done.error());
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (!options_.reports.empty()) {
            const requant::Outcome outcome{request_, plan, quality.front(), seconds, line_.version()};
            const auto reported = requant::write_reports(options_.reports, outcome, model, options_.force);
            if (!reported) {
                return refuse(
                    fmt::format("the model was written, but not the report: {}", cli::sentence(reported.error())));
            }
        }
        if (options_.json) {
            requant::print_json(console_, plan, request_, seconds, std::nullopt);
        } else {
            requant::print_summary(console_, plan, request_, seconds);
        }
        return 0;
    }

    const Options& options_;
    const cli::CommandLine& line_;
    cli::Console& console_;
    requant::Request request_;
    Imatrix imatrix_;
    Recipe recipe_;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    cli::CommandLine line(manual, failure);
    auto& app = line.app();
    app.add_option("ARGUMENTS", options.positionals, "INPUT [OUTPUT] TYPE [THREADS]")->group("");
    app.add_option("--tensor-type", options.tensor_types,
                   "Use TYPE for tensors whose name REGEX is\nfound in; the first match wins")
        ->type_name("REGEX=TYPE")
        ->allow_extra_args(false);
    app.add_flag("--pure", options.pure, "The file type's main type everywhere, no mix");
    app.add_option("--imatrix", options.imatrix,
                   "Weigh errors by this importance matrix, a file\nof llama-imatrix; some types need one")
        ->type_name("FILE");
    app.add_option("--imatrix-missing", options.imatrix_missing,
                   "error (default) or warn: whether tensors that\nneed what the imatrix lacks stop the work or\n"
                   "are made without")
        ->type_name("HOW")
        ->check(CLI::IsMember({"error", "warn"}));
    app.add_option("--effort", options.effort,
                   "How long to search for the closest blocks:\nfast, default or max. It changes the bytes,\n"
                   "not the types or sizes")
        ->type_name("HOW");
    app.add_option("--threads", options.threads, "How many threads work\n(default: one for each CPU)")->type_name("N");
    app.add_option(
           "--report", options.reports,
           "Write what the work cost in quality, tensor by\ntensor, to FILE.html for a browser or FILE.json\nfor "
           "programs; may be given several times")
        ->type_name("FILE")
        ->allow_extra_args(false);
    app.add_flag("--dry-run", options.dry_run, "Print every tensor's new type and the exact\nsize; write nothing");
    app.add_flag("--force", options.force, "Replace OUTPUT where there is such a file");
    app.add_flag("--json", options.json, "Print plan and outcome as JSON: see spec/json.md");
    app.add_flag("--list-types", options.list_types, "Print the file types");
    app.add_flag("--allow-requantize", options.allow_requantize,
                 "Has no effect: quantized sources are always\nallowed. For command lines of llama-quantize");
    return line.run(argc, argv, [&](cli::Console& console) { return Command(options, line, console).run(); });
}
