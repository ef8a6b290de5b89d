#include "options.hpp"

#include <CLI/CLI.hpp>

#include "limits.hpp"

namespace ggufkit::tool::diff {

namespace {

void add_patch_options(CLI::App& app, PatchRequest& request) {
    constexpr const char* group = "Patches";
    const auto make = app.add_option("--patch", request.make, "Write PATCH, which makes B of A; - is standard\noutput")
                          ->type_name("PATCH")
                          ->group(group);
    app.add_option("--apply", request.apply,
                   "Make B of A by PATCH; B is written whole and\nchecked, or not at all; - is standard output")
        ->type_name("PATCH")
        ->excludes(make)
        ->group(group);
    app.add_flag("--in-place", request.in_place,
                 "With --apply: turn A itself into what the\npatch makes, where nothing in it has to move;\n"
                 "kill it at any moment and run it again")
        ->group(group);
    app.add_option("--zstd-level", request.zstd_level, "Of what a patch holds: 1 to 19 (default: 3)")
        ->type_name("N")
        ->check(CLI::Range(1, most_zstd_level))
        ->needs(make)
        ->group(group);
}

}  // namespace

Manual manual() {
    return {
        .name = "gguf-diff",
        .purpose = "what really differs between two GGUF models: keys, structure, values",
        .usage =
            "  gguf-diff A B                             what differs, worst first\n"
            "  gguf-diff BASE A B                        which of two is nearer to their base\n"
            "  gguf-diff OLD NEW --patch PATCH           a small file that makes NEW of OLD\n"
            "  gguf-diff --apply PATCH OLD NEW           NEW again, byte for byte\n"
            "  gguf-diff --apply PATCH FILE --in-place\n",
        .epilogue = R"(Models are compared, not files: split or not, version, byte order, alignment and
the order of keys and tensors make no difference. Any shard of a split model
stands for all of it. Lines begin with - for what only A has, + for what only B
has, ~ for what both have and differs, and > for a tensor that has another name.

Weights are compared as they decode, whatever their types. With w from A, v from
B and e = v - w, ERROR is the relative error, sqrt(sum e² / sum w²): 0 is the
same, 100 % an error as large as the weights. SQNR is the same in decibels.
WEIGHTED is the error with every column weighted by an importance matrix. MAX is
the greatest |e|, AT its weight (column, row); BIAS the mean of e in units of
the root mean square of w; EQUAL the share of weights that are the same. Totals
are of all tensors that both have, the equal ones too. Pairs of which one is
infinite or no number are in no sum, but counted. Factors that a file keeps in
NAME.scale, as NVFP4 files do, are multiplied into the weights.

Models made with an importance matrix are best judged with it: pass it as
--imatrix. Without it, errors weigh all columns alike, and a note says so.

Of three models the weights decide. Keys of A or B that are not as in BASE are
shown, but for those that every quantization changes, as general.file_type.

Any file may be compressed (.gguf.zst, .gguf.gz, .gguf.bz2 or .gguf.xz), and one
of them - for standard input: then it is unpacked into a file without a name in
TMPDIR, or else /var/tmp. Any may be a URL or hf:OWNER/REPO/FILE.gguf (gguf-info
--help says more): of it the header is fetched, and the data of those tensors
that have to be compared; with --sample, of large ones, no more than parts.

Examples:
  gguf-diff model-f16.gguf model-Q8_0.gguf
  gguf-diff model-f16.gguf model-Q4_K_M.gguf --imatrix model.imatrix.gguf
  gguf-diff m-f16.gguf mine-Q4_K_M.gguf theirs-Q4_K_M.gguf --html duel.html
  gguf-diff a.gguf b.gguf --ignore 'general.*' --brief && echo the same
  gguf-diff original.gguf shards-00001-of-00004.gguf && echo the same
  gguf-diff m-f16.gguf m-Q6_K.gguf --fail-above relative_rmse=0.03
  gguf-requant m.gguf - Q4_K_M | gguf-diff m-Q4_K_M.gguf -
  gguf-diff hf:OWNER/REPO/m-Q4_K_M.gguf m-Q4_K_M.gguf   # is mine still theirs?
  gguf-diff a.gguf b.gguf --json | jq '.tensors[].name'
  gguf-diff model.gguf model-fixed-template.gguf --patch fix.ggufpatch
  gguf-diff --apply fix.ggufpatch model.gguf model-fixed-template.gguf

Exit codes:
  0  the same; of three models: A and B hold the weights of BASE, whatever their
     keys; with --fail-above: nothing is above, and all could be compared; with
     --patch and --apply: done
  1  different
  2  trouble: misuse, or a file that could not be read
  130  cancelled by Ctrl-C or a request to terminate
)",
        .examples = {{"What counts", "gguf-diff a.gguf b.gguf --ignore 'tokenizer.*' --tolerance 1e-6"},
                     {"Output", "gguf-diff f16.gguf Q4_K_M.gguf --html diff.html"}},
        .choices = {{"--fail-above", metric_beginnings()}},
    };
}

