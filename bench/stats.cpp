// bench-stats MODEL…: how fast one thread takes statistics of a model, hashes it and checks it, beside how fast it
// reads the file from the page cache; the best of some runs of each, in turn.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <ggufkit/manifest.hpp>
#include <ggufkit/stats.hpp>
#include <vector>

namespace {

using namespace ggufkit;

constexpr int runs = 5;

struct Work {
    std::string name;
    std::function<bool(const Model&)> run;
    int passes = 1;  // over the bytes
};

// What `cat` would do: into a buffer that stays in the cache.
bool read_all(const Model& model) {
    std::vector<char> buffer(256 << 10);
    const int fd = model.shard_fd(0);
    off_t at = 0;
    for (ssize_t n; (n = ::pread(fd, buffer.data(), buffer.size(), at)) > 0;) at += n;
    return true;
}

double seconds(const Work& work, const Model& model) {
    // Of the processor: others may be at work on the machine.
    const std::clock_t start = std::clock();
    if (!work.run(model)) fmt::print(stderr, "{} failed\n", work.name);
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<Work> all{
        {"read", read_all},
        {"stats", [](const Model& model) { return stats(model, model.tensors(), {.threads = 1}).has_value(); }},
        {"xxh3", [](const Model& model) { return hash_model(model, HashKind::xxh128, {.threads = 1}).has_value(); }, 2},
        {"sha256", [](const Model& model) { return hash_model(model, HashKind::sha256, {.threads = 1}).has_value(); },
         2},
    };
    for (int i = 1; i < argc; ++i) {
        const auto model = Model::open(argv[i]);
        if (!model) {
            fmt::print(stderr, "{}\n", model.error().message());
            return 1;
        }
        std::vector<double> best(all.size(), 1e9);
        for (int run = 0; run < runs; ++run) {
            for (std::size_t w = 0; w < all.size(); ++w) best[w] = std::min(best[w], seconds(all[w], *model));
        }
        const auto bytes = static_cast<double>(model->header().file().size());
        fmt::print("{:8}", model->tensors().front().info->format->name);
        for (std::size_t w = 0; w < all.size(); ++w) {
            fmt::print("  {} {:.2f} GB/s ({:.2f})", all[w].name, bytes * all[w].passes / best[w] / 1e9,
                       best[0] * all[w].passes / best[w]);
        }
        fmt::print("\n");
    }
}
