#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <ggufkit/requant.hpp>
#include <mutex>
#include <vector>

#include "core/parallel.hpp"
#include "io/output_file.hpp"
#include "requant/job.hpp"

namespace ggufkit {

namespace {

using requant::Job;
using requant::Tile;

// What the tiles of all workers may take together.
constexpr std::uint64_t tile_budget = 48 << 20;

// Counts what is done and tells the caller now and then, from whichever thread comes by.
class Meter {
  public:
    Meter(const std::function<void(const Progress&)>& callback, std::uint64_t total)
        : callback_(callback), total_(total) {}

    void add(std::uint64_t bytes) {
        done_.fetch_add(bytes, std::memory_order_relaxed);
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (lock && Clock::now() - last_ >= interval) report_locked();
    }
    void report() {
        const std::lock_guard lock(mutex_);
        report_locked();
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds interval{50};

    void report_locked() {
        if (callback_) callback_({done_.load(std::memory_order_relaxed), total_});
        last_ = Clock::now();
    }

    const std::function<void(const Progress&)>& callback_;
    const std::uint64_t total_;
    std::atomic<std::uint64_t> done_{0};
    std::mutex mutex_;
    Clock::time_point last_{};
};

// How many workers there is work and memory for; UNSUPPORTED where the memory is not even enough for one.
Result<unsigned> choose_workers(std::span<const Job> jobs, std::uint64_t pieces, unsigned threads) {
    const unsigned wanted = worker_count(pieces, threads);
    const auto biggest = std::ranges::max_element(jobs, {}, &Job::tile_bytes);
    if (biggest == jobs.end() || biggest->tile_bytes() == 0) return wanted;
    const std::uint64_t affordable = tile_budget / biggest->tile_bytes();
    if (affordable > 0) return static_cast<unsigned>(std::min<std::uint64_t>(wanted, affordable));
    return fail({.code = Errc::unsupported,
                 .subject = fmt::format("tensor '{}'", biggest->tensor->name),
                 .detail = fmt::format("a row of {} elements is too long to convert", biggest->unit_elements)});
}

// The inputs, as files that the output must not be and that will be read from front to back.
std::vector<int> announce_inputs(const Model& model) {
    std::vector<int> inputs;
    for (std::size_t shard = 0; shard < model.shard_count(); ++shard) {
        inputs.push_back(model.shard_fd(shard));
        ::posix_fadvise(inputs.back(), 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return inputs;
}

// Fills the output with the pieces of all jobs. They are numbered through, so threads pass from one tensor to the next
// without waiting for each other.
Result<void> write_tensors(std::span<const Job> jobs, io::OutputFile& output, const ExecuteOptions& options,
                           Meter& meter) {
    std::vector<std::uint64_t> first_piece{0};
    for (const Job& job : jobs) first_piece.push_back(first_piece.back() + job.pieces());
    const auto workers = choose_workers(jobs, first_piece.back(), options.threads);
    if (!workers) return fail(workers.error());
    std::vector<Tile> tiles;
    for (unsigned worker = 0; worker < *workers; ++worker) tiles.emplace_back(jobs);

    const auto deal_with = [&](std::size_t index, unsigned worker) -> Result<void> {
        const auto next_job = std::ranges::upper_bound(first_piece, index);
        const auto number = static_cast<std::size_t>(next_job - first_piece.begin()) - 1;
        const Job& job = jobs[number];
        const auto piece = requant::make_piece(job, index - first_piece[number], tiles[worker]);
        if (!piece) return fail(piece.error());
        // What stays as it is has been read to be checked; the kernel copies it better, or shares it.
        auto written = job.verbatim() ? output.copy(piece->offset, job.fd, piece->source, piece->bytes.size())
                                      : output.write(piece->offset, piece->bytes);
        if (!written) return written;
        meter.add(piece->bytes_in);
        return {};
    };
    return parallel_for(first_piece.back(), *workers, options.stop, deal_with);
}

// Reads back what was written, as anyone else would, and finds the tensors where the plan put them.
Result<void> verify(const std::filesystem::path& path, const Plan& plan) {
    const auto wrong = [&](const std::string& detail) {
        return fail({.code = Errc::io_write, .subject = path.string(), .detail = "does not read back: " + detail});
    };
    const auto written = Model::open(path, {.follow_shards = false});
    if (!written) return wrong(written.error().message());
    const ModelView& view = written->header();
    const auto as_planned = [&](const TensorInfo& found, const PlannedTensor& planned) {
        return found.name == planned.name && found.ne == planned.ne && found.type_id == format_of(planned.to).id &&
               view.data_offset() + found.offset == planned.offset;
    };
    if (!std::ranges::equal(view.tensors(), plan.tensors, as_planned)) return wrong("the tensors are not as planned");
    return {};
}

}  // namespace

Result<void> execute(const Model& model, const Plan& plan, const std::filesystem::path& output,
                     const ExecuteOptions& options) {
    if (auto possible = check_executable(plan); !possible) return possible;
    const auto jobs = requant::make_jobs(model, plan);
    if (!jobs) return fail(jobs.error());

    auto file = io::OutputFile::create(output, plan.bytes_out(),
                                       {.overwrite = options.overwrite, .inputs = announce_inputs(model)});
    if (!file) return fail(std::move(file).error());
    Meter meter(options.progress, plan.bytes_in());
    meter.report();
    // Padding is not written: what nobody writes reads as zeros.
    if (auto done = file->write(0, plan.files.front().header); !done) return done;
    if (auto done = write_tensors(*jobs, *file, options, meter); !done) return done;
    meter.report();

    if (auto same = model.check_unchanged(); !same) return same;
    if (auto sound = verify(file->partial_path(), plan); !sound) return sound;
    if (options.stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    return file->commit();
}

}  // namespace ggufkit
