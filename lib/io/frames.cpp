#include "io/frames.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "core/try.hpp"
#include "io/zstd.hpp"

namespace ggufkit::io {

namespace {

// What the buffers of all threads may take together, and a frame beyond which a table is of no use.
constexpr std::uint64_t buffer_budget = 48 << 20;
constexpr std::uint64_t largest_frame = 16 << 20;

// Frames that are unpacked together: each alone takes time of its own, however little is in it, and a table may list a
// million empty ones.
constexpr std::uint64_t small = 128 << 10;

// What lies next to each other in the file, and in the content.
using Batch = std::span<const Frame>;

std::uint64_t compressed_bytes(Batch batch) { return batch.back().at + batch.back().size - batch.front().at; }
std::uint64_t content_bytes(Batch batch) { return batch.back().offset + batch.back().content - batch.front().offset; }
std::uint64_t memory_for(Batch batch) { return compressed_bytes(batch) + content_bytes(batch); }

std::vector<Batch> batches_of(std::span<const Frame> frames) {
    std::vector<Batch> batches;
    for (std::size_t begin = 0; begin < frames.size();) {
        std::size_t end = begin + 1;
        while (end < frames.size() && memory_for(frames.subspan(begin, end + 1 - begin)) <= small) ++end;
        batches.push_back(frames.subspan(begin, end - begin));
        begin = end;
    }
    return batches;
}

// What it takes to unpack any of these.
std::uint64_t memory_for(const std::vector<Batch>& batches) {
    std::uint64_t memory = 1;
    for (const Batch& batch : batches) memory = std::max(memory, memory_for(batch));
    return memory;
}

// Every frame has to hold what the table says.
Result<void> decompress(Batch batch, std::span<const std::byte> compressed, std::span<std::byte> content) {
    std::vector<Packed> parts;
    for (const Frame& frame : batch) {
        if (frame.size == 0 && frame.content == 0) continue;
        parts.push_back({compressed.subspan(frame.at - batch.front().at, frame.size),
                         content.subspan(frame.offset - batch.front().offset, frame.content)});
    }
    auto done = decompress_each(parts);
    if (!done) done.error().offset = batch.front().at + done.error().offset.value_or(0);
    return done;
}

}  // namespace

Result<std::unique_ptr<Frames>> Frames::open(ReadAt read, std::uint64_t file_size) {
    TRY_LET(auto table, SeekTable::read(read, file_size));
    const auto too_large = [](const Frame& frame) { return std::max(frame.size, frame.content) > largest_frame; };
    if (!table || std::ranges::any_of(table->frames(), too_large)) return nullptr;
    TRY_LET(auto spool, Spool::create());
    return std::unique_ptr<Frames>(new Frames(std::move(read), *std::move(table), std::move(spool)));
}

// The first frame alone, then twice as many as before, until it is enough; or the others all at once.
Result<void> Frames::unpack(const SpoolOptions& options) {
    auto room = options.enough ? spool_.resize(table_.content()) : spool_.expect(table_.content());
    if (!room) return room;
    const std::size_t count = table_.frames().size();
    for (std::size_t next = 1; unpacked_ < count; next = options.enough ? 2 * unpacked_ : count) {
        next = std::min(next, count - unpacked_);
        TRY(unpack(table_.frames().subspan(unpacked_, next), options));
        unpacked_ += next;
        const Frame& last = table_.frames()[unpacked_ - 1];
        TRY_LET(const auto satisfied, look(last.offset + last.content, options));
        if (satisfied) break;
        if (options.enough && last.offset + last.content >= options.most) return fail(options.too_much());
    }
    return {};
}

Result<void> Frames::fill(std::uint64_t begin, std::uint64_t end) const {
    const auto frames = table_.frames().subspan(unpacked_);
    const auto first =
        std::ranges::partition_point(frames, [&](const Frame& frame) { return frame.offset + frame.content <= begin; });
    const auto last = std::ranges::partition_point(frames, [&](const Frame& frame) { return frame.offset < end; });
    if (first >= last) return {};
    const auto batches = batches_of({first, last});
    std::vector<std::byte> buffer(memory_for(batches));
    for (const Batch& batch : batches) {
        TRY(unpack(batch, buffer));
    }
    return {};
}

Result<void> Frames::unpack(std::span<const Frame> frames, const SpoolOptions& options) {
    const auto batches = batches_of(frames);
    const std::uint64_t memory = memory_for(batches);
    const unsigned wanted = worker_count(batches.size(), options.work.threads);
    const auto workers = static_cast<unsigned>(std::clamp<std::uint64_t>(buffer_budget / memory, 1, wanted));
    std::vector<std::vector<std::byte>> buffers(workers);
    std::mutex mutex;
    return parallel_for(batches.size(), workers, options.work.stop,
                        [&](std::size_t i, unsigned worker) -> Result<void> {
                            buffers[worker].resize(memory);
                            TRY(unpack(batches[i], buffers[worker]));
                            if (options.work.progress) {
                                const std::lock_guard lock(mutex);
                                options.work.progress({done_ += content_bytes(batches[i]), table_.content()});
                            }
                            return {};
                        });
}

Result<void> Frames::unpack(std::span<const Frame> batch, std::span<std::byte> buffer) const {
    const auto compressed = buffer.first(compressed_bytes(batch));
    const auto content = buffer.subspan(compressed.size(), content_bytes(batch));
    if (compressed.empty() && content.empty()) return {};
    TRY(read_(batch.front().at, compressed));
    TRY(decompress(batch, compressed, content));
    return spool_.write(batch.front().offset, content);
}

// Whether the first `size` bytes are all that is needed; they are if they cannot be of a model.
Result<bool> Frames::look(std::uint64_t size, const SpoolOptions& options) const {
    TRY_LET(const auto so_far, spool_.map({}));
    const auto bytes = so_far.bytes().first(size);
    return !may_be_gguf(bytes) || (options.enough && options.enough(bytes));
}

}  // namespace ggufkit::io
