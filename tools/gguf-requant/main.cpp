// gguf-requant: a model in other tensor types.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ggufkit/remote.hpp>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/provenance.hpp>
#include <ggufkit/requant/recipe_file.hpp>
#include <ggufkit/requant/shared.hpp>
#include <optional>

#include "arguments.hpp"
#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "common/open.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/save.hpp"
#include "common/show.hpp"
#include "io/compression.hpp"
#include "options.hpp"
#include "place.hpp"
#include "report.hpp"
#include "requant/journal.hpp"
#include "set_kv.hpp"
#include "shm.hpp"
#include "stream.hpp"
#include "target.hpp"
#include "views.hpp"

namespace ggufkit::tool::requant {

namespace {

constexpr int failure = 1;

class Command {
  public:
    Command(const Options& options, const CommandLine& line, Console& console)
        : options_(options), line_(line), console_(console) {}

    int run() {
        if (options_.list_types) {
            if (!options_.positionals.empty()) return line_.refuse(console_, "--list-types stands alone");
            print_types(console_);
            return 0;
        }
        if (options_.shm_remove) return remove_shared_file();
        if (const auto understood = understand(); !understood) return reject(understood.error());

        for (const auto* file : {&options_.imatrix, &options_.recipe, &options_.tensor_type_file}) {
            if (*file) inputs_.add(**file);
        }
        for (const std::string& setting : options_.set_kv) {
            if (const auto file = file_of_set_kv(setting)) inputs_.add(*file);
        }
        if (takes_time_to_open()) {
            if (auto free = check_places(); !free) return explain(free.error());
        }
        const auto model = open_model(
            request_.input, {.work = {.threads = request_.threads}, .header_only = options_.dry_run && !target_});
        if (!model) return refuse(sentence(request_.input, model.error()));
        inputs_.add(*model);
        if (target_ || options_.provenance) {
            if (auto free = check_places(); !free) return explain(free.error());
        }
        auto imatrix = imatrix_of(options_, console_);
        if (!imatrix) return refuse(sentence(*options_.imatrix, imatrix.error()));
        if (*imatrix) *imatrix = std::move(**imatrix).adapted(*model);
        if (*imatrix) recipe_.mix()->imatrix = &**imatrix;
        if (auto traced = read_provenance(*model); !traced) return explain(traced.error());
        for (const auto& wanted : request_.outputs) {
            const auto recipe = recipe_for(wanted, recipe_);
            if (!recipe) return reject(recipe.error());
            auto plan = target_ ? reach(console_, *model, *recipe, *target_, request_) : make_plan(*model, *recipe);
            if (!plan && plan.error().code == Errc::cancelled) return explain(plan.error());
            if (!plan) return reject(plan.error());
            if (plan->files.size() > 1 && !plain_file())
                return line_.refuse(console_, "shards are for outputs on disk, not compressed");
            plans_.push_back(*std::move(plan));
        }
        if (auto free = check_places(); !free) return explain(free.error());
        std::vector<ggufkit::Output> outputs;
        for (std::size_t i = 0; i < plans_.size(); ++i) outputs.push_back({&plans_[i], request_.outputs[i].path});
        if (options_.dry_run) return show(*model, outputs);
        report_shared();
        bool lacking = false;
        for (const ggufkit::Output& output : outputs) {
            report_all_copied(*model, *output.plan);
            lacking = report_gaps(console_, *output.plan) || lacking;
        }
        if (lacking) return failure;
        return options_.shm ? share(*model, outputs.front()) : carry_out(*model, outputs);
    }

