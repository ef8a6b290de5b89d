#include <fcntl.h>

#include <ggufkit/requant/execute.hpp>
#include <list>
#include <optional>
#include <vector>

#include "core/no_memory.hpp"
#include "core/try.hpp"
#include "io/leftover.hpp"
#include "requant/checkpoints.hpp"
#include "requant/output_set.hpp"
#include "requant/quality.hpp"
#include "requant/run_digest.hpp"
#include "requant/runner.hpp"

namespace ggufkit {

namespace {

using requant::Assembly;
using requant::Checkpoints;
using requant::Continue;
using requant::OutputSet;
using requant::Piece;
using requant::Segment;
using requant::segments_of;
using requant::Workspace;

// What is to be done, whatever was done before.
struct Job {
    const Model& model;
    std::span<const Output> outputs;
    const Assembly& assembly;
    unsigned workers;
    const ExecuteOptions& options;
};

// One execution, step by step.
class Run {
  public:
    Run(const Job& job, OutputSet& outputs, Checkpoints& checkpoints, requant::Observer* observer)
        : job_(job),
          assembly_(job.assembly),
          options_(job.options),
          outputs_(outputs),
          checkpoints_(checkpoints),
          observer_(observer),
          runner_(job.workers),
          meter_(options_.work.progress, assembly_.source_bytes()) {}

    Result<void> all() {
        for (const auto step : {&Run::take_over, &Run::write, &Run::check, &Run::publish}) {
            TRY((this->*step)());
        }
        return {};
    }

  private:
    // Finds how much of what the run before left is sound. All else is written by this run.
    Result<void> take_over() {
        TRY_LET(auto claims, checkpoints_.claims());
        if (!options_.resume) claims.clear();
        const auto sound = checkpoints_.verify(std::move(claims), [&](std::size_t end) {
            return runner_.each(0, end, options_.work.stop, [&](std::size_t number, Workspace& workspace) {
                return hash_left(number, workspace).map([&](std::uint64_t hash) { checkpoints_.done(number, hash); });
            });
        });
        if (!sound) return fail(sound.error());
        begin_ = *sound;
        const auto* const path = outputs_.published();
        TRY_LET(const auto match, outputs_.published_frames_match());
        if (path != nullptr && (begin_ < assembly_.pieces() || !match)) {
            return fail({.code = Errc::io_exists,
                         .subject = path->string(),
                         .detail = "exists already, and what the run before left was changed since: all would be made "
                                   "again"});
        }
        TRY(observe_left());
        meter_.add(assembly_.source_bytes(begin_));
        meter_.report();
        if (begin_ == 0) {
            TRY(options_.resume ? outputs_.clear() : Result<void>{});
            checkpoints_.forget();  // marks of another run would be taken for this one's
        }
        return outputs_.write_frames();
    }

    // An observer hears of what the run before made too, though not of the time that took.
    Result<void> observe_left() {
        if (observer_ == nullptr) return {};
        return runner_.each(0, begin_, options_.work.stop,
                            [&](std::size_t number, Workspace& workspace) -> Result<void> {
                                TRY_LET(const auto source, requant::read_piece(assembly_.piece(number), workspace));
                                for (const Segment& segment : segments_of(source.piece)) {
                                    if (!segment.target->converts()) continue;
                                    const auto blocks = workspace.made(segment.bytes);
                                    auto seen = outputs_.read(segment, blocks);
                                    if (segment.target->big_endian)
                                        swap_block_bytes(format_of(segment.target->tensor->to), blocks);
                                    if (seen) seen = observer_->encoded(segment, source.values, blocks, {});
                                    if (!seen) return seen;
                                }
                                return {};
                            });
    }

    // Of what the outputs have for a piece.
    Result<std::uint64_t> hash_left(std::size_t number, Workspace& workspace) {
        std::uint64_t hash = 0;
        for (const Segment& segment : segments_of(assembly_.piece(number))) {
            const auto bytes = workspace.made(segment.bytes);
            TRY(outputs_.read(segment, bytes));
            hash = requant::hash_piece(bytes, hash);
        }
        return hash;
    }

    Result<void> write() {
        std::stop_source stop;
        const std::stop_callback stop_too(options_.work.stop, [&] { stop.request_stop(); });
        checkpoints_.start(
            options_.checkpoint_interval, [&] { return outputs_.sync(); }, [&] { stop.request_stop(); });
        auto written =
            runner_.each(begin_, assembly_.pieces(), stop.get_token(),
                         [&](std::size_t number, Workspace& workspace) { return write_piece(number, workspace); });
        TRY(checkpoints_.finish());
        meter_.report();
        return written;
    }