void add_options(CLI::App& app, Options& options) {
    app.add_option("A", options.a, "A GGUF file, any shard of a split model, its URL,\nor - for standard input");
    app.add_option("B", options.b, "The one to compare it with");
    app.add_option("C", options.c, "Where there are three, the first is the base\nof the other two");

    const auto counts = [](CLI::Option* option) { return option->group("What counts"); };
    counts(app.add_option("--ignore", options.ignored_keys, "Leave out keys that GLOB fits, as 'general.*'"))
        ->type_name("KEY-GLOB")
        ->allow_extra_args(false);
    counts(app.add_option("--tolerance", options.tolerance,
                          "Floats in metadata are equal where they differ\nby no more than this share"))
        ->type_name("SHARE")
        ->check(CLI::Range(0.0, 1.0));
    counts(app.add_option("--imatrix", options.imatrix, "Weigh errors by this importance matrix too"))
        ->type_name("FILE");
    counts(app.add_option("--sample", options.sample,
                          "A first look: N runs of 2048 weights of each\ntensor; errors come with what they are with\n"
                          "95 % confidence. 64 is a good start"))
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{2}, std::uint64_t{1} << 40));
    counts(app.add_option("--fail-above", options.fail_above,
                          "Exit with 1 only where a tensor is above this,\nor could not be compared; of three models "
                          "both\nare held to it. METRIC is one of\n" +
                              metric_names()))
        ->type_name("METRIC=VALUE")
        ->allow_extra_args(false);

    const auto output = [](CLI::Option* option) { return option->group("Output"); };
    auto* const brief = output(app.add_flag("--brief", options.brief,
                                            "Only say whether they differ, and in what; of\nthree models, which is "
                                            "nearer and by how much,\nand which keys are not as in the base"));
    auto* const all = output(app.add_flag("--all", options.all, "Show every tensor and all of every long value"));
    auto* const blocks = output(
        app.add_flag("--blocks", options.blocks,
                     "Spell out the first blocks that differ, of the\nworst tensors of one type: scale, min, codes"));
    auto* const json = output(app.add_flag("--json", options.json, "Print the differences as JSON: see spec/json.md"));
    output(app.add_option("--html", options.html,
                          "Write a page with charts as well; - is standard\noutput, in place of the text"))
        ->type_name("FILE");
    output(app.add_flag("--force", options.force, "Replace a page, a patch or a B of --apply that\nis there"));
    brief->excludes(json)->excludes(all)->excludes(blocks);
    all->excludes(json);                           // which has all of it
    blocks->excludes(app.get_option("--sample"));  // bytes are not compared then
    app.add_option("--threads", options.threads, "How many threads read and compare\n(default: one for each CPU)")
        ->type_name("N")
        ->check(CLI::Range(1u, most_threads));
    add_patch_options(app, options.patch);
}

}  // namespace ggufkit::tool::diff