  private:
    Result<void> understand() {
        if (options_.positionals.empty()) {
            return fail({.code = Errc::bad_argument, .detail = "INPUT and TYPE are missing"});
        }
        auto target = target_of(options_);
        if (!target) return fail(std::move(target).error());
        target_ = *std::move(target);
        auto request = read_positionals(options_.positionals, !target_ && !options_.recipe);
        if (!request) return fail(request.error());
        request_ = *request;
        auto recipe = recipe_of(options_);
        if (!recipe) return fail(std::move(recipe).error());
        recipe_ = *std::move(recipe);
        if (!options_.threads.empty()) {
            if (request_.threads != 0) return misuse("THREADS and --threads say the same: give one of them");
            const auto threads = read_threads(options_.threads);
            if (!threads) return fail(threads.error());
            request_.threads = *threads;
        }
        if (auto shared = understand_shm(); !shared) return shared;
        if (auto typed = understand_types(); !typed) return typed;
        request_.zstd_level = options_.zstd_level;
        for (const auto& [asked, flag] :
             {std::pair(options_.resume, "--resume"), std::pair(options_.checkpoint.has_value(), "--checkpoint"),
              std::pair(!options_.reports.empty(), "--report")}) {
            if (!asked || plain_file()) continue;
            return fail(
                {.code = Errc::bad_argument, .detail = fmt::format("{} is for outputs on disk, not compressed", flag)});
        }
        auto reports = report_files(options_.reports, request_, options_.dry_run);
        if (!reports) return fail(std::move(reports).error());
        reports_ = *std::move(reports);
        if (options_.json && prints_report()) {
            return misuse("--report - and --json would both be on standard output");
        }
        const auto streams = check_streams(request_, options_.json, options_.dry_run);
        if (!streams) return fail(streams.error());
        return understand_save_recipe();
    }

    bool takes_time_to_open() const { return is_remote(request_.input.string()) || comes_once(request_.input); }

    // Not compressed, not in memory, not standard output.
    bool plain_file() const { return !streams(request_) && !options_.shm; }

    // What types the outputs have, and so their names.
    Result<void> understand_types() {
        if (target_) {
            if (auto sound = check_target(request_, recipe_); !sound) return sound;
        }
        for (auto& [path, file_type, copy] : request_.outputs) {
            std::error_code unknown;
            const bool in_folder = std::filesystem::is_directory(path, unknown);
            if (!in_folder && path.has_parent_path() && !path.has_filename())
                return misuse(fmt::format("there is no folder {}", path.string()));
            if (path.empty() || in_folder) {
                if (in_folder && comes_once(request_.input)) {
                    return misuse(
                        fmt::format("{} is a folder, and INPUT gives no name for a file in it", path.string()));
                }
                const bool named = copy || file_type != nullptr;
                const auto name =
                    derived_output(request_.input, named ? std::string(type_name(file_type)) : name_without_type());
                path = in_folder ? path / name.filename() : name;
            }
            for (const auto& other : request_.outputs) {
                if (&other.path == &path) break;
                if (same_file(other.path, path)) return misuse(fmt::format("{} would be written twice", path.string()));
            }
            if (is_remote(path.string())) return misuse(fmt::format("{}: no OUTPUT can be on a server", path.string()));
            if (is_imatrix(path)) return misuse("the output is the file of --imatrix");
            if (copy && options_.recipe) return misuse("COPY keeps every tensor as it is: --recipe has nothing to say");
            if (!copy && file_type == nullptr) file_type = recipe_.mix()->file_type;
            if (!copy && file_type == nullptr && !target_) {
                return misuse(fmt::format("TYPE is missing, and {} has no file_type", *options_.recipe));
            }
        }
        return {};
    }

    // Which took its time to make: with --force it is not replaced either.
    bool is_imatrix(const std::filesystem::path& path) const {
        return options_.imatrix && same_file(path, *options_.imatrix);
    }

    std::string name_without_type() const {
        return target_ ? target_->label : std::filesystem::path(*options_.recipe).stem().string();
    }

    Result<void> understand_save_recipe() const {
        if (!options_.save_recipe) return {};
        if (request_.outputs.size() != 1) return misuse("--save-recipe is for one output");
        const auto& [path, file_type, copy] = request_.outputs.front();
        if (copy) return misuse("COPY keeps every tensor as it is: it has no recipe to save");
        const std::string& file = *options_.save_recipe;
        if (file != "-" && same_file(file, path)) return misuse("--save-recipe names the output");
        if (is_imatrix(file)) return misuse("--save-recipe names the file of --imatrix");
        for (const auto& [report, number] : reports_) {
            if (same_file(file, report)) return misuse("--save-recipe and --report name the same file");
        }
        if (file == "-" && (options_.json || (path == "-" && !options_.dry_run))) {
            return misuse("--save-recipe - and something else would both be on standard output");
        }
        return {};
    }

