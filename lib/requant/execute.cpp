#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <ggufkit/requant.hpp>
#include <list>
#include <optional>
#include <vector>

#include "core/no_memory.hpp"
#include "core/parallel.hpp"
#include "io/leftover.hpp"
#include "requant/checkpoints.hpp"
#include "requant/job.hpp"
#include "requant/kept_work.hpp"
#include "requant/meter.hpp"
#include "requant/output_set.hpp"
#include "requant/piece_numbers.hpp"
#include "requant/quality.hpp"
#include "requant/run_digest.hpp"
#include "requant/workers.hpp"

namespace ggufkit {

namespace {

using requant::Checkpoints;
using requant::Job;
using requant::Meter;
using requant::OutputSet;
using requant::PieceNumbers;
using requant::SourcePiece;
using requant::Take;
using requant::Target;
using requant::Tile;

std::uint64_t source_bytes(std::span<const Job> jobs) {
    std::uint64_t bytes = 0;
    for (const Job& job : jobs) bytes += job.units * job.unit_bytes;
    return bytes;
}

// One execution, step by step.
class Run {
  public:
    Run(const Model& model, std::span<const Job> jobs, OutputSet& outputs, Checkpoints& checkpoints, unsigned workers,
        requant::PieceObserver* observer, const ExecuteOptions& options)
        : model_(model),
          jobs_(jobs),
          numbers_(jobs),
          outputs_(outputs),
          checkpoints_(checkpoints),
          workers_(workers),
          options_(options),
          meter_(options.progress, source_bytes(jobs)),
          tiles_(workers, Tile(jobs)),
          observer_(observer) {}

    Result<void> all() {
        for (const auto step : {&Run::take_over, &Run::write, &Run::look_back, &Run::publish}) {
            if (auto done = (this->*step)(); !done) return done;
        }
        return {};
    }

  private:
    // Finds how much of what the run before left is sound. All else is written by this run.
    Result<void> take_over() {
        auto claims = checkpoints_.claims();
        if (!claims) return fail(std::move(claims).error());
        if (!options_.resume) claims->clear();
        const auto hash_of = [&](std::size_t index, unsigned worker) { return hash_left(index, worker); };
        const auto sound = checkpoints_.verify(*std::move(claims), workers_, options_.stop, hash_of);
        if (!sound) return fail(sound.error());
        begin_ = *sound;
        const auto* const path = outputs_.published();
        const auto match = outputs_.published_frames_match();
        if (!match) return fail(match.error());
        if (path != nullptr && (begin_ < numbers_.count() || !*match)) {
            return fail({.code = Errc::io_exists,
                         .subject = path->string(),
                         .detail = "exists already, and what the run before left was changed since: all would be made "
                                   "again"});
        }
        if (auto seen = look_at_left(); !seen) return seen;
        meter_.add(source_bytes_before(begin_));
        meter_.report();
        if (begin_ == 0) {
            if (auto cleared = options_.resume ? outputs_.clear() : Result<void>{}; !cleared) return cleared;
            checkpoints_.forget();  // marks of another run would be taken for this one's
        }
        return outputs_.write_frames();
    }

    std::uint64_t source_bytes_before(std::size_t index) const {
        if (index == numbers_.count()) return source_bytes(jobs_);
        const auto [number, piece] = numbers_.at(index);
        return source_bytes(jobs_.first(number)) + piece * jobs_[number].piece_units * jobs_[number].unit_bytes;
    }

    // An observer hears of what the run before made too, though not of the time that took.
    Result<void> look_at_left() {
        if (observer_ == nullptr) return {};
        return parallel_for(begin_, workers_, options_.stop, [&](std::size_t index, unsigned worker) -> Result<void> {
            const auto [number, piece] = numbers_.at(index);
            const Job& job = jobs_[number];
            const auto source = requant::read_piece(job, piece, tiles_[worker]);
            if (!source) return fail(source.error());
            for (const Target& target : job.targets) {
                if (!target.converts()) continue;
                const auto blocks = source->room.first(source->bytes.size() / job.unit_bytes * target.unit_bytes);
                auto seen = outputs_.of(target).read(target.tensor->offset + source->first * target.unit_bytes, blocks);
                if (seen && target.big_endian) swap_block_bytes(format_of(target.tensor->to), blocks);
                if (seen) seen = observer_->encoded(job, target, *source, blocks, {});
                if (!seen) return seen;
            }
            return {};
        });
    }

    // Of what the outputs have for a piece.
    Result<std::uint64_t> hash_left(std::size_t index, unsigned worker) {
        const auto [number, piece] = numbers_.at(index);
        const Job& job = jobs_[number];
        const std::uint64_t first = piece * job.piece_units;
        const std::uint64_t units = std::min(job.piece_units, job.units - first);
        const auto memory = std::as_writable_bytes(tiles_[worker].memory());
        std::uint64_t hash = 0;
        for (const Target& target : job.targets) {
            const auto bytes = memory.first(units * target.unit_bytes);
            const auto read = outputs_.of(target).read(target.tensor->offset + first * target.unit_bytes, bytes);
            if (!read) return fail(read.error());
            hash = requant::hash_piece(bytes, hash);
        }
        return hash;
    }

    Result<void> write() {
        std::stop_source stop;
        const std::stop_callback stop_too(options_.stop, [&] { stop.request_stop(); });
        checkpoints_.start(
            options_.checkpoint_interval, [&] { return outputs_.sync(); }, [&] { stop.request_stop(); });
        auto written = parallel_for(numbers_.count() - begin_, workers_, stop.get_token(),
                                    [&](std::size_t index, unsigned worker) { return make(begin_ + index, worker); });
        if (auto kept = checkpoints_.finish(); !kept) return kept;
        meter_.report();
        return written;
    }

