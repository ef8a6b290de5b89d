#include "requant/run_digest.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <ggufkit/version.hpp>
#include <string_view>
#include <type_traits>

#include "core/hasher.hpp"

namespace ggufkit::requant {

namespace {

// Fed with texts and numbers; every text is preceded by its length, so that no two sequences look alike.
class Feed {
  public:
    void add(std::span<const std::byte> bytes) {
        add(bytes.size());
        hasher_.add(bytes);
    }
    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
    void add(std::uint64_t number) { hasher_.add(std::as_bytes(std::span(&number, 1))); }

    std::string hex() const { return hasher_.digest().hex(); }

  private:
    Hasher hasher_;
};

void add_inputs(Feed& feed, const Model& model) {
    for (std::size_t i = 0; i < model.shard_count(); ++i) {
        struct stat status {};
        ::fstat(model.opened_fd(i), &status);  // a file that cannot be asked looks like an empty one of 1970
        feed.add(static_cast<std::uint64_t>(status.st_size));
        feed.add(static_cast<std::uint64_t>(status.st_mtim.tv_sec));
        feed.add(static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
        // Can be put back, unlike the time of the last change; a file without a name is a copy made for this run.
        const timespec changed = status.st_nlink > 0 ? status.st_ctim : timespec{};
        feed.add(static_cast<std::uint64_t>(changed.tv_sec));
        feed.add(static_cast<std::uint64_t>(changed.tv_nsec));
        feed.add(model.shard(i).file().first(model.shard(i).header_bytes()));
    }
}

void add_plan(Feed& feed, const Plan& plan) {
    for (const Layout& file : plan.files) {
        feed.add(file.header);
        feed.add(file.file_bytes);
    }
}

void add_tensor(Feed& feed, const SourceTensor& tensor) {
    feed.add(tensor.place ? tensor.place->offset : 0);
    feed.add(tensor.piece_units);
    feed.add(tensor.unit_bytes);
    for (const Target& target : tensor.targets) {
        feed.add(target.plan);
        feed.add(static_cast<std::uint64_t>(target.effort));
        feed.add(target.tensor->file);
        feed.add(target.tensor->offset);
        feed.add(format_of(target.tensor->to).id);
        feed.add(std::as_bytes(target.tensor->importance));
    }
}

}  // namespace

std::string run_digest(const Model& model, const Assembly& assembly) {
    Feed feed;
    feed.add(version());
    add_inputs(feed, model);
    for (const Plan* plan : assembly.plans()) add_plan(feed, *plan);
    for (const SourceTensor& tensor : assembly.tensors()) add_tensor(feed, tensor);
    return feed.hex();
}

}  // namespace ggufkit::requant
