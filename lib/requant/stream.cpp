#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/requant.hpp>
#include <optional>
#include <vector>

#include "core/parallel.hpp"
#include "io/output_file.hpp"
#include "io/seekable.hpp"
#include "io/zstd.hpp"
#include "requant/inputs.hpp"
#include "requant/job.hpp"
#include "requant/meter.hpp"

namespace ggufkit {

namespace {

using requant::Job;
using requant::Tile;

// What tiles, compressors and the stretches that are ready may take together.
constexpr std::uint64_t memory_budget = 48 << 20;

// Stretches that are ready or being made, for each thread: so one that takes longer than the others holds nobody up.
constexpr std::uint64_t ahead = 2;

std::uint64_t piece_bytes(const Job& job) { return job.piece_units * job.targets.front().unit_bytes; }
std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

// The header or a tensor, and the padding behind it, in stretches about as long as the content of a zstd frame: no frame
// has bytes of two tensors. Padding of mebibytes, which nobody wants but a file may ask for, is stretches of its own.
struct Part {
    const Job* job;       // null: the header
    std::uint64_t units;  // pieces; of the header, bytes
    std::uint64_t step;   // units of a stretch
    std::uint64_t padding;
    std::uint64_t begin = 0;  // the number of its first stretch

    std::uint64_t with_data() const { return divide_up(units, step); }
    std::uint64_t stretches() const { return with_data() + padding / io::frame_content; }
};

Part part_of(const Job& job, std::uint64_t padding) {
    const std::uint64_t step = io::frame_content / std::max<std::uint64_t>(1, piece_bytes(job));
    return {.job = &job, .units = job.pieces(), .step = std::max<std::uint64_t>(1, step), .padding = padding};
}

// The whole output from front to back. BAD_ARGUMENT where tensors are not one behind the other.
Result<std::vector<Part>> make_parts(std::span<const Job> jobs, const Layout& file) {
    std::vector<Part> parts;
    std::uint64_t end = file.header.size(), stretches = 0;
    const auto add = [&](Part part) {
        part.begin = stretches;
        stretches += part.stretches();
        parts.push_back(part);
    };
    for (std::size_t i = 0; i <= jobs.size(); ++i) {
        const std::uint64_t next = i == jobs.size() ? file.file_bytes : jobs[i].tensor().offset;
        if (next < end || next - end >= file.alignment) {
            return fail(
                {.code = Errc::bad_argument, .detail = "the tensors of the plan do not lie one behind the other"});
        }
        if (i == 0) {
            add({.job = nullptr, .units = end, .step = io::frame_content, .padding = next - end});
        } else {
            add(part_of(jobs[i - 1], next - end));
        }
        if (i < jobs.size()) end = next + jobs[i].tensor().bytes_out;
    }
    return parts;
}

// Makes stretches of the output, each thread with memory of its own.
class Maker {
  public:
    Maker(std::span<const Job> jobs, std::span<const Part> parts, const Layout& file)
        : tile_(jobs), parts_(parts), header_(file.header) {}

    // Puts the bytes of a stretch into `bytes`, in place of what was there; returns how many of the input it took.
    Result<std::uint64_t> make(std::size_t number, std::vector<std::byte>& bytes) {
        const Part& part = *std::prev(std::ranges::upper_bound(parts_, number, {}, &Part::begin));
        const std::uint64_t index = number - part.begin;
        bytes.clear();
        if (index >= part.with_data()) {
            bytes.resize(io::frame_content);
            return 0;
        }
        const std::uint64_t first = index * part.step, last = std::min(part.units, first + part.step);
        const std::uint64_t padding = last == part.units ? part.padding % io::frame_content : 0;
        std::uint64_t bytes_in = 0;
        if (part.job == nullptr) {
            const auto stretch = header_.subspan(first, last - first);
            bytes.assign(stretch.begin(), stretch.end());
        } else {
            bytes.reserve((last - first) * piece_bytes(*part.job) + padding);
            for (std::uint64_t i = first; i < last; ++i) {
                const auto piece = requant::make_piece(*part.job, i, tile_);
                if (!piece) return fail(piece.error());
                bytes.insert(bytes.end(), piece->bytes.begin(), piece->bytes.end());
                bytes_in += piece->bytes_in;
            }
        }
        bytes.resize(bytes.size() + padding);
        return bytes_in;
    }

    std::vector<std::byte> content;  // of a stretch that is to be compressed

