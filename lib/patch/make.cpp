#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "core/hasher.hpp"
#include "core/parallel.hpp"
#include "core/try.hpp"
#include "io/output_file.hpp"
#include "io/spool_file.hpp"
#include "io/zstd.hpp"
#include "patch/format.hpp"
#include "patch/regions.hpp"

namespace ggufkit {

namespace {

using patch::Range;
using patch::Region;
using patch::Step;

using Bytes = std::span<const std::byte>;

Bytes part(Bytes file, Range range) {
    return file.subspan(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
}

// As much of a region as one step makes.
struct Chunk {
    Range now;
    Range like;        // in the old file: the same place in what it belongs to; not as long where that has ended
    Range neighbours;  // the bytes around that
};

std::vector<Chunk> cut(const std::vector<Region>& regions) {
    // Content that moved by less than this is found in its new place.
    constexpr std::uint64_t reach = patch::most_content;
    std::vector<Chunk> chunks;
    for (const Region& region : regions) {
        for (std::uint64_t at = 0; at < region.now.size(); at += patch::most_content) {
            const std::uint64_t length = std::min(patch::most_content, region.now.size() - at);
            const auto in_old = [&](std::uint64_t offset) {
                return region.old.begin + std::min(offset, region.old.size());
            };
            chunks.push_back({.now = {region.now.begin + at, region.now.begin + at + length},
                              .like = {in_old(at), in_old(at + length)},
                              .neighbours = {in_old(at - std::min(at, reach)), in_old(at + length + reach)}});
        }
    }
    return chunks;
}

// A step and its frame.
struct Made {
    Step step;
    std::vector<std::byte> frame;
};

// Makes steps; each thread has one.
class Maker {
  public:
    Maker(Bytes old_file, Bytes new_file, int level) : old_(old_file), now_(new_file), level_(level) {}

    // The shortest of what can stand for a chunk.
    Result<void> make(const Chunk& chunk, Made& made) {
        const Bytes content = part(now_, chunk.now), like = part(old_, chunk.like);
        const bool as_long = like.size() == content.size();
        made.frame.clear();
        if (as_long && std::memcmp(content.data(), like.data(), content.size()) == 0) {
            made.step = step(Step::Kind::copy, chunk, chunk.like);
            return {};
        }
        made.step = step(Step::Kind::frame, chunk, chunk.neighbours);
        TRY(io::compress_frame(content, level_, made.frame, part(old_, chunk.neighbours)));
        if (as_long) {
            TRY(try_changes(chunk, content, like, made));
        }
        made.step.frame_bytes = static_cast<std::uint32_t>(made.frame.size());
        return {};
    }

  private:
    static Step step(Step::Kind kind, const Chunk& chunk, Range old) {
        return {.kind = kind,
                .frame_bytes = 0,
                .length = chunk.now.size(),
                .old_offset = old.begin,
                .old_length = old.size()};
    }

    Result<void> try_changes(const Chunk& chunk, Bytes content, Bytes like, Made& made) {
        changes_.resize(content.size());
        std::ranges::transform(content, like, changes_.begin(), [](std::byte a, std::byte b) { return a ^ b; });
        frame_.clear();
        TRY(io::compress_frame(changes_, level_, frame_));
        if (frame_.size() >= made.frame.size()) return {};
        made.step = step(Step::Kind::changes, chunk, chunk.like);
        std::swap(made.frame, frame_);
        return {};
    }

    Bytes old_, now_;
    int level_;
    std::vector<std::byte> changes_, frame_;
};

// Writes bytes of the patch to their place in it.
using WriteAt = std::function<Result<void>(std::uint64_t offset, Bytes bytes)>;

// Takes steps in their order.
class Writer {
  public:
    explicit Writer(const WriteAt& write) : write_(write) {}

    Result<void> take(const Made& made) {
        Step* const last = steps_.empty() ? nullptr : &steps_.back();
        const bool goes_on = last != nullptr && last->kind == Step::Kind::copy && made.step.kind == Step::Kind::copy &&
                             last->old_offset + last->length == made.step.old_offset;
        if (goes_on) {
            last->length += made.step.length;
            last->old_length += made.step.length;
            return {};
        }
        steps_.push_back(made.step);
        return append(made.frame);
    }

    Result<PatchSummary> finish(PatchedFile old_file, PatchedFile new_file) && {
        const std::vector<std::byte> table = patch::encode(steps_);
        const patch::Head head{old_file, new_file, steps_.size(), hash128(table)};
        TRY(append(table).and_then([&] { return write_(0, patch::encode(head)); }));
        return patch::summary_of({.head = head, .steps = std::move(steps_), .frames = {}}, at_);
    }

  private:
    Result<void> append(Bytes bytes) {
        auto done = write_(at_, bytes);
        at_ += bytes.size();
        return done;
    }

    const WriteAt& write_;
    std::vector<Step> steps_;
    std::uint64_t at_ = patch::head_bytes;
};

Result<void> check(const Model& old_model, const Model& new_model, int level) {
    const auto refuse = [](std::string detail) {
        return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
    };
    for (const Model* const model : {&old_model, &new_model}) {
        if (model->shard_count() == 1) continue;
        return refuse(fmt::format("{} is one of {} shards: they are patched one by one", model->shard_path(0).string(),
                                  model->shard_count()));
    }
    return check_zstd_level(level);
}

// What is mapped at a time does not grow with the files, which are as large as models.
void give_back(const Model& model, Range range) { model.advise(0, range.begin, range.size(), Access::dont_need); }

Digest digest_of(const Model& model) {
    constexpr std::uint64_t stretch = 16 << 20;
    const Bytes file = model.header().file();
    Hasher hasher;
    for (std::uint64_t at = 0; at < file.size(); at += stretch) {
        const Range range{at, std::min<std::uint64_t>(at + stretch, file.size())};
        hasher.add(part(file, range));
        give_back(model, range);
    }
    return hasher.digest();
}

// Both files at once.
Result<std::pair<Digest, Digest>> digests_of(const Model& a, const Model& b) {
    std::pair<Digest, Digest> digests;
    auto done = parallel_for(2, 2, {}, [&](std::size_t i, unsigned) -> Result<void> {
        (i == 0 ? digests.first : digests.second) = digest_of(i == 0 ? a : b);
        return {};
    });
    if (!done) return fail(std::move(done).error());
    return digests;
}

Result<PatchSummary> write_patch(const Model& old_model, const Model& new_model, const WriteAt& write,
                                 const PatchOptions& options) {
    Writer writer(write);
    const Bytes old_file = old_model.header().file(), new_file = new_model.header().file();
    const std::vector<Chunk> chunks = cut(patch::regions_of(old_model, new_model));
    const unsigned workers = worker_count(chunks.size(), options.work.threads);
    std::vector<Maker> makers(workers, Maker(old_file, new_file, options.zstd_level));
    std::vector<Made> slots(2 * std::size_t{workers});
    auto done = parallel_in_order(
        chunks.size(), workers, slots.size(), options.work.stop,
        [&](std::size_t i, std::size_t slot, unsigned worker) { return makers[worker].make(chunks[i], slots[slot]); },
        [&](std::size_t i, std::size_t slot) {
            if (options.work.progress) options.work.progress({chunks[i].now.end, new_file.size()});
            give_back(new_model, chunks[i].now);
            give_back(old_model, chunks[i].neighbours);
            return writer.take(slots[slot]);
        });
    if (!done) return fail(std::move(done).error());
    TRY_LET(const auto digests, digests_of(old_model, new_model));
    for (const Model* const model : {&old_model, &new_model}) {
        TRY(model->check_unchanged());
    }
    return std::move(writer).finish({old_file.size(), digests.first}, {new_file.size(), digests.second});
}

}  // namespace

Result<PatchSummary> make_patch(const Model& old_model, const Model& new_model, const std::filesystem::path& patch,
                                const PatchOptions& options) {
    TRY(check(old_model, new_model, options.zstd_level));
    TRY_LET(auto file, io::OutputFile::create(patch, std::nullopt,
                                              {.overwrite = options.overwrite,
                                               .inputs = {old_model.opened_fd(0), new_model.opened_fd(0)}}));
    auto made = write_patch(
        old_model, new_model, [&](std::uint64_t at, Bytes bytes) { return file.write(at, bytes); }, options);
    if (!made) return made;
    TRY(file.commit());
    return made;
}

Result<PatchSummary> make_patch_to(const Model& old_model, const Model& new_model, const PatchSink& sink,
                                   const PatchOptions& options) {
    TRY(check(old_model, new_model, options.zstd_level));
    TRY_LET(const auto spool, io::Spool::create());
    auto made = write_patch(
        old_model, new_model, [&](std::uint64_t at, Bytes bytes) { return spool.write(at, bytes); }, options);
    if (!made) return made;
    TRY_LET(const auto patch, spool.map("the patch"));
    TRY(sink(patch.bytes()));
    return made;
}

}  // namespace ggufkit
