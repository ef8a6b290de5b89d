#include <fcntl.h>

#include <algorithm>
#include <ggufkit/requant.hpp>
#include <vector>

#include "core/parallel.hpp"
#include "io/output_file.hpp"
#include "requant/job.hpp"
#include "requant/meter.hpp"
#include "requant/read_back.hpp"
#include "requant/workers.hpp"

namespace ggufkit {

namespace {

using requant::Job;
using requant::Meter;
using requant::Tile;

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
    const auto workers = requant::choose_workers(jobs, first_piece.back(), options.threads);
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
    if (auto sound = requant::read_back(file->partial_path(), plan); !sound) return sound;
    if (options.stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    return file->commit();
}

}  // namespace ggufkit
