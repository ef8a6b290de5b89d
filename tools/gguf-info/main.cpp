// gguf-info: look at a GGUF file.
#include <optional>

#include "common/command_line.hpp"
#include "common/show.hpp"
#include "verify.hpp"
#include "views.hpp"

namespace {

using namespace ggufkit;

const cli::Manual manual{
    .name = "gguf-info",
    .purpose = "what a GGUF model is, what is in it, what is wrong with it",
    .usage =
        "  gguf-info FILE                   a summary on one screen\n"
        "  gguf-info FILE --metadata        every key with its type and value\n"
        "  gguf-info FILE --tensors         every tensor: type, shape, place and size\n"
        "  gguf-info FILE --check           every fault, its place and the rule it breaks\n"
        "  gguf-info FILE --verify SOURCE   whether FILE was made from SOURCE\n",
    .epilogue = R"(Any shard of a split model stands for all of it. Files that break the rules are
shown as far as they can be read. On a terminal long names and values are cut to
its width (or to COLUMNS); in a pipe names and strings are whole, and --json has
every array in full.

FILE may be compressed (.gguf.zst), or - for standard input: then it is unpacked
into a file without a name in TMPDIR, or else /var/tmp. Of a compressed file
with a seek table, as gguf-requant writes them, only the header is unpacked
unless --check asks for all.

Examples:
  gguf-info model-Q4_K_M.gguf
  gguf-info model.gguf --metadata | grep rope
  gguf-info model.gguf --tensors | sort -k5n | tail      # the largest tensors
  gguf-info download.gguf --check --strict               # is the file sound?
  curl -s https://example.org/model.gguf | gguf-info -
  gguf-info model-Q4_K_M.gguf --verify model-f16.gguf
  gguf-info model.gguf --json | jq '.tensors[] | select(.type == "F32").name'

Exit codes:
  0  read, and with --check valid, with --verify made from SOURCE
  1  the file could not be read, or --check or --verify found faults
  2  misuse
)",
};

struct Options {
    std::string file;
    bool metadata = false;
    bool tensors = false;
    bool check = false;
    bool json = false;
    bool strict = false;
    std::optional<std::string> source;
    std::string profile = "spec";
};

int look(const Options& options, cli::Console& console) {
    if (options.source) return info::verify(console, {options.file, *options.source}, options.json);
    const ValidateOptions rules{.profile = options.profile == "llama" ? Profile::llama : Profile::spec,
                                .strict = options.strict};
    const info::Inspection inspection = info::inspect(options.file, rules, !options.check);
    const int code = !inspection.model || (options.check && !inspection.valid()) ? 1 : 0;
    if (options.json) {
        info::print_json(console, inspection);
        return code;
    }
    if (!inspection.model && !options.check) {
        console.error(cli::sentence(options.file, inspection.diagnostics.front().error));
        return code;
    }

    if (!options.metadata && !options.tensors && !options.check) info::print_summary(console, inspection);
    bool first = true;
    const auto section = [&](bool wanted, auto print) {
        if (!wanted) return;
        if (!first) console.out.write("\n");
        first = false;
        print();
    };
    section(options.metadata && inspection.model, [&] { info::print_metadata(console, *inspection.model); });
    section(options.tensors && inspection.model, [&] { info::print_tensors(console, *inspection.model); });
    section(options.check, [&] { info::print_diagnostics(console, inspection, rules.profile); });
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    cli::CommandLine line(manual, 1);
    auto& app = line.app();
    app.add_option("FILE", options.file, "A GGUF file, any shard of a split model, or -\nfor standard input")
        ->required();
    app.add_flag("--metadata", options.metadata, "Print every key, type and value");
    app.add_flag("--tensors", options.tensors,
                 "Print every tensor: name, type, shape,\noffset in the data section, bytes");
    app.add_flag("--check", options.check, "Validate; exit with 1 where the file is invalid");
    app.add_flag("--strict", options.strict, "Trailing bytes and non-zero padding are errors");
    app.add_option("--profile", options.profile,
                   "spec: what the format allows (default);\nllama: what llama.cpp will load")
        ->type_name("NAME")
        ->check(CLI::IsMember({"spec", "llama"}));
    app.add_option("--verify", options.source,
                   "Compare the tensors of SOURCE with what FILE\nsays it was made from, by gguf-requant\n--provenance")
        ->type_name("SOURCE")
        ->excludes("--metadata", "--tensors", "--check");
    app.add_flag("--json", options.json, "Print all of it as JSON: see spec/json.md");
    return line.run(argc, argv, [&](cli::Console& console) { return look(options, console); });
}
