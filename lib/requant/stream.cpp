#include <algorithm>
#include <ggufkit/requant/execute.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "core/try.hpp"
#include "io/output_file.hpp"
#include "io/seekable.hpp"
#include "io/zstd.hpp"
#include "requant/inputs.hpp"
#include "requant/read_back.hpp"
#include "requant/runner.hpp"

namespace ggufkit {

namespace {

using requant::FileSegments;
using requant::Part;
using requant::Segment;

// Stretches that are ready or being made, for each thread: so one that takes longer than the others holds nobody up.
constexpr std::uint64_t ahead = 2;

static_assert(requant::longest_frame_segment == io::frame_content);

// Runs of segments about as long as the content of a zstd frame, by their first segments, and the number of all
// segments: some pieces of one tensor and the padding behind it, so that no frame has bytes of two tensors.
// Padding of mebibytes, which nobody wants but a file may ask for, is stretches of its own.
std::vector<std::uint64_t> stretches_of(const FileSegments& file) {
    std::vector<std::uint64_t> begins;
    for (const Part& part : file.parts()) {
        const bool padding = part.target == nullptr && part.header.empty();
        if (padding && part.end - part.begin < io::frame_content) continue;
        const std::uint64_t segments = std::max<std::uint64_t>(1, io::frame_content / part.step);
        for (std::uint64_t i = 0; i < part.count(); i += segments) begins.push_back(part.first + i);
    }
    begins.push_back(file.count());
    return begins;
}

// A stretch that is ready.
struct Stretch {
    std::vector<std::byte> bytes;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> frames;  // their sizes, compressed and not
    std::uint64_t bytes_in = 0;
};

Result<void> compress(std::span<const std::byte> content, int level, Stretch& stretch) {
    stretch.bytes.clear();
    stretch.frames.clear();
    while (!content.empty()) {
        const auto part = content.first(std::min(content.size(), io::frame_content));
        const std::size_t before = stretch.bytes.size();
        TRY(io::compress_frame(part, level, stretch.bytes));
        stretch.frames.emplace_back(stretch.bytes.size() - before, part.size());
        content = content.subspan(part.size());
    }
    return {};
}

// What a worker takes besides its workspace.
std::uint64_t extra_bytes(const FileSegments& file, int zstd_level) {
    std::uint64_t stretch = io::frame_content;
    for (const Part& part : file.parts()) stretch = std::max(stretch, part.step);
    return ahead * stretch + (zstd_level == 0 ? 0 : io::compression_memory(zstd_level) + stretch);
}

Result<void> check_options(const Plan& plan, const StreamOptions& options) {
    const auto refuse = [](std::string detail) {
        return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
    };
    if (plan.files.size() != 1) return refuse("a stream is one file: it cannot be split");
    if (options.zstd_level != 0) {
        TRY(check_zstd_level(options.zstd_level));
    }
    return {};
}

}  // namespace

Result<void> execute_to(const Model& model, const Plan& plan, const Sink& sink, const StreamOptions& options) {
    TRY(check_options(plan, options));
    TRY_LET(const auto assembly, requant::Assembly::make(model, {&plan}));
    const FileSegments& file = assembly.files().front();
    const auto begins = stretches_of(file);
    const std::uint64_t stretches = begins.size() - 1;
    TRY_LET(const auto workers,
            requant::choose_workers(assembly, stretches, options.work.threads, extra_bytes(file, options.zstd_level)));
    requant::advise_sequential(model);

    const bool compressed = options.zstd_level != 0;
    requant::Runner runner(workers);
    std::vector<Stretch> slots(ahead * workers);
    std::vector<std::vector<std::byte>> contents(workers);  // of stretches that are to be compressed
    const auto make = [&](std::uint64_t number, std::size_t slot, unsigned worker) -> Result<void> {
        Stretch& stretch = slots[slot];
        auto& content = compressed ? contents[worker] : stretch.bytes;
        content.clear();
        stretch.bytes_in = 0;
        for (std::uint64_t i = begins[number]; i < begins[number + 1]; ++i) {
            const Segment segment = file.at(i);
            TRY_LET(const auto bytes, requant::make(segment, runner.workspace(worker)));
            content.insert(content.end(), bytes.begin(), bytes.end());
            stretch.bytes_in += segment.piece.source_bytes();
        }
        return compressed ? compress(content, options.zstd_level, stretch) : Result<void>{};
    };

    Meter meter(options.work.progress, plan.bytes_in());
    meter.report();
    io::SeekTable table;
    const auto take = [&](std::size_t slot) -> Result<void> {
        const Stretch& stretch = slots[slot];
        TRY(sink(stretch.bytes));
        for (const auto& [size, content] : stretch.frames) table.add(size, content);
        meter.add(stretch.bytes_in);
        return {};
    };
    TRY(runner.in_order(stretches, slots.size(), options.work.stop, make, take));
    meter.report();
    TRY(model.check_unchanged());
    return compressed ? sink(table.encode()) : Result<void>{};
}

Result<void> execute_compressed(const Model& model, const Plan& plan, const std::filesystem::path& output, int level,
                                const ExecuteOptions& options) {
    TRY(check_zstd_level(level));
    TRY_LET(auto file, io::OutputFile::create(output, std::nullopt,
                                              {.overwrite = options.overwrite, .inputs = requant::inputs_of(model)}));
    std::uint64_t at = 0;
    const Sink append = [&](std::span<const std::byte> bytes) {
        auto written = file.write(at, bytes);
        at += bytes.size();
        return written;
    };
    auto done = execute_to(model, plan, append, {.work = options.work, .zstd_level = level});
    if (!done) return done;
    const requant::WrittenFile written[]{{file.partial_path(), &plan.files.front()}};
    TRY(requant::check_written(model, written, options.work.stop));
    return file.commit();
}

}  // namespace ggufkit