    Result<void> write_piece(std::size_t number, Workspace& workspace) {
        const Piece piece = assembly_.piece(number);
        std::uint64_t hash = 0;
        for (const Segment& segment : segments_of(piece)) {
            TRY_LET(const auto bytes, requant::make(segment, workspace, observer_));
            TRY(outputs_.write(segment, bytes));
            hash = requant::hash_piece(bytes, hash);
        }
        checkpoints_.done(number, hash);
        meter_.add(piece.source_bytes());
        return {};
    }

    Result<void> check() { return requant::check_written(job_.model, outputs_.written(), options_.work.stop); }

    // With a last mark, so that a run that is killed between the names of several files can be resumed too.
    Result<void> publish() {
        if (outputs_.count() > 1 || checkpoints_.begun()) {
            TRY(checkpoints_.mark());
        }
        return outputs_.commit();
    }

    const Job& job_;
    const Assembly& assembly_;
    const ExecuteOptions& options_;
    OutputSet& outputs_;
    Checkpoints& checkpoints_;
    requant::Observer* const observer_;
    requant::Runner runner_;
    Meter meter_;
    std::size_t begin_ = 0;  // pieces below this one are there already
};

// A run that was stopped, or that the system let down, can be taken up again; one that met a fault of its input cannot.
bool worth_resuming(const Error& error) {
    switch (error.code) {
        case Errc::cancelled:
        case Errc::io_open:
        case Errc::io_read:
        case Errc::io_write:
        case Errc::io_no_space:
        case Errc::io_exists:
        case Errc::no_memory: return true;
        default: return false;
    }
}

// With `finished_too`, continues outputs that have their names already as well; IO_EXISTS where that cannot be.
Result<void> carry_out(const Job& job, bool finished_too) {
    const ExecuteOptions& options = job.options;
    std::vector<std::filesystem::path> firsts, journals;  // of each output
    for (const auto& [plan, path] : job.outputs) {
        firsts.push_back(output_paths(*plan, path).front());
        journals.push_back(requant::Journal::path_of(firsts.back()));
    }
    const std::size_t pieces = job.assembly.pieces();
    Checkpoints checkpoints(
        {journals.front(), requant::run_digest(job.model, job.assembly), {journals.begin() + 1, journals.end()}},
        pieces);
    // Read before the files are there to lock; what is believed of it is read again under the lock.
    TRY_LET(const auto claims, checkpoints.claims());
    const bool finished = finished_too && !claims.empty() && claims.back().pieces == pieces;
    // What this run could continue, or is told to throw away, is not in its way.
    if (!options.overwrite && (!options.resume || claims.empty())) {
        for (const auto& first : firsts) {
            TRY(requant::check_nothing_kept(first));
        }
    }
    TRY_LET(auto files, OutputSet::create(job.model, job.assembly, job.outputs, options.overwrite,
                                          !options.resume ? Continue::nothing
                                          : finished      ? Continue::all
                                                          : Continue::unfinished));
    std::list<io::Leftover> leftovers;
    if (!options.resume) {
        for (const auto& journal : journals) leftovers.emplace_back(AT_FDCWD, journal.native());
    }

    std::optional<requant::QualityObserver> quality;
    if (options.quality != nullptr) quality.emplace(job.assembly.plans());
    std::optional<Run> run;  // stays: the last mark below brings its outputs to disk
    auto done = or_no_memory([&] { return run.emplace(job, files, checkpoints, quality ? &*quality : nullptr).all(); });
    if (done && quality) *options.quality = quality->take();
    const bool resumable = !done && options.resume && worth_resuming(done.error());
    files.keep(resumable);
    if (resumable) {
        static_cast<void>(checkpoints.mark());  // what is not marked is done again
    } else {
        checkpoints.forget();
    }
    return done;
}

}  // namespace

Result<void> execute(const Model& model, std::span<const Output> outputs, const ExecuteOptions& options) {
    if (outputs.empty()) return fail({.code = Errc::bad_argument, .detail = "no output was given"});
    std::vector<const Plan*> plans;
    for (const Output& output : outputs) plans.push_back(output.plan);
    TRY_LET(const auto assembly, Assembly::make(model, std::move(plans)));
    TRY_LET(const auto workers, requant::choose_workers(assembly, assembly.pieces(), options.work.threads));
    const Job job{model, outputs, assembly, workers, options};

    requant::advise_sequential(model);
    auto done = carry_out(job, true);
    // Outputs that have their names, but are not as they were left, are to be replaced like any others.
    if (!done && done.error().code == Errc::io_exists && options.overwrite) done = carry_out(job, false);
    return done;
}

Result<void> execute(const Model& model, const Plan& plan, const std::filesystem::path& output,
                     const ExecuteOptions& options) {
    const Output only[]{{&plan, output}};
    return execute(model, only, options);
}

}  // namespace ggufkit
