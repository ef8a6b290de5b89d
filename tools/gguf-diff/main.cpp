// gguf-diff: what differs between two models.
#include <ggufkit/diff.hpp>
#include <ggufkit/remote.hpp>

#include "common/command_line.hpp"
#include "common/open.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "views.hpp"

namespace {

using namespace ggufkit;

constexpr int different = 1;
constexpr int trouble = 2;

const cli::Manual manual{
    .name = "gguf-diff",
    .purpose = "what differs between two GGUF models: metadata, structure, bytes",
    .usage = "  gguf-diff A B\n",
    .epilogue = R"(Models are compared, not files: split or not, version, byte order, alignment and
the order of keys and tensors make no difference. Any shard of a split model
stands for all of it. Lines begin with - for what only A has, + for what only B
has, ~ for what both have and differs. Where only bytes differ, the first digits
of their XXH3-128 are shown; --json has all of them.

Either may be compressed (.gguf.zst), and one of them - for standard input: then
it is unpacked into a file without a name in TMPDIR, or else /var/tmp. Either
may be a URL or hf:OWNER/REPO/FILE.gguf (gguf-info --help says more): of it the
header is fetched, and the data of those tensors that both have in one type and
shape.

Examples:
  gguf-diff model-f16.gguf model-Q8_0.gguf
  gguf-diff original.gguf shards-00001-of-00004.gguf && echo the same
  gguf-requant m.gguf - Q4_K_M | gguf-diff m-Q4_K_M.gguf -
  gguf-diff hf:OWNER/REPO/m-Q4_K_M.gguf m-Q4_K_M.gguf   # is mine still theirs?
  gguf-diff a.gguf b.gguf --json | jq '.tensors[].name'

Exit codes:
  0  the same
  1  different
  2  trouble: misuse, or a file that could not be read
)",
};

struct Options {
    std::string a;
    std::string b;
    unsigned threads = 0;
    bool json = false;
};

int compare_files(const Options& options, const cli::CommandLine& line, cli::Console& console) {
    if (options.a == "-" && options.b == "-") return line.refuse(console, "only one of A and B can be standard input");
    const auto refuse = [&](const std::string& message) {
        console.error(message);
        return trouble;
    };
    // Of files on servers, the data of those tensors alone that have to be compared.
    const auto open = [&](const std::string& file) {
        return cli::open_model(file, {.header_only = is_remote(file), .threads = options.threads});
    };
    const auto a = open(options.a);
    if (!a) return refuse(cli::sentence(options.a, a.error()));
    const auto b = open(options.b);
    if (!b) return refuse(cli::sentence(options.b, b.error()));

    const auto diff = [&] {
        cli::ProgressBar bar;
        const auto progress = [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); };
        return compare(*a, *b, {.threads = options.threads, .progress = progress});
    }();
    if (!diff) return refuse(cli::sentence(diff.error()));
    if (options.json) {
        diff::print_json(console, *diff);
    } else {
        diff::print_text(console, *diff, {cli::shown(options.a), cli::shown(options.b)});
    }
    return diff->same() ? 0 : different;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    cli::CommandLine line(manual, trouble);
    auto& app = line.app();
    app.add_option("A", options.a, "A GGUF file, any shard of a split model, its URL,\nor - for standard input")
        ->required();
    app.add_option("B", options.b, "The one to compare it with")->required();
    app.add_option("--threads", options.threads, "How many threads read and compare\n(default: one for each CPU)")
        ->type_name("N")
        ->check(CLI::Range(1u, cli::most_threads));
    app.add_flag("--json", options.json, "Print the differences as JSON: see spec/json.md");
    return line.run(argc, argv, [&](cli::Console& console) { return compare_files(options, line, console); });
}