    static tl::unexpected<Error> misuse(std::string detail) {
        return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
    }

    Result<void> understand_shm() {
        if (!options_.shm) return {};
        std::filesystem::path& output = request_.outputs.front().path;
        if (request_.outputs.size() != 1 || !output.empty()) {
            return misuse("--shm takes the place of OUTPUT; give one of them");
        }
        const auto path = shared_path(*options_.shm);
        if (!path) return fail({.code = Errc::bad_argument, .detail = sentence(path.error())});
        output = *path;
        return {};
    }

    int remove_shared_file() const {
        if (!options_.positionals.empty()) return line_.refuse(console_, "--shm-remove takes NAME and nothing else");
        const auto removed = remove_shared(*options_.shm_remove);
        if (!removed && removed.error().code == Errc::bad_argument) {
            return line_.refuse(console_, sentence(removed.error()));
        }
        return removed ? 0 : refuse(sentence(removed.error()));
    }

    // A plan that is only shown is as large with any digests.
    Result<void> read_provenance(const Model& model) {
        if (!options_.provenance) return {};
        provenance_ = {line_.version(), std::vector<Digest>(model.tensors().size())};
        recipe_.provenance = &provenance_;
        if (options_.dry_run) return {};
        const Interrupt interrupt;
        ProgressBar bar;
        auto traced = provenance_of(model, line_.version(),
                                    {.threads = request_.threads,
                                     .progress = [&](const Progress& now) { bar.update(now); },
                                     .stop = interrupt.token()});
        if (!traced) return fail(std::move(traced).error());
        provenance_ = *std::move(traced);
        return {};
    }

    // Misuse, or a failure to read what the arguments name.
    int reject(const Error& error) const {
        if (error.code != Errc::bad_argument) return refuse(sentence(error));
        return line_.refuse(console_, error.subject.empty() ? error.detail : sentence(error));
    }

    int refuse(std::string_view message) const {
        console_.error(message);
        return failure;
    }

    int share(const Model& model, const ggufkit::Output& output) const {
        const auto done = requant::share(console_, model, request_, output,
                                         {.name = *options_.shm, .replace = options_.force, .json = options_.json});
        if (!done) return name_misfits(model, done.error()) ? failure : explain(done.error());
        report_notes(console_, {&output, 1});
        const auto saved = save_recipe();
        return saved ? 0 : explain(saved.error());
    }

    int show(const Model& model, const std::vector<ggufkit::Output>& outputs) const {
        std::optional<Error> problem;  // the first that was not said yet
        bool possible = true;
        for (const ggufkit::Output& output : outputs) {
            auto executable = check_executable(*output.plan);
            const auto misfits = executable ? misfits_if_quick(model, *output.plan) : std::vector<Misfit>();
            if (!misfits && misfits.error().code == Errc::cancelled) return explain(misfits.error());
            if (executable && !misfits) executable = fail(misfits.error());
            if (executable && !misfits->empty()) executable = fail(misfit(*output.plan, misfits->front()));
            const auto fault = executable ? std::nullopt : std::optional(executable.error());
            const std::span<const Misfit> found =
                misfits ? std::span<const Misfit>(*misfits) : std::span<const Misfit>();
            if (options_.json) {
                print_json(console_, request_, output, std::nullopt, fault, found);
            } else if (!prints_recipe()) {
                print_plan(console_, request_, output);
            }
            console_.out.flush();  // or what is said of the plan would stand before it
            if (&output == &outputs.front()) report_shared();
            report_all_copied(model, *output.plan);
            const bool lacking = report_gaps(console_, *output.plan);
            if (!found.empty()) report_misfits(console_, *output.plan, found, "nothing was written");
            possible = possible && !fault;
            if (!problem && !lacking && found.empty()) problem = fault;
        }
        report_notes(console_, outputs);
        if (problem) return refuse(sentence(*problem));
        if (!possible) return failure;
        const auto saved = save_recipe();
        return saved ? 0 : explain(saved.error());
    }

