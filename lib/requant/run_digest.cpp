#include "requant/run_digest.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <string_view>
#include <type_traits>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit::requant {

namespace {

// Fed with texts and numbers; every text is preceded by its length, so that no two sequences look alike.
class Hasher {
  public:
    Hasher() { XXH3_128bits_reset(&state_); }

    void add(std::span<const std::byte> bytes) {
        add(bytes.size());
        XXH3_128bits_update(&state_, bytes.data(), bytes.size());
    }
    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
    void add(std::uint64_t number) { XXH3_128bits_update(&state_, &number, sizeof number); }

    std::string hex() const {
        const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
        return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
    }

  private:
    XXH3_state_t state_;
};

void add_inputs(Hasher& hasher, const Model& model) {
    for (std::size_t i = 0; i < model.shard_count(); ++i) {
        struct stat status {};
        ::fstat(model.opened_fd(i), &status);  // a file that cannot be asked looks like an empty one of 1970
        hasher.add(static_cast<std::uint64_t>(status.st_size));
        hasher.add(static_cast<std::uint64_t>(status.st_mtim.tv_sec));
        hasher.add(static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
        hasher.add(model.shard(i).file().first(model.shard(i).header_bytes()));
    }
}

void add_plan(Hasher& hasher, const Plan& plan) {
    for (const Layout& file : plan.files) {
        hasher.add(file.header);
        hasher.add(file.file_bytes);
    }
}

void add_job(Hasher& hasher, const Job& job) {
    hasher.add(job.source_offset);
    hasher.add(job.piece_units);
    hasher.add(job.unit_bytes);
    for (const Target& target : job.targets) {
        hasher.add(target.plan);
        hasher.add(static_cast<std::uint64_t>(target.effort));
        hasher.add(target.tensor->file);
        hasher.add(target.tensor->offset);
        hasher.add(format_of(target.tensor->to).id);
        hasher.add(std::as_bytes(target.tensor->importance));
    }
}

}  // namespace

std::string run_digest(const Model& model, std::span<const Plan* const> plans, std::span<const Job> jobs) {
    Hasher hasher;
    hasher.add(std::string_view(GGUFKIT_VERSION));
    add_inputs(hasher, model);
    for (const Plan* plan : plans) add_plan(hasher, *plan);
    for (const Job& job : jobs) add_job(hasher, job);
    return hasher.hex();
}

}  // namespace ggufkit::requant