    // Reads and decodes once, encodes for every output.
    Result<void> make(std::size_t index, unsigned worker) {
        const auto [number, piece_number] = numbers_.at(index);
        const Job& job = jobs_[number];
        const auto source = requant::read_piece(job, piece_number, tiles_[worker]);
        if (!source) return fail(source.error());
        std::uint64_t hash = 0;
        for (const Target& target : job.targets) {
            const auto piece = requant::make_piece(job, target, *source, observer_);
            if (!piece) return fail(piece.error());
            // What stays as it is has been read to be checked; the kernel copies it better, or shares it.
            io::OutputFile& output = outputs_.of(target);
            auto written = job.verbatim(target) ? output.copy(piece->offset, job.fd, piece->source, piece->bytes.size())
                                                : output.write(piece->offset, piece->bytes);
            if (!written) return written;
            hash = requant::hash_piece(piece->bytes, hash);
        }
        checkpoints_.done(index, hash);
        meter_.add(source->bytes.size());
        return {};
    }

    Result<void> look_back() {
        if (auto same = model_.check_unchanged(); !same) return same;
        if (auto sound = outputs_.verify(); !sound) return sound;
        if (options_.stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        return {};
    }

    // With a last mark, so that a run that is killed between the names of several files can be resumed too.
    Result<void> publish() {
        if (outputs_.count() > 1 || checkpoints_.begun()) {
            if (auto marked = checkpoints_.mark(); !marked) return marked;
        }
        return outputs_.commit();
    }

    const Model& model_;
    const std::span<const Job> jobs_;
    const PieceNumbers numbers_;
    OutputSet& outputs_;
    Checkpoints& checkpoints_;
    const unsigned workers_;
    const ExecuteOptions& options_;
    Meter meter_;
    std::vector<Tile> tiles_;
    requant::PieceObserver* const observer_;
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
        case Errc::io_exists: return true;
        default: return is_no_memory(error);
    }
}

// What is to be done, whatever was done before.
struct Task {
    const Model& model;
    std::span<const Output> outputs;
    std::vector<const Plan*> plans;
    std::vector<Job> jobs;
    std::size_t pieces;
    unsigned workers;
};

Result<void> check_nothing_kept(std::span<const Output> outputs) {
    for (const auto& [plan, path] : outputs) {
        if (auto free = requant::check_nothing_kept(output_paths(*plan, path).front()); !free) return free;
    }
    return {};
}

// With `finished_too`, outputs that have their names already are taken over as well, and IO_EXISTS where that cannot be.
Result<void> carry_out(const Task& work, const ExecuteOptions& options, bool finished_too) {
    std::vector<std::filesystem::path> journals;
    for (const auto& [plan, path] : work.outputs) {
        journals.push_back(requant::Journal::path_of(output_paths(*plan, path).front()));
    }
    Checkpoints checkpoints({journals.front(),
                             requant::run_digest(work.model, work.plans, work.jobs),
                             {journals.begin() + 1, journals.end()}},
                            work.pieces);
    // Read before the files are there to lock; what is believed of it is read again under the lock.
    const auto claims = checkpoints.claims();
    if (!claims) return fail(claims.error());
    const bool finished = finished_too && !claims->empty() && claims->back().pieces == work.pieces;
    // What this run could continue, or is told to throw away, is not in its way.
    if (!options.overwrite && (!options.resume || claims->empty())) {
        if (auto free = check_nothing_kept(work.outputs); !free) return free;
    }
    auto files = OutputSet::create(work.model, work.outputs, options.overwrite,
                                   !options.resume ? Take::nothing
                                   : finished      ? Take::all
                                                   : Take::unfinished);
    if (!files) return fail(std::move(files).error());
    std::list<io::Leftover> leftovers;
    if (!options.resume) {
        for (const auto& journal : journals) leftovers.emplace_back(AT_FDCWD, journal.native());
    }

    std::optional<requant::QualityObserver> quality;
    if (options.quality != nullptr) quality.emplace(work.plans);
    std::optional<Run> run;  // stays: the last mark below brings its outputs to disk
    auto done = or_no_memory([&] {
        run.emplace(work.model, work.jobs, *files, checkpoints, work.workers, quality ? &*quality : nullptr, options);
        return run->all();
    });
    if (done && quality) *options.quality = quality->take();
    const bool resumable = !done && options.resume && worth_resuming(done.error());
    files->keep(resumable);
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
    for (const Output& output : outputs) {
        if (auto possible = check_executable(*output.plan); !possible) return possible;
        plans.push_back(output.plan);
    }
    auto jobs = requant::make_jobs(model, plans);
    if (!jobs) return fail(jobs.error());
    const std::size_t pieces = PieceNumbers(*jobs).count();
    const auto workers = requant::choose_workers(*jobs, pieces, options.threads);
    if (!workers) return fail(workers.error());
    const Task work{model, outputs, std::move(plans), *std::move(jobs), pieces, *workers};

    // The inputs will be read from front to back.
    for (std::size_t i = 0; i < model.shard_count(); ++i)
        ::posix_fadvise(model.shard_fd(i), 0, 0, POSIX_FADV_SEQUENTIAL);
    auto done = carry_out(work, options, true);
    // Outputs that have their names, but are not as they were left, are to be replaced like any others.
    if (!done && done.error().code == Errc::io_exists && options.overwrite) done = carry_out(work, options, false);
    return done;
}

Result<void> execute(const Model& model, const Plan& plan, const std::filesystem::path& output,
                     const ExecuteOptions& options) {
    const Output only[]{{&plan, output}};
    return execute(model, only, options);
}

}  // namespace ggufkit
