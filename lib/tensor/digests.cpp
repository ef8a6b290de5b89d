#include <ggufkit/inspect/digests.hpp>
#include <mutex>

#include "core/hasher.hpp"
#include "core/parallel.hpp"
#include "core/try.hpp"
#include "tensor/reader.hpp"

namespace ggufkit {

namespace {

using tensor::Reader;
using tensor::Via;
using tensor::Workspace;

// Read and hashed at a time: it stays in the cache.
constexpr std::uint64_t part_bytes = 256 << 10;

// Adds up what threads have read, and tells the caller.
class Meter {
  public:
    Meter(const Work& work, std::uint64_t total) : work_(work), total_(total) {}
    void add(std::uint64_t bytes) {
        if (!work_.progress) return;
        const std::lock_guard lock(mutex_);
        work_.progress({done_ += bytes, total_});
    }

  private:
    const Work& work_;
    const std::uint64_t total_;
    std::mutex mutex_;
    std::uint64_t done_ = 0;
};

Result<Digest> digest_of(const Reader& reader, Workspace& workspace, const std::stop_token& stop, Meter& meter) {
    Hasher hasher;
    const auto add = [&](std::span<const std::byte> blocks) -> Result<void> {
        if (stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        hasher.add(blocks);
        meter.add(blocks.size());
        return {};
    };
    TRY(tensor::for_each_part(reader, part_bytes, workspace, add));
    return hasher.digest();
}

}  // namespace

Result<Digest> digest(const Model& model, const ModelTensor& tensor) {
    TRY_LET(const auto reader, Reader::open(model, tensor));
    Workspace workspace;
    const Work none;
    Meter meter(none, reader.bytes());
    return digest_of(reader, workspace, {}, meter);
}

Result<std::vector<Digest>> digests(const Model& model, std::span<const ModelTensor> tensors, const Work& work) {
    std::uint64_t total = 0;
    for (const ModelTensor& tensor : tensors) total += tensor.info->bytes().value_or(0);
    Meter meter(work, total);
    std::vector<Digest> found(tensors.size());
    std::vector<Workspace> workspaces(worker_count(tensors.size(), work.threads));
    auto done =
        parallel_for(tensors.size(), work.threads, work.stop, [&](std::size_t i, unsigned worker) -> Result<void> {
            TRY_LET(const auto reader, Reader::open(model, tensors[i], {.via = Via::read}));
            TRY_LET(const auto digest, digest_of(reader, workspaces[worker], work.stop, meter));
            found[i] = digest;
            return {};
        });
    if (done) done = model.check_unchanged();
    if (!done) return fail(std::move(done).error());
    return found;
}

}  // namespace ggufkit
