#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "common/size.hpp"
#include "mode.hpp"

namespace ggufkit::tool::info {

namespace {

// Options of different modes exclude each other.
void keep_modes_apart(CLI::App& app) {
    const std::vector<CLI::Option*> all = app.get_options();
    for (CLI::Option* one : all) {
        const Modes modes = modes_of(one->get_name());
        for (CLI::Option* other : all)
            if (!modes.meets(modes_of(other->get_name()))) one->excludes(other);
    }
}

// An option whose value may be left out: empty then.
CLI::Option* add_optional_value(CLI::App& app, const char* flag, std::optional<std::string>& value, const char* what) {
    const auto take = [&value](const std::vector<std::string>& given) { value = given.empty() ? "" : given.front(); };
    return app.add_option_function<std::vector<std::string>>(flag, take, what)
        ->expected(0, 1)
        ->allow_extra_args(false);  // `--tensors 'blk.0.*' FILE`
}

std::string check_size(const std::string& text) {
    const auto size = read_size(text);
    return size ? "" : size.error().detail;
}

std::string check_margin(const std::string& text) { return text == "0" ? "" : check_size(text); }

std::vector<std::string> cache_type_names() {
    std::vector<std::string> names;
    for (const TensorType type : cache_types()) names.emplace_back(format_of(type).name);
    return names;
}

void add_fit_options(CLI::App& app, FitOptions& options) {
    const auto memory = [&](CLI::Option* option, const char* type) { return option->type_name(type)->group("Memory"); };
    auto* const one =
        app.add_option("--fit", options.device,
                       "Does it run on a device with so much memory?\nWhat takes how much, how many layers "
                       "fit,\nin which file types all of them would");
    memory(one, "SIZE")->check(check_size);
    auto* const several =
        app.add_option("--gpu", options.gpus, "The same of several devices: give it for each,\nin their order");
    memory(several, "SIZE")
        ->check(check_size)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->excludes(one);

    memory(app.add_option(
               "--ctx", options.context,
               "Tokens of context, as 8192 or 8k; 0: all that the\nmodel was trained for (default: 8192 of them)"),
           "N")
        ->transform(plain_count)
        ->check(check_count);
    memory(app.add_option(
               "--batch", options.ubatch,
               "Tokens computed at once: llama.cpp's\n--ubatch-size (default: 512; more than 2048\ncounts as 2048)"),
           "N")
        ->check(CLI::Range(1, 1 << 20));
    memory(app.add_option("--kv-type", options.cache_type, "Type of the KV cache: f16 (default), q8_0, q4_0, …"),
           "TYPE")
        ->check(CLI::IsMember(cache_type_names(), CLI::ignore_case));
    app.add_flag("--no-flash-attn", options.no_flash_attention, "Without flash attention")->group("Memory");
    memory(app.add_option("--margin", options.margin,
                          "Memory to leave free on each device, for the\ndriver and others (default: 1GiB)"),
           "SIZE")
        ->check(check_margin);
}

void add_number_options(CLI::App& app, NumberOptions& options) {
    add_optional_value(app, "--stats", options.stats,
                       "What the weights of every tensor (that GLOB\nfits) are like: range, rms, kurtosis, outliers,\n"
                       "NaN, scales; of one, or with --long, with a\nhistogram")
        ->type_name("[GLOB]")
        ->group("Tensor data");
    app.add_option("--peek", options.peek,
                   "Weights of one row, and the blocks that they are\nin: scales, codes, grid points, raw bytes.\n"
                   "PLACE is NAME[row,column:count]; what is left\nout is 0 and one block")
        ->type_name("PLACE")
        ->group("Tensor data");
    add_optional_value(app, "--hash", options.hash,
                       "A hash of every tensor and of the file: xxh3\n(default), sha256, sha1 or xxh64")
        ->type_name("[KIND]")
        ->group("Tensor data");
    app.add_option(
           "--manifest", options.manifest,
           "Write these hashes (sha256 without --hash) to\nOUT, for --verify and sha256sum -c; - is standard\noutput")
        ->type_name("OUT")
        ->group("Tensor data");
    app.add_flag("--check-data", options.check_data,
                 "As --check, and look through all tensor data\nfor NaN and infinities in scales and weights,\nand for "
                 "the zeros of an unfinished download")
        ->group("Tensor data");
    app.add_option("--threads", options.threads,
                   "How many threads work through tensor data\n(default: one for each CPU)")
        ->type_name("N")
        ->check(CLI::Range(1u, most_threads))
        ->group("Tensor data");
}

}  // namespace

Manual manual() {
    return {
        .name = "gguf-info",
        .purpose = "what a GGUF model is, what is in it, what is wrong with it",
        .usage =
            "  gguf-info FILE                    a summary on one screen\n"
            "  gguf-info FILE FILE...            a line for each of several files\n"
            "  gguf-info FILE --SECTION...       one or more of the sections below\n"
            "  gguf-info FILE --get KEY          a value as it is, for scripts\n"
            "  gguf-info FILE --stats [GLOB]     what the weights are like, tensor by tensor\n"
            "  gguf-info FILE --peek PLACE       single weights and the blocks they are in\n"
            "  gguf-info FILE --hash [KIND]      a hash of every tensor and of the file\n"
            "  gguf-info FILE --verify SOURCE    whether FILE was made from SOURCE, or still\n"
            "                                    has the hashes of a manifest\n"
            "  gguf-info --list-types\n",
        .epilogue = R"(Any shard of a split model stands for all of it. Several FILEs are a table, a
line each, or with --json an array. Files that break the rules are shown as far
as they can be read; where the header cannot be read to its end, or shards are
missing, the exit code is 1. On a terminal long names and values are cut to its
width (or to COLUMNS); in a pipe names and strings are whole, and --json has
every array in full. GLOB is a pattern of the shell: quote it.

FILE may be compressed (.gguf.zst, .gguf.gz, .gguf.bz2 or .gguf.xz), - for
standard input, or a pipe such as <(command): then it is unpacked into a file
without a name in TMPDIR, or else /var/tmp.
Of a compressed file with a seek table, as gguf-requant writes them, only the
header is unpacked unless --check or an option of tensor data asks for all.

FILE may be on a server: a URL of http or https, or hf:OWNER/REPO/FILE.gguf for
Hugging Face (hf:OWNER/REPO@REVISION/FILE.gguf for another branch than main).
Only the header is fetched, unless --check asks for all, and kept in the cache,
~/.cache/ggufkit. In the environment HF_TOKEN is a token for what is not public,
HF_ENDPOINT another server like it, GGUFKIT_CACHE another folder or off. Where
standard error is no terminal, long work prints a line every GGUFKIT_PROGRESS
seconds (default: 60; 0: none).

Examples:
  gguf-info model-Q4_K_M.gguf
  gguf-info model.gguf --metadata '*rope*'
  gguf-info model.gguf --get 'tokenizer.ggml.tokens[100:110]'
  gguf-info model.gguf --tensors 'blk.0.*' --long
  gguf-info model.gguf --markdown >> README.md           # for a model card
  gguf-info model.gguf --tensors --sort size | head      # the largest tensors
  gguf-info model.gguf --template > template.jinja
  gguf-info *.gguf                                       # one line each
  gguf-info model.gguf --fit 24GiB --ctx 32768           # does it run on that?
  gguf-info model.gguf --gpu 24GiB --gpu 12GiB --kv-type q8_0
  gguf-info model.gguf --header-hex | less               # how GGUF works
  gguf-info model.gguf --html model.html
  gguf-info model.gguf --html model.html --gpu 24GiB --kv-type q8_0
  gguf-info download.gguf --check --strict               # is the file sound?
  gguf-info https://example.org/model.gguf
  gguf-info hf:OWNER/REPO/model-Q4_K_M.gguf --tensors
  gguf-info model-Q4_K_M.gguf --verify model-f16.gguf
  gguf-info model.gguf --check-data                      # any NaN in it?
  gguf-info model.gguf --stats 'blk.*.attn_q.weight'
  gguf-info model.gguf --stats output.weight             # one, with a histogram
  gguf-info model.gguf --peek 'blk.0.attn_q.weight[3,256:32]'
  gguf-info model.gguf --manifest model.sha256           # before an upload;
  gguf-info model.gguf --verify model.sha256             # after a download
  gguf-info model.gguf --json | jq '.tensors[] | select(.type == "F32").name'

Exit codes:
  0    read, and with --check valid, with --verify as it should be
  1    the file could not be read, --check or --verify found faults, or what was
       asked for is not in it
  2    misuse; no argument at all too, which shows some examples
  130  cancelled by Ctrl-C or a request to terminate
)",
        .choices = {{"--hash", hash_names()}},
    };
}

