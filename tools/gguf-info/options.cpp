#include "options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "core/text.hpp"

namespace ggufkit::tool::info {

namespace {

// A file is looked at in one of these ways: its header, the memory it takes, its data, or beside another file. What belongs
// to different ways does not go together.
void keep_ways_apart(CLI::App& app) {
    using Way = std::vector<CLI::Option*>;
    const auto named = [&](std::initializer_list<std::string> flags) {
        Way way;
        for (const std::string& flag : flags) way.push_back(app.get_option(flag));
        return way;
    };
    Way header = app.get_options([](const CLI::Option* option) { return option->get_group() == "Sections"; });
    for (CLI::Option* more : named({"--markdown", "--check-data"})) header.push_back(more);
    const Way ways[] = {std::move(header), named({"--fit", "--gpu"}),
                        named({"--stats", "--peek", "--hash", "--manifest"}), named({"--verify"})};
    for (const Way& one : ways) {
        for (const Way& other : ways) {
            for (CLI::Option* a : one)
                for (CLI::Option* b : other)
                    if (&one != &other) a->excludes(b);
        }
    }
    CLI::Option* const get = app.get_option("--get");  // its value is all that is printed
    for (CLI::Option* section : ways[0])
        if (section != get) section->excludes(get);
    for (CLI::Option* option : named({"--get", "--stats", "--peek", "--hash", "--manifest", "--verify"}))
        option->excludes(app.get_option("--html"));
    app.get_option("--markdown")->excludes(app.get_option("--html"));
    CLI::Option* const list = app.get_option("--list-types");  // of no file, and as a table
    for (CLI::Option* option : app.get_options())
        if (option != list && option != app.get_option("--markdown")) list->excludes(option);
}

bool any_section(const Options& o) {
    return o.metadata || o.tensors || o.layers || o.types || o.tokenizer || o.chat_template || o.header_hex || o.check;
}

// What does not go with several files.
std::string misuse_of_several(const Options& o) {
    const bool section =
        o.metadata || o.tensors || o.layers || o.types || o.tokenizer || o.chat_template || o.header_hex;
    if (section || o.get || o.sort || o.in_full || o.fit.wanted() || o.source || o.numbers.any() ||
        o.numbers.check_data || !o.html.empty()) {
        return fmt::format(
            "several files are shown as a table, with --json, --markdown, --check, --strict and --profile at most; "
            "'{}' is the second",
            printable(o.files[1]));
    }
    if (std::ranges::count(o.files, "-") > 1) return "only one of the files can be standard input";
    return {};
}

// Whether it is shown what is wrong with the file.
bool judges(const Options& o) {
    if (!o.html.empty() || o.check || o.numbers.check_data) return true;
    if (o.source || o.numbers.any() || o.fit.wanted() || o.get) return false;
    return o.json || !any_section(o);
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
    const auto optional_value = [&](const char* flag, std::optional<std::string>& value, const char* what) {
        return app
            .add_option_function<std::vector<std::string>>(
                flag, [&value](const std::vector<std::string>& given) { value = given.empty() ? "" : given.front(); },
                what)
            ->expected(0, 1)
            ->allow_extra_args(false)  // `--tensors 'blk.0.*' FILE`
            ->group("Sections");
    };
    const auto pattern = [&](const char* flag, std::optional<std::string>& value, const char* what) {
        optional_value(flag, value, what)->type_name("[GLOB]");
    };
    pattern("--metadata", options.metadata, "Every key (that GLOB fits), its type and value");
    pattern("--tensors", options.tensors, "Every tensor: name, type, shape, offset in the\ndata section, bytes");
    app.add_flag("--layers", options.layers, "Tensors, weights, bytes and bits a weight of\neach layer")
        ->group("Sections");
    app.add_flag("--types", options.types, "The same of each tensor type")->group("Sections");
    app.add_flag("--tokenizer", options.tokenizer,
                 "Its kind, tokens by kind, special tokens, and\nwhether all of it fits together")
        ->group("Sections");
    optional_value("--template", options.chat_template,
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
    app.add_flag("--markdown", options.markdown, "Print the summary or sections as Markdown, for a\nmodel card")
        ->excludes(json);
    app.add_option("--html", options.html,
                   "Write a page for a browser: the summary, a map\nof the tensors, the memory it "
                   "takes by length of\ncontext, all keys and tensors; - is standard output")
        ->type_name("FILE");
    app.add_flag("--force", options.force, "Replace FILE of --html, or OUT of --manifest, if it\nexists");
    add_fit_options(app, options.fit);
    add_number_options(app, options.numbers);
    app.add_flag("--list-types", options.list_types, "What this program knows of every tensor type\nand file type");
    keep_ways_apart(app);
}

void give_back_file(Options& options) {
    for (auto* value :
         {&options.metadata, &options.tensors, &options.chat_template, &options.numbers.stats, &options.numbers.hash}) {
        if (options.files.empty() && value->has_value() && !value->value().empty())
            options.files.push_back(std::exchange(**value, ""));
    }
}

std::string misuse(const Options& options) {
    if (options.files.empty()) return "FILE is missing";
    if (options.files.size() > 1) return misuse_of_several(options);
    const bool glob = !options.metadata.value_or("").empty() || !options.tensors.value_or("").empty();
    if (options.json && (glob || options.sort || (options.in_full && !options.numbers.stats))) {
        return "--json prints all of the file as it is: a GLOB of a section, --sort and --long do not go with it";
    }
    if (options.force && options.html.empty() && options.numbers.manifest.empty()) {
        return "--force is for --html and --manifest";
    }
    if (options.html == "-" && (options.json || any_section(options))) {
        return "--html - takes standard output: sections and --json do not go with it";
    }
    if (options.sort && !options.metadata && !options.tensors) return "--sort is for --metadata and --tensors";
    if (options.in_full && !options.tensors && !options.numbers.stats) return "--long is for --tensors and --stats";
    if ((options.strict || options.profile) && !judges(options)) {
        return "--strict and --profile are for what shows faults: the summary, --check, --check-data, --json and "
               "--html";
    }
    if (options.json && options.numbers.manifest == "-") {
        return "--manifest - takes standard output: --json does not go with it";
    }
    return options.numbers.any() ? misuse(options.numbers) : "";
}

}  // namespace ggufkit::tool::info