    // All values of a model are looked at before it is written, but not of one that only a plan is wanted for, where that
    // takes longer than a moment or fetches data.
    Result<std::vector<Misfit>> misfits_if_quick(const Model& model, const Plan& plan) const {
        constexpr std::uint64_t quick = std::uint64_t{1} << 30;
        if (takes_time_to_open() || !io::compression_suffix(request_.input.string()).empty() ||
            plan.bytes_in() > quick) {
            return std::vector<Misfit>();
        }
        return find_misfits(model, plan);
    }

    Result<std::vector<Misfit>> find_misfits(const Model& model, const Plan& plan) const {
        const Interrupt interrupt;
        ProgressBar bar;
        return ggufkit::find_misfits(model, plan,
                                     {.threads = request_.threads,
                                      .progress = [&](const Progress& progress) { bar.update(progress); },
                                      .stop = interrupt.token()});
    }

    static Error misfit(const Plan& plan, const Misfit& found) {
        const PlannedTensor& tensor = plan.tensors[found.tensor];
        return {.code = Errc::bad_quant,
                .subject = fmt::format("tensor '{}'", tensor.name),
                .detail = fmt::format("row {}: values too large for {}", found.row, format_of(tensor.to).name)};
    }

    // Work ended at the first tensor that does not fit its type: names all. False where that was not the reason.
    bool name_misfits(const Model& model, const Error& error) const {
        if (error.code != Errc::bad_quant) return false;
        const std::string_view written =
            to_standard_output(request_) ? "the output is incomplete" : "nothing was written";
        bool any = false;
        for (const Plan& plan : plans_) {
            const auto misfits = find_misfits(model, plan);
            if (!misfits || misfits->empty()) continue;
            report_misfits(console_, plan, *misfits, written);
            any = true;
        }
        return any;
    }

    // Notes on what all outputs have in common: tensors, edits.
    void report_shared() const {
        report_unused(console_, plans_.front());
        report_edits(console_, plans_.front());
    }

    void report_all_copied(const Model& model, const Plan& plan) const {
        if (!request_.reached) requant::report_all_copied(console_, model, plan);  // a target says so itself
    }

    bool prints_recipe() const { return options_.save_recipe == "-"; }
    bool prints_report() const { return std::ranges::any_of(reports_, is_standard_output, &ReportFile::path); }

    // What stands in the way of a file is to be said before the model is fetched, measured or traced; but for shards, whose
    // names only the plan knows, and for outputs that the run which this one resumes may have finished.
    Result<void> check_places() const {
        std::vector<std::filesystem::path> places;
        if (options_.save_recipe) places.emplace_back(*options_.save_recipe);
        if (!options_.dry_run) {
            if (auto other = check_outputs_are_no_inputs(); !other) return other;
            for (const auto& [path, number] : reports_) places.push_back(path);
            const auto* const limits = std::get_if<SplitLimits>(&recipe_.split);
            const bool split = limits == nullptr || limits->max_bytes != 0 || limits->max_tensors != 0;
            for (const auto& wanted : request_.outputs) {
                if (!split && !options_.resume && !options_.shm) places.push_back(wanted.path);
            }
        }
        for (const auto& place : places) {
            if (auto free = check_place(place, options_.force, inputs_); !free) return free;
            if (options_.force || is_standard_output(place)) continue;
            if (auto free = ggufkit::requant::check_nothing_kept(place); !free) return free;
        }
        return {};
    }

    // Shards are checked once the plan has named them.
    Result<void> check_outputs_are_no_inputs() const {
        for (std::size_t i = 0; i < request_.outputs.size(); ++i) {
            const auto& path = request_.outputs[i].path;
            const auto files = i < plans_.size() ? output_paths(plans_[i], path) : std::vector{path};
            for (const auto& file : files) {
                if (auto other = check_no_input(file, inputs_); !other) return other;
            }
        }
        return {};
    }

    Result<void> save_recipe() const {
        if (!options_.save_recipe) return {};
        return save(console_, *options_.save_recipe, recipe_text(plans_.front()), inputs_, options_.force);
    }