void add_options(CLI::App& app, Options& options) {
    app.add_option("FILE", options.files,
                   "A GGUF file, any shard of a split model, its URL,\nor - for standard input; several for a table");
    const auto section = [&](const char* flag, std::optional<std::string>& value, const char* what) {
        return add_optional_value(app, flag, value, what)->group("Sections");
    };
    section("--metadata", options.metadata, "Every key (that GLOB fits), its type and value")->type_name("[GLOB]");
    section("--tensors", options.tensors, "Every tensor: name, type, shape, offset in the\ndata section, bytes")
        ->type_name("[GLOB]");
    app.add_flag("--layers", options.layers, "Tensors, weights, bytes and bits a weight of\neach layer")
        ->group("Sections");
    app.add_flag("--types", options.types, "The same of each tensor type")->group("Sections");
    app.add_flag("--tokenizer", options.tokenizer,
                 "Its kind, tokens by kind, special tokens, and\nwhether all of it fits together")
        ->group("Sections");
    section("--template", options.chat_template,
            "The chat template as text, or the one of this\nname; --tokenizer lists them")
        ->type_name("[NAME]");
    app.add_flag("--header-hex", options.header_hex, "The header byte by byte, each field explained")
        ->group("Sections");
    app.add_flag("--check", options.check,
                 "Every fault, its place and the rule it breaks;\nexit with 1 where the file is invalid")
        ->group("Sections");
    app.add_option(
           "--get", options.get,
           "Print the value of KEY as it is, with --json as\nJSON; KEY[3] and KEY[3:9] are elements of an\narray")
        ->type_name("KEY")
        ->group("Sections");
    app.add_option("--sort", options.sort,
                   "Of --metadata and --tensors: file (default), name,\nsize (largest first), type or offset")
        ->type_name("ORDER")
        ->check(CLI::IsMember({"file", "name", "size", "type", "offset"}));
    app.add_flag("--long", options.in_full, "More about each tensor, of --tensors and --stats,\nas there is room");
    app.add_flag("--strict", options.strict, "Trailing bytes and non-zero padding are errors");
    app.add_option("--profile", options.profile,
                   "spec: what the format allows (default);\nllama: what llama.cpp will load")
        ->type_name("NAME")
        ->check(CLI::IsMember({"spec", "llama"}));
    app.add_option(
           "--verify", options.source,
           "Compare the tensors of SOURCE with what FILE\nsays it was made from, by gguf-requant\n--provenance; or "
           "FILE with SOURCE, a manifest\nof --manifest, sha256sum or llama-gguf-hash")
        ->type_name("SOURCE");
    auto* const json =
        app.add_flag("--json", options.json, "Print all of it as JSON, whatever the section:\nsee spec/json.md");
    auto* const markdown =
        app.add_flag("--markdown", options.markdown, "Print the summary or sections as Markdown, for a\nmodel card")
            ->excludes(json);
    app.add_option("--html", options.html,
                   "Write a page for a browser: the summary, a map\nof the tensors, the memory it "
                   "takes by length of\ncontext, all keys and tensors; - is standard output")
        ->type_name("FILE")
        ->excludes(markdown);
    app.add_flag("--force", options.force, "Replace FILE of --html, or OUT of --manifest, if it\nexists");
    add_fit_options(app, options.fit);
    add_number_options(app, options.numbers);
    app.add_flag("--list-types", options.list_types, "What this program knows of every tensor type\nand file type");
    keep_modes_apart(app);
    app.callback([&] {
        for (const CLI::Option* option : app.get_options())
            if (option->count() != 0) options.given.push_back(option->get_name());
    });
}

void give_back_file(Options& options) {
    for (auto* value :
         {&options.metadata, &options.tensors, &options.chat_template, &options.numbers.stats, &options.numbers.hash}) {
        if (options.files.empty() && value->has_value() && !value->value().empty())
            options.files.push_back(std::exchange(**value, ""));
    }
}

}  // namespace ggufkit::tool::info