  private:
    Tile tile_;
    std::span<const Part> parts_;
    std::span<const std::byte> header_;
};

// A stretch that is ready.
struct Ready {
    std::vector<std::byte> bytes;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> frames;  // their sizes and those of their content
    std::uint64_t bytes_in = 0;
};

Result<void> compress(std::span<const std::byte> content, int level, Ready& ready) {
    ready.bytes.clear();
    ready.frames.clear();
    while (!content.empty()) {
        const auto part = content.first(std::min(content.size(), io::frame_content));
        const std::size_t before = ready.bytes.size();
        if (auto done = io::compress_frame(part, level, ready.bytes); !done) return done;
        ready.frames.emplace_back(ready.bytes.size() - before, part.size());
        content = content.subspan(part.size());
    }
    return {};
}

// How many threads there is work and memory for; UNSUPPORTED where the memory is not even enough for one.
Result<unsigned> choose_workers(std::span<const Job> jobs, std::size_t stretches, const StreamOptions& options) {
    std::uint64_t stretch = io::frame_content;
    const Job* biggest = nullptr;
    for (const Job& job : jobs) {
        stretch = std::max(stretch, piece_bytes(job));
        if (biggest == nullptr || job.tile_bytes() > biggest->tile_bytes()) biggest = &job;
    }
    const std::uint64_t tile = biggest == nullptr ? 0 : biggest->tile_bytes();
    if (tile > memory_budget) {
        return fail({.code = Errc::unsupported,
                     .subject = fmt::format("tensor '{}'", biggest->tensor().name),
                     .detail = fmt::format("a row of {} elements is too long to convert", biggest->unit_elements)});
    }
    const std::uint64_t compressing =
        options.zstd_level == 0 ? 0 : io::compression_memory(options.zstd_level) + stretch;
    const std::uint64_t each = tile + ahead * stretch + compressing;
    return static_cast<unsigned>(
        std::clamp<std::uint64_t>(memory_budget / each, 1, worker_count(stretches, options.threads)));
}

Result<void> check_options(const Plan& plan, const StreamOptions& options) {
    const auto refuse = [](std::string detail) {
        return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
    };
    if (plan.files.size() != 1) return refuse("a stream is one file: it cannot be split");
    if (options.zstd_level != 0) {
        if (auto known = check_zstd_level(options.zstd_level); !known) return known;
    }
    return check_executable(plan);
}

// Reads the header back, as anyone else would, and finds what was planned.
Result<void> verify(const std::filesystem::path& path, const Plan& plan) {
    const auto wrong = [&](std::string_view detail) {
        return fail({.code = Errc::io_write,
                     .subject = path.string(),
                     .detail = fmt::format("does not read back: {}", detail)});
    };
    const auto written = Model::open(path, {.follow_shards = false, .header_only = true});
    if (!written) return wrong(written.error().message());
    const Layout& planned = plan.files.front();
    const auto file = written->header().file();
    if (file.size() != planned.file_bytes || !std::ranges::equal(file.first(planned.header.size()), planned.header)) {
        return wrong("another header or size than planned");
    }
    return {};
}

}  // namespace

Result<void> execute_to(const Model& model, const Plan& plan, const Sink& sink, const StreamOptions& options) {
    if (auto possible = check_options(plan, options); !possible) return possible;
    const auto jobs = requant::make_jobs(model, plan);
    if (!jobs) return fail(jobs.error());
    const Layout& file = plan.files.front();
    const auto parts = make_parts(*jobs, file);
    if (!parts) return fail(parts.error());
    const std::uint64_t stretches = parts->back().begin + parts->back().stretches();
    const auto workers = choose_workers(*jobs, stretches, options);
    if (!workers) return fail(workers.error());
    for (std::size_t i = 0; i < model.shard_count(); ++i) {
        ::posix_fadvise(model.shard_fd(i), 0, 0, POSIX_FADV_SEQUENTIAL);
    }

    std::vector<Maker> makers;
    for (unsigned worker = 0; worker < *workers; ++worker) makers.emplace_back(*jobs, *parts, file);
    std::vector<Ready> slots(ahead * *workers);
    const auto make = [&](std::size_t index, std::size_t slot, unsigned worker) -> Result<void> {
        Ready& ready = slots[slot];
        Maker& maker = makers[worker];
        const bool compressed = options.zstd_level != 0;
        const auto made = maker.make(index, compressed ? maker.content : ready.bytes);
        if (!made) return fail(made.error());
        ready.bytes_in = *made;
        return compressed ? compress(maker.content, options.zstd_level, ready) : Result<void>{};
    };

    requant::Meter meter(options.progress, plan.bytes_in());
    meter.report();
    io::SeekTable table;
    const auto take = [&](std::size_t, std::size_t slot) -> Result<void> {
        const Ready& ready = slots[slot];
        if (auto taken = sink(ready.bytes); !taken) return taken;
        for (const auto& [size, content] : ready.frames) table.add(size, content);
        meter.add(ready.bytes_in);
        return {};
    };
    auto done = parallel_in_order(stretches, *workers, slots.size(), options.stop, make, take);
    if (!done) return done;
    meter.report();
    if (auto same = model.check_unchanged(); !same) return same;
    return options.zstd_level == 0 ? Result<void>{} : sink(table.encode());
}

Result<void> execute_compressed(const Model& model, const Plan& plan, const std::filesystem::path& output, int level,
                                const ExecuteOptions& options) {
    if (auto known = check_zstd_level(level); !known) return known;
    auto file = io::OutputFile::create(output, std::nullopt,
                                       {.overwrite = options.overwrite, .inputs = requant::inputs_of(model)});
    if (!file) return fail(std::move(file).error());
    std::uint64_t at = 0;
    const Sink append = [&](std::span<const std::byte> bytes) {
        auto written = file->write(at, bytes);
        at += bytes.size();
        return written;
    };
    auto done = execute_to(
        model, plan, append,
        {.threads = options.threads, .zstd_level = level, .progress = options.progress, .stop = options.stop});
    if (!done) return done;
    if (auto sound = verify(file->partial_path(), plan); !sound) return sound;
    if (options.stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    return file->commit();
}

}  // namespace ggufkit
