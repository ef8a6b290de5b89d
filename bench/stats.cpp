// bench-stats MODEL…: how fast one thread takes statistics of models, looks them through and hashes them, beside how fast
// it reads them from the page cache and decodes them; the best of some runs of each, in turn. A line of a table for each.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <ggufkit/inspect/check_data.hpp>
#include <ggufkit/inspect/manifest.hpp>
#include <ggufkit/inspect/stats.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <string>
#include <vector>

#include "core/aligned.hpp"

namespace {

using namespace ggufkit;

constexpr int runs = 7;

struct Job {
    std::string name;
    std::function<bool(const Model&)> run;
    int passes = 1;  // over the bytes
};

// What `cat` would do: into a buffer that stays in the cache.
bool read_all(const Model& model) {
    std::vector<char> buffer(256 << 10);
    off_t at = 0;
    for (ssize_t n; (n = ::pread(model.shard_fd(0), buffer.data(), buffer.size(), at)) > 0;) at += n;
    return true;
}

bool decode_all(const Model& model) {
    alignas(cache_line) std::array<float, 4096> values;
    bool good = true;
    for (const ModelTensor& tensor : model.tensors()) {
        const FormatInfo& format = *tensor.info->format;
        const auto data = model.data(tensor);
        const std::size_t most = values.size() / format.block_elements * format.block_bytes;
        for (std::size_t at = 0; data && at < data->size(); at += most) {
            const auto blocks = data->subspan(at, std::min(most, data->size() - at));
            const auto out = std::span(values).first(blocks.size() / format.block_bytes * format.block_elements);
            good = dequantize_rows(format.type(), blocks, out) && good;
        }
    }
    return good;
}

bool hash_all(const Model& model, HashKind kind) { return hash_model(model, kind, {.threads = 1}).has_value(); }

const std::vector<Job>& all_work() {
    static const std::vector<Job> all{
        {"read", read_all},
        {"decode", decode_all},
        {"--stats",
         [](const Model& model) { return tensor_stats(model, model.tensors(), {.threads = 1}).has_value(); }},
        {"--check-data",
         [](const Model& model) { return check_data(model, model.tensors(), {.threads = 1}).has_value(); }},
        // Every tensor and the file.
        {"--hash xxh3", [](const Model& model) { return hash_all(model, HashKind::xxh128); }, 2},
        {"--hash sha256", [](const Model& model) { return hash_all(model, HashKind::sha256); }, 2},
    };
    return all;
}

// Of the processor: others may be at work on the machine.
double seconds(const Job& work, const Model& model) {
    const std::clock_t start = std::clock();
    if (!work.run(model)) fmt::print(stderr, "{} failed\n", work.name);
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

void measure(const Model& model) {
    std::vector<double> best(all_work().size(), std::numeric_limits<double>::infinity());
    for (int run = 0; run < runs; ++run) {
        for (std::size_t w = 0; w < best.size(); ++w) best[w] = std::min(best[w], seconds(all_work()[w], model));
    }
    const auto bytes = static_cast<double>(model.header().file().size());
    fmt::print("| {} |", model.tensors().front().info->format->name);
    for (std::size_t w = 0; w < best.size(); ++w) {
        const double rate = bytes * all_work()[w].passes / best[w], read = bytes / best[0];
        fmt::print(" {:.2f}{} |", rate / 1e9, w == 0 ? "" : fmt::format(" ({:.2f})", rate / read));
    }
    fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
    fmt::print("| type |");
    for (const Job& work : all_work()) fmt::print(" {} |", work.name);
    fmt::print("\n|---|{}\n", [] {
        std::string rule;
        for (std::size_t i = 0; i < all_work().size(); ++i) rule += "---|";
        return rule;
    }());
    for (int i = 1; i < argc; ++i) {
        const auto model = Model::open(argv[i]);
        if (!model) {
            fmt::print(stderr, "{}\n", model.error().message());
            return 1;
        }
        measure(*model);
    }
}
