// gguf-requant: a model in other tensor types.
#include <chrono>
#include <ggufkit/recipe_file.hpp>
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
        "  gguf-requant INPUT TYPE:OUTPUT... [THREADS]    several from one read\n"
        "  gguf-requant INPUT [OUTPUT] TYPE --dry-run     show what would be written\n"
        "  gguf-requant --list-types\n",
    .epilogue = R"(TYPE is a file type such as Q4_K_M, in any case, or its number: a mix of tensor
types, chosen for each tensor as llama-quantize chooses. Without OUTPUT the file
goes next to INPUT, and TYPE takes the place of the type in its name: from
m-Q8_0.gguf to m-Q4_K_M.gguf.

OUTPUT appears under its name complete and on disk, or not at all: whatever
fails, and on Ctrl-C, no part of it is left behind. Room for all of it is
reserved before work starts. Its bytes do not depend on the number of threads
or on the machine. What a run leaves that is killed, or cut off by a loss of
power, OUTPUT.ggufkit-partial and .ggufkit-journal, the same command with
--resume goes on with.

The environment variable GGUFKIT_SIMD makes the work use another instruction set
than the best one that the CPU has: avx512, avx2, sse4, neon or scalar. All of
them write the same bytes.

Examples:
  gguf-requant m-Q8_0.gguf Q4_K_M
  gguf-requant m-f16.gguf m-small.gguf IQ4_XS --dry-run
  gguf-requant m-f16.gguf Q4_K_M --tensor-type 'ffn_down=Q6_K' --threads 4
  gguf-requant m-f16.gguf IQ3_M --imatrix m.imatrix.gguf --effort max
  gguf-requant m-f16.gguf Q3_K_M --report m-Q3_K_M.html
  gguf-requant m-f16.gguf Q4_K_M:m4.gguf Q6_K:m6.gguf
  gguf-requant big-f16.gguf Q4_K_M --resume
  gguf-requant m-f16.gguf Q6_K --json | jq .bytes_out

Exit codes:
  0    done
  1    the input is invalid, the plan cannot be carried out, or the work failed
  2    misuse
  130  cancelled by Ctrl-C or a request to terminate; nothing was written, or
       with --resume what was done is kept for the next time
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
    bool resume = false;
    double checkpoint = 2;
    bool provenance = false;
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
        if (auto traced = read_provenance(*model); !traced) return explain(traced.error());
        for (const auto& wanted : request_.outputs) {
            recipe_.file_type = wanted.file_type;
            auto plan = make_plan(*model, recipe_);
            if (!plan && plan.error().code == Errc::bad_argument)
                return line_.refuse(console_, cli::sentence(plan.error()));
            if (!plan) return refuse(cli::sentence(plan.error()));
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
        recipe_.pure = options_.pure;
        const auto effort = requant::read_effort(options_.effort);
        if (!effort) return fail(effort.error());
        recipe_.effort = *effort;
        auto reports = requant::report_files(options_.reports, request_, options_.dry_run);
        if (!reports) return fail(std::move(reports).error());
        reports_ = *std::move(reports);
        recipe_.imatrix_gaps_allowed = options_.imatrix_missing == "warn";
        for (const std::string& argument : options_.tensor_types) {
            auto override = parse_override(argument);
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

    // A plan that is only shown is as large with any digests.
    Result<void> read_provenance(const Model& model) {
        if (!options_.provenance) return {};
        provenance_ = {line_.version(), std::vector<Digest>(model.tensors().size())};
        recipe_.provenance = &provenance_;
        if (options_.dry_run) return {};
        const cli::Interrupt interrupt;
        cli::ProgressBar bar;
        auto traced = trace(model, line_.version(),
                            {.threads = request_.threads,
                             .progress = [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); },
                             .stop = interrupt.token()});
        if (!traced) return fail(std::move(traced).error());
        provenance_ = *std::move(traced);
        return {};
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
        if (auto fine = requant::check_report_places(reports_, options_.force); !fine) return explain(fine.error());
        std::vector<QualityReport> quality;
        if (const auto done = execute_visibly(model, outputs, quality); !done) return explain(done.error());
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        for (const auto& [path, number] : reports_) {
            const requant::Outcome outcome{request_.input, outputs[number], quality[number], seconds, line_.version()};
            if (auto written = requant::write_report(path, outcome, model, options_.force); !written) {
                return refuse("the model is written, but not its report: " + cli::sentence(written.error()));
            }
        }
        if (options_.json) {
            for (const Output& output : outputs) {
                requant::print_json(console_, request_, output, seconds, std::nullopt);
            }
        } else {
            requant::print_summary(console_, outputs, seconds);
        }
        return 0;
    }

    Result<void> execute_visibly(const Model& model, const std::vector<Output>& outputs,
                                 std::vector<QualityReport>& quality) const {
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
                            std::chrono::duration<double>(options_.checkpoint)),
                        .quality = reports_.empty() ? nullptr : &quality});
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
    Imatrix imatrix_;
    Provenance provenance_;
    Recipe recipe_;
    std::vector<Plan> plans_;  // of the outputs, one each
    std::vector<requant::ReportFile> reports_;
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
           "programs; of several outputs one each:\nFILE-OUTPUT.html")
        ->type_name("FILE")
        ->allow_extra_args(false);
    app.add_flag("--provenance", options.provenance,
                 "Write into OUTPUT what it was made from and how:\nthe digests of all of INPUT's tensors, which is\n"
                 "read twice for it; gguf-info --verify checks it");
    app.add_flag("--dry-run", options.dry_run, "Print every tensor's new type and the exact\nsize; write nothing");
    app.add_flag("--force", options.force, "Replace OUTPUT where there is such a file");
    app.add_flag("--resume", options.resume,
                 "Go on with what an interrupted run left; keep\nwhat is done when interrupted");
    app.add_option("--checkpoint", options.checkpoint,
                   "How often what is done is made durable, for\n--resume (default: every 2 seconds)")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.001, 86400.0));
    app.add_flag("--json", options.json, "Print plan and outcome as JSON: see spec/json.md");
    app.add_flag("--list-types", options.list_types, "Print the file types");
    app.add_flag("--allow-requantize", options.allow_requantize,
                 "Has no effect: quantized sources are always\nallowed. For command lines of llama-quantize");
    return line.run(argc, argv, [&](cli::Console& console) { return Command(options, line, console).run(); });
}
