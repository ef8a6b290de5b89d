#include "numbers.hpp"

#include <fnmatch.h>
#include <ggufkit/remote.hpp>

#include <algorithm>

#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "common/json.hpp"
#include "common/open.hpp"
#include "common/progress.hpp"
#include "common/save.hpp"
#include "common/show.hpp"
#include "common/suggest.hpp"
#include "common/text.hpp"
#include "core/ascii.hpp"
#include "core/text.hpp"
#include "manifest.hpp"
#include "options.hpp"
#include "peek.hpp"
#include "stats.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

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
    std::optional<PeekView> peek{};
    std::optional<Manifest> manifest{};
};

// xxh3 is what people call the 128-bit XXH3 that xxh128sum prints.
std::optional<HashKind> hash_kind(const NumberOptions& options) {
    if (!options.hash) return HashKind::sha256;
    if (options.hash->empty() || equal_in_any_case(*options.hash, "xxh3")) return HashKind::xxh128;
    return find_hash_kind(lower_case(*options.hash));
}

class Search {
  public:
    Search(const Model& model, const NumberOptions& options) : model_(model), options_(options) {}

    Result<Found> run() {
        Found found;
        if (options_.stats) {
            found.stats_of = matching(model_, *options_.stats);
            if (found.stats_of.empty()) {
                return fail({.code = Errc::not_found,
                             .subject = fmt::format("'{}'", *options_.stats),
                             .detail = "fits no tensor" + did_you_mean_tensor(*options_.stats, model_)});
            }
            auto stats = tensor_stats(model_, found.stats_of, work());
            if (!stats) return fail(std::move(stats).error());
            found.stats = std::move(*stats);
        }
        if (options_.peek) {
            auto peek = find_peek(model_, *options_.peek);
            if (!peek) return fail(std::move(peek).error());
            found.peek = std::move(*peek);
        }
        if (options_.hash || !options_.manifest.empty()) {
            auto manifest = hash_model(model_, *hash_kind(options_), work());
            if (!manifest) return fail(std::move(manifest).error());
            found.manifest = std::move(*manifest);
        }
        return found;
    }

  private:
    // How any of the work is to be done.
    Work work() {
        return {.threads = options_.threads,
                .progress = [this](const Progress& now) { bar_.update(now); },
                .stop = interrupt_.token()};
    }

    const Interrupt interrupt_;
    ProgressBar bar_;
    const Model& model_;
    const NumberOptions& options_;
};

void print_text(Console& console, const Options& options, const Found& found) {
    bool any = false;
    const auto section = [&](bool wanted, const auto& print) {
        if (!wanted) return;
        if (any) console.out.write("\n");
        any = true;
        print();
    };
    section(options.numbers.stats.has_value(), [&] {
        print_stats(console, {found.stats_of, found.stats}, options.in_full);
    });
    section(found.peek.has_value(), [&] { print_peek(console, *found.peek); });
    section(options.numbers.hash.has_value(), [&] { print_raw(console, found.manifest->text()); });
}

// Standard output is for hashes and statistics that a program may read.
void report_manifest(const Console& console, const std::string& path, const Manifest& manifest) {
    const auto& lines = manifest.lines;
    const auto tensors = static_cast<std::uint64_t>(std::ranges::count(lines, HashLine::Of::tensor, &HashLine::of));
    if (lines.empty()) return;
    console.error(fmt::format("note: wrote {}: {} of {} and {}", path, name(lines.front().kind),
                              counted(tensors, "tensor"), counted(lines.size() - tensors, "file")));
}

void print_json(Console& console, const Options& options, const Found& found) {
    JsonWriter json(console.out);
    json.begin_object().field("file", options.file());
    if (options.numbers.stats) write_stats(json, {found.stats_of, found.stats});
    if (found.peek) write_peek(json, *found.peek);
    if (found.manifest) write_hashes(json, *found.manifest);
    json.end_object().finish();
}

}  // namespace

std::vector<std::string> hash_names() { return {"xxh3", "sha256", "sha1", "xxh64"}; }

std::string misuse(const NumberOptions& options) {
    if (options.manifest == "-" && (options.stats || options.peek)) {
        return "--manifest - takes standard output: --stats and --peek do not go with it";
    }
    if (hash_kind(options)) return {};
    return fmt::format("--hash: {} is no kind of hash{}; xxh3, sha256, sha1 and xxh64 are", printable(*options.hash),
                       did_you_mean(*options.hash, hash_names()));
}

int print_numbers(Console& console, const Options& options) {
    const std::string& file = options.file();
    const NumberOptions& numbers = options.numbers;
    const auto refuse = [&](const Error& error) {
        const bool stopped = error.code == Errc::cancelled;
        console.error(stopped ? "cancelled" : sentence(file, error));
        return stopped ? cancelled : 1;
    };
    const auto refuse_place = [&](const Error& error) {
        const bool exists = error.code == Errc::io_exists;
        console.error(sentence(error) + (exists ? "; use --force to replace it, --verify to compare with it" : ""));
        return 1;
    };
    Inputs inputs;
    inputs.add(file);
    if (!numbers.manifest.empty()) {
        const auto fine = check_place(numbers.manifest, options.force, inputs);
        if (!fine) return refuse_place(fine.error());
    }
    // Of one on a server, the tensors alone that are asked for; hashes are of the whole file.
    const bool some = is_remote(file) && !numbers.hash && numbers.manifest.empty();
    const auto model = open_model(file, {.header_only = some});
    if (!model) return refuse(model.error());
    const auto found = Search(*model, numbers).run();
    if (!found) return refuse(found.error());
    if (!numbers.manifest.empty()) {
        inputs.add(*model);
        const auto saved = save(console, numbers.manifest, found->manifest->text(), inputs, options.force);
        if (!saved) return refuse_place(saved.error());
        if (!is_standard_output(numbers.manifest)) report_manifest(console, numbers.manifest, *found->manifest);
    }
    if (numbers.manifest == "-") return 0;  // --hash has chosen the kind
    if (options.json) {
        print_json(console, options, *found);
    } else {
        print_text(console, options, *found);
    }
    return 0;
}

}  // namespace ggufkit::tool::info