    int carry_out(const Model& model, const std::vector<ggufkit::Output>& outputs) const {
        using Clock = std::chrono::steady_clock;
        const auto start = Clock::now();
        std::vector<QualityReport> quality;
        if (const auto done = execute_visibly(model, outputs, quality); !done) {
            return name_misfits(model, done.error()) ? failure : explain(done.error());
        }
        report_notes(console_, outputs);
        if (auto saved = save_recipe(); !saved) {
            return refuse("the model is written, but not its recipe: " + sentence(saved.error()));
        }
        if (to_standard_output(request_)) return 0;
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        for (const auto& [path, number] : reports_) {
            const Outcome outcome{request_.input, outputs[number], quality[number], seconds, line_.version()};
            const auto written = save(console_, path, report_text(path, outcome), inputs_, options_.force);
            if (!written) {
                return refuse("the model is written, but not its report: " + sentence(written.error()));
            }
        }
        if (options_.json) {
            for (const ggufkit::Output& output : outputs) {
                print_json(console_, request_, output, seconds, std::nullopt);
            }
        } else if (!prints_recipe() && !prints_report()) {
            print_summary(console_, request_, outputs, seconds);
        }
        return 0;
    }

    Result<void> execute_visibly(const Model& model, const std::vector<ggufkit::Output>& outputs,
                                 std::vector<QualityReport>& quality) const {
        // A stream leaves nothing behind that would have to be removed, and may be waiting for its reader.
        std::optional<Interrupt> interrupt;
        if (!to_standard_output(request_)) interrupt.emplace();
        ProgressBar bar;
        bool first = true;
        const auto kept = options_.resume ? ggufkit::requant::check_nothing_kept(first_file(outputs)) : Result<void>{};
        const auto show_progress = [&](const Progress& progress) {
            if (std::exchange(first, false)) report_resumption(progress, kept);
            bar.update(progress);
        };
        return write_outputs(model, outputs, request_,
                             {.work = {.threads = request_.threads,
                                       .progress = show_progress,
                                       .stop = interrupt ? interrupt->token() : std::stop_token{}},
                              .overwrite = options_.force,
                              .resume = options_.resume,
                              .checkpoint_interval = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::duration<double>(options_.checkpoint.value_or(2))),
                              .quality = reports_.empty() ? nullptr : &quality});
    }

    static std::filesystem::path first_file(const std::vector<ggufkit::Output>& outputs) {
        return output_paths(*outputs.front().plan, outputs.front().path).front();
    }

    // What became of the work of an earlier run.
    void report_resumption(const Progress& progress, const Result<void>& kept) const {
        if (progress.done > 0) {
            console_.error(
                fmt::format("note: going on after {:.1f} %, which are done",
                            100.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total)));
        } else if (!kept) {
            console_.error(
                fmt::format("note: {}, none of which can be taken over: starting over", sentence(kept.error())));
        }
    }

    int explain(const Error& error) const {
        if (error.code == Errc::cancelled) {
            console_.error(options_.resume ? "cancelled; --resume goes on from here"
                                           : "cancelled, nothing was written");
            return cancelled;
        }
        if (error.code == Errc::io_unfinished) {
            return refuse(sentence(error) +
                          (options_.resume ? ", and it is not the work of this run (another input, other options or "
                                             "another version); use --force to start over"
                                           : "; use --resume to continue it, or --force to start over"));
        }
        if (error.code == Errc::io_exists) return refuse(sentence(error) + "; --force replaces a finished file");
        return refuse(sentence(error));
    }

    const Options& options_;
    const CommandLine& line_;
    Console& console_;
    Request request_;
    Provenance provenance_;
    std::optional<Target> target_;
    Recipe recipe_;
    std::vector<Plan> plans_;  // of the outputs, one each
    std::vector<ReportFile> reports_;
    Inputs inputs_;
};

int program(int argc, char** argv) {
    Options options;
    Manual page = manual();
    page.choices = choices();
    CommandLine line(std::move(page), failure);
    add_options(line.app(), options);
    return line.run(argc, argv, [&](Console& console) { return Command(options, line, console).run(); });
}

}  // namespace

}  // namespace ggufkit::tool::requant

int main(int argc, char** argv) {
    using namespace ggufkit::tool;
    return run_program("gguf-requant", requant::failure, requant::program, argc, argv);
}
