#include "quant/measure/digest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/inspect/digests.hpp>
#include <ggufkit/quantize.hpp>
#include <mutex>

#include "core/hasher.hpp"
#include "core/parallel.hpp"
#include "io/read_at.hpp"

namespace ggufkit {

namespace quant {

namespace {

// What is read, or turned to little-endian order, at a time: this much, in whole blocks. It stays in the cache.
constexpr std::size_t part_bytes = 256 << 10;

std::size_t part_size(const FormatInfo& format, std::size_t most) {
    const std::size_t block = format.block_bytes;
    return std::min(most, std::max(part_bytes / block, std::size_t{1}) * block);
}

// Takes whole blocks of one format, a part at a time.
class Digester {
  public:
    Digester(const FormatInfo& format, ByteOrder order) : format_(format), order_(order) {}

    // Leaves them in little-endian order.
    void add(std::span<std::byte> blocks) {
        if (order_ == ByteOrder::big) swap_block_bytes(format_, blocks);
        hasher_.add(blocks);
    }
    Digest digest() const { return hasher_.digest(); }

  private:
    const FormatInfo& format_;
    const ByteOrder order_;
    Hasher hasher_;
};

}  // namespace

Digest digest_bytes(std::span<const std::byte> bytes, const FormatInfo& format, ByteOrder order) {
    if (order == ByteOrder::little) return hash128(bytes);
    Digester digester(format, order);
    std::vector<std::byte> turned(part_size(format, bytes.size()));
    while (!bytes.empty()) {
        const auto part = std::span(turned).first(std::min(turned.size(), bytes.size()));
        std::ranges::copy(bytes.first(part.size()), part.begin());
        digester.add(part);
        bytes = bytes.subspan(part.size());
    }
    return digester.digest();
}

namespace {

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

Result<Digest> digest_file(const Model& model, const ModelTensor& tensor, std::vector<std::byte>& memory,
                           const std::stop_token& stop, Meter& meter) {
    const auto data = model.data(tensor);
    if (!data) return fail(data.error());
    const ModelView& shard = model.shard(tensor.shard);
    const FormatInfo& format = *tensor.info->format;
    Digester digester(format, shard.byte_order());
    std::uint64_t offset = shard.data_offset() + tensor.info->offset;
    const std::uint64_t end = offset + data->size();
    memory.resize(part_size(format, part_bytes + format.block_bytes));
    while (offset < end) {
        if (stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        const auto part = std::span(memory).first(std::min<std::uint64_t>(memory.size(), end - offset));
        if (auto read = io::read_at(model.shard_fd(tensor.shard), offset, part); !read) {
            read.error().subject = fmt::format("tensor '{}'", tensor.info->name);
            return fail(std::move(read).error());
        }
        digester.add(part);
        meter.add(part.size());
        offset += part.size();
    }
    return digester.digest();
}

}  // namespace

}  // namespace quant

Result<Digest> digest(const Model& model, const ModelTensor& tensor) {
    const auto bytes = model.data(tensor);
    if (!bytes) return fail(bytes.error());
    return quant::digest_bytes(*bytes, *tensor.info->format, model.shard(tensor.shard).byte_order());
}

Result<std::vector<Digest>> digests(const Model& model, std::span<const ModelTensor> tensors, const Work& work) {
    std::uint64_t total = 0;
    for (const ModelTensor& tensor : tensors) total += tensor.info->bytes().value_or(0);
    quant::Meter meter(work, total);
    std::vector<Digest> found(tensors.size());
    std::vector<std::vector<std::byte>> memory(worker_count(tensors.size(), work.threads));
    auto done =
        parallel_for(tensors.size(), work.threads, work.stop, [&](std::size_t i, unsigned worker) -> Result<void> {
            const auto digest = quant::digest_file(model, tensors[i], memory[worker], work.stop, meter);
            if (!digest) return fail(digest.error());
            found[i] = *digest;
            return {};
        });
    if (done) done = model.check_unchanged();
    if (!done) return fail(std::move(done).error());
    return found;
}

}  // namespace ggufkit
