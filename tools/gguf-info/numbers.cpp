#include "numbers.hpp"

#include <fnmatch.h>

#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "common/json.hpp"
#include "common/open.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "core/text.hpp"
#include "stats.hpp"

namespace ggufkit::info {

using namespace cli;

namespace {

constexpr int cancelled_code = 130;  // as a shell reports a program that Ctrl-C ended

std::vector<ModelTensor> matching(const Model& model, const std::string& pattern) {
    std::vector<ModelTensor> tensors;
    for (const ModelTensor& tensor : model.tensors()) {
        const std::string name(tensor.info->name);
        if (pattern.empty() || ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) tensors.push_back(tensor);
    }
    return tensors;
}

// What was found, before any of it is printed: nothing is left half printed by an error.
struct Found {
    std::vector<ModelTensor> stats_of{};
    std::vector<TensorStats> stats{};
};

class Search {
  public:
    Search(const Model& model, const NumberOptions& options) : model_(model), options_(options) {}

    Result<Found> run() {
        Found found;
        if (options_.stats) {
            found.stats_of = matching(model_, *options_.stats);
            if (found.stats_of.empty()) {
                return fail({.code = Errc::not_found,
                             .detail = fmt::format("no tensor fits '{}'", printable(*options_.stats))});
            }
            auto stats = ggufkit::stats(model_, found.stats_of, work<StatsOptions>());
            if (!stats) return fail(std::move(stats).error());
            found.stats = std::move(*stats);
        }
        return found;
    }

  private:
    // How any of the work is to be done.
    template <class T>
    T work() {
        T how;
        how.threads = options_.threads;
        how.progress = [this](std::uint64_t done, std::uint64_t total) { bar_.update(done, total); };
        how.stop = interrupt_.token();
        return how;
    }

    const Interrupt interrupt_;
    ProgressBar bar_;
    const Model& model_;
    const NumberOptions& options_;
};

void print_text(Console& console, const NumberOptions& options, const Found& found) {
    if (options.stats) print_stats(console, {found.stats_of, found.stats}, options.in_full);
}

void print_json(Console& console, const std::filesystem::path& file, const NumberOptions& options, const Found& found) {
    JsonWriter json(console.out);
    json.begin_object().field("file", file.string());
    if (options.stats) write_stats(json, {found.stats_of, found.stats});
    json.end_object().finish();
}

}  // namespace

void add_number_options(CLI::App& app, NumberOptions& options) {
    app.add_option_function<std::vector<std::string>>(
           "--stats",
           [&options](const std::vector<std::string>& given) { options.stats = given.empty() ? "" : given.front(); },
           "What the weights of every tensor (that GLOB\nfits) are like: range, rms, kurtosis, outliers,\n"
           "NaN, scales; of one, or with --long, with a\nhistogram")
        ->type_name("[GLOB]")
        ->expected(0, 1)
        ->group("Tensor data");
    app.add_option("--threads", options.threads, "How many threads work\n(default: one for each CPU)")
        ->type_name("N")
        ->check(CLI::Range(1u, most_threads))
        ->group("Tensor data");
}

int print_numbers(Console& console, const std::filesystem::path& file, const NumberOptions& options) {
    const auto refuse = [&](const Error& error) {
        console.error(sentence(file, error));
        return error.code == Errc::cancelled ? cancelled_code : 1;
    };
    const auto model = open_model(file);
    if (!model) return refuse(model.error());
    const auto found = Search(*model, options).run();
    if (!found) return refuse(found.error());
    if (options.json) {
        print_json(console, file, options, *found);
    } else {
        print_text(console, options, *found);
    }
    return 0;
}

}  // namespace ggufkit::info
