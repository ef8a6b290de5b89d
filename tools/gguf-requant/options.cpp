#include "options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/recipe_file.hpp>
#include <utility>

#include "common/size.hpp"
#include "common/suggest.hpp"
#include "set_kv.hpp"

namespace ggufkit::tool::requant {

Manual manual() {
    return {
        .name = "gguf-requant",
        .purpose = "write a GGUF model in other tensor types",
        .usage =
            "  gguf-requant INPUT [OUTPUT] TYPE [THREADS]\n"
            "  gguf-requant INPUT TYPE:OUTPUT... [THREADS]    several from one read\n"
            "  gguf-requant INPUT [OUTPUT] TYPE --dry-run     show what would be written\n"
            "  gguf-requant INPUT --target-size SIZE          the types that fit it best\n"
            "  gguf-requant INPUT --recipe FILE               the types that FILE says\n"
            "  gguf-requant INPUT TYPE --shm NAME             into memory, as /dev/shm/NAME\n"
            "  gguf-requant --list-types\n",
        .epilogue = R"(TYPE is a file type such as Q4_K_M, in any case, or its number: a mix of tensor
types, chosen for each tensor as llama-quantize chooses. COPY keeps every tensor
as it is. Without OUTPUT the file goes next to INPUT, and TYPE takes the place
of the type in its name: from m-Q8_0.gguf to m-Q4_K_M.gguf. Where OUTPUT is a
folder, it goes there under that name. INPUT may be any shard of a split model.

OUTPUT appears under its name complete and on disk, or not at all: whatever
fails, and on Ctrl-C, no part of it is left behind. Room for all of it is
reserved before work starts. Its bytes do not depend on the number of threads
or on the machine. If a run is killed or loses power, it leaves
OUTPUT.ggufkit-partial and OUTPUT.ggufkit-journal. Run the same command with
--resume to continue, or with --force to start over.

OUTPUT NAME.gguf.zst is compressed on the way; it can be read with zstd -d, and
by these programs as it is. How much room it takes is not known, so none is
reserved. OUTPUT - is standard output. INPUT may be compressed (.gguf.zst,
.gguf.gz, .gguf.bz2 or .gguf.xz), or - for standard input: it is then unpacked
into a file without a name in TMPDIR, or else /var/tmp.

INPUT may be on a server: a URL of http or https, or hf:OWNER/REPO/FILE.gguf for
Hugging Face (hf:OWNER/REPO@REVISION/FILE.gguf for another branch than main). It
is fetched into such a file; --dry-run fetches the header alone. Without OUTPUT
the file goes into the current folder. In the environment HF_TOKEN is a token
for what is not public, HF_ENDPOINT another server like it, and GGUFKIT_CACHE
another folder than ~/.cache/ggufkit for headers, or off.

With --shm the output is a file in memory, /dev/shm/NAME, which any number of
programs can map like one on disk. It stays until it is removed (by --shm-remove
NAME, or rm /dev/shm/NAME) or the machine restarts. Processes that want the
same file share the work: one makes it, the others wait, and where it dies the
next one goes on. Where NAME is there already, of the same input and made in the
same way, that is said and nothing is done.

With a target (--target-size and others) TYPE is left out: some rows of each
tensor are quantized to every type, and of all choices that fit the one is taken
that loses least. An --imatrix makes it much better. Types that other flags give
are kept. OUTPUT is named after the target, m-22GiB.gguf, or after the recipe.
Where TYPE is given all the same, it is what the file says that it is
(general.file_type), else that is the type of the nearest size. What was chosen
can be kept and changed:
  gguf-requant m-f16.gguf --target-size 4G --dry-run --save-recipe m.recipe
  gguf-requant m-f16.gguf --recipe m.recipe

Where standard error is no terminal, long work prints a line of progress every
GGUFKIT_PROGRESS seconds (default: 60; 0: none).

The environment variable GGUFKIT_SIMD makes the work use another instruction set
than the best one that the CPU has: avx512, avx2, sse4, neon or scalar. All of
them write the same bytes.

Examples:
  gguf-requant m-Q8_0.gguf Q4_K_M
  gguf-requant m-f16.gguf m-small.gguf IQ4_XS --dry-run
  gguf-requant m-f16.gguf Q4_K_M:m4.gguf Q6_K:m6.gguf
  gguf-requant m-f16.gguf Q3_K_M --report m-Q3_K_M.html
  gguf-requant m-f16.gguf --target-device 24GiB --ctx 8192
  gguf-requant big-f16.gguf Q4_K_M --resume
  gguf-requant m-f16.gguf.zst m-Q4_K_M.gguf.zst Q4_K_M
  gguf-requant hf:OWNER/REPO/m-f16.gguf Q4_K_M --dry-run
  gguf-requant m-f16.gguf - Q4_K_M | ssh host 'cat > m-Q4_K_M.gguf'
  gguf-requant m-f16.gguf Q4_K_M --shm m && llama-cli -m /dev/shm/m
  gguf-requant m-00001-of-00003.gguf m.gguf COPY      the shards in one file

Exit codes:
  0    done
  1    the input is invalid, the plan cannot be carried out, or the work failed
  2    misuse
  130  cancelled by Ctrl-C or a request to terminate; nothing was written, or
       with --resume what was done is kept for the next time
)",
        .examples = {{"Types", "gguf-requant m-f16.gguf Q4_K_M --tensor-type 'ffn_down=Q6_K'"},
                     {"Target", "gguf-requant m.gguf --target-size 4.2GiB --imatrix m.imatrix.gguf"},
                     {"Importance", "gguf-requant m-f16.gguf IQ3_M --imatrix m.imatrix.gguf"},
                     {"Model", "gguf-requant m-f16.gguf Q6_K --prune-layers 20-23"},
                     {"Output", "gguf-requant m-f16.gguf Q8_0 --split-max-size 4G"},
                     {"Work", "gguf-requant m-f16.gguf Q6_K --dry-run --json | jq .bytes_out"}},
    };
}

namespace {

void add_types(CLI::App& app, Options& options) {
    const auto group = [](CLI::Option* option) { return option->group("Types"); };
    group(app.add_option("--tensor-type", options.tensor_types,
                         "Use TYPE for tensors whose name REGEX (as in\nECMAScript) is found in; the first match "
                         "wins.\nWhat fits no "
                         "tensor is noted"))
        ->type_name("REGEX=TYPE")
        ->allow_extra_args(false);
    group(app.add_option("--tensor-type-file", options.tensor_type_file,
                         "More of these, parted by blanks or lines;\n# begins a comment"))
        ->type_name("FILE");
    group(app.add_option("--output-tensor-type", options.output_tensor_type, "The type of output.weight"))
        ->type_name("TYPE");
    group(app.add_option("--token-embedding-type", options.token_embedding_type, "The type of the token embeddings"))
        ->type_name("TYPE");
    group(app.add_flag("--leave-output-tensor", options.leave_output_tensor, "Copy output.weight as it is"));
    group(app.add_flag("--pure", options.pure, "The file type's main type everywhere, no mix"));
    group(app.add_flag("--allow-requantize", options.allow_requantize,
                       "Has no effect: quantized sources are always\nallowed. For command lines of llama-quantize"));
}

void add_target(CLI::App& app, Options& options) {
    const auto group = [](CLI::Option* option) { return option->group("Target"); };
    auto* const size = group(app.add_option(
        "--target-size", options.target_size,
        "Choose the type of each tensor so that OUTPUT has\nat most SIZE (22GiB, 7.5G, 900M) and loses least;\nTYPE "
        "may be left out"));
    auto* const bpw = group(
        app.add_option("--target-bpw", options.target_bpw, "The same for an average number of bits a weight,\nas 4.5"));
    auto* const device = group(app.add_option(
        "--target-device", options.target_device,
        "The same for a memory of SIZE into which OUTPUT,\nits KV cache and the buffers of llama.cpp must fit"));
    size->type_name("SIZE")->excludes(bpw)->excludes(device);
    bpw->type_name("BITS")->excludes(device);
    device->type_name("SIZE");
    group(app.add_option(
              "--ctx", options.ctx,
              "For how many tokens of context, as 8192 or 8k,\n--target-device keeps room (default: as many as "
              "the\nmodel was trained for)"))
        ->type_name("N")
        ->transform(plain_count)
        ->check(check_count)
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
        ->needs(device);
    group(app.add_option(
              "--recipe", options.recipe,
              "Types from a file of --save-recipe: a row\nREGEX=TYPE for each tensor, and the file_type,\nwhich "
              "TYPE overrides. With a target only what\nno row matches is chosen"))
        ->type_name("FILE");
    group(app.add_option(
              "--save-recipe", options.save_recipe,
              "Write the type of every tensor, and why, to FILE,\nto keep, edit and give back with --recipe;\n- "
              "is standard output, in place of other words"))
        ->type_name("FILE");
}

void add_importance(CLI::App& app, Options& options) {
    const auto group = [](CLI::Option* option) { return option->group("Importance"); };
    auto* const imatrix =
        group(app.add_option("--imatrix", options.imatrix,
                             "Weigh errors by this importance matrix, a file\nof llama-imatrix; some types need one"));
    imatrix->type_name("FILE");
    auto* const include = group(app.add_option("--include-weights", options.include_weights,
                                               "Use it only for tensors whose name contains\nNAME; may be repeated"));
    auto* const exclude = group(app.add_option("--exclude-weights", options.exclude_weights,
                                               "Do not use it for tensors whose name contains\nNAME; may be repeated"));
    for (auto* const option : {include, exclude}) {
        option->type_name("NAME")->allow_extra_args(false)->needs(imatrix);
    }
    include->excludes(exclude);
    group(app.add_option("--imatrix-missing", options.imatrix_missing,
                         "error (default) or warn: whether tensors that\nneed what the imatrix lacks stop the work or\n"
                         "are made without"))
        ->type_name("HOW")
        ->check(CLI::IsMember({"error", "warn"}));
}

void add_model(CLI::App& app, Options& options) {
    app.add_option("--prune-layers", options.prune_layers,
                   "Leave out these layers, as 3,5-7 (counted from\n0), and number the others anew")
        ->type_name("LAYERS")
        ->group("Model");
    const auto edit = [&](std::string flag, std::vector<std::string>& values, std::string help) {
        return app.add_option(std::move(flag), values, std::move(help))->allow_extra_args(false)->group("Model");
    };
    edit("--override-kv", options.override_kv,
         "Set a key of the metadata; TYPE is int, float,\nbool or str, as in 'general.name=str:Mine', and\nmust suit "
         "the "
         "key. May be repeated")
        ->type_name("KEY=TYPE:VALUE");
    edit("--set-kv", options.set_kv,
         "Set a key to a value of any GGUF type: u8, i8 to\nf64, bool, str; [TYPE] for an array in JSON, as in\n"
         "'general.tags=[str]:[\"chat\"]'; token for the id\nof the token with this text. VALUE may be @FILE:\nits "
         "bytes for str, [u8] and [i8], else its text.\nMay be repeated")
        ->type_name("KEY=TYPE:VALUE");
    edit("--remove-kv", options.remove_kv,
         "Leave out the keys of INPUT that GLOB fits, as\n'tokenizer.*', before others are set. May be\nrepeated")
        ->type_name("GLOB");
    app.add_option("--byte-order", options.byte_order,
                   "little or big: the byte order of OUTPUT (default:\nthat of INPUT)")
        ->type_name("ORDER")
        ->check(CLI::IsMember({"little", "big"}))
        ->group("Model");
}

void add_output(CLI::App& app, Options& options) {
    const auto group = [](CLI::Option* option) { return option->group("Output"); };
    auto* const size = group(
        app.add_option("--split-max-size", options.split_max_size,
                       "Write shards NAME-00001-of-00003.gguf with no\nmore tensor data each than 4G, 500M, 2GiB"));
    size->type_name("SIZE");
    auto* const tensors = group(
        app.add_option("--split-max-tensors", options.split_max_tensors, "Write shards with no more tensors each"));
    tensors->type_name("N")->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32));
    group(app.add_flag("--keep-split", options.keep_split, "Write a shard for each shard of INPUT"))
        ->excludes(size)
        ->excludes(tensors);
    group(app.add_option(
              "--zstd-level", options.zstd_level,
              "How hard to compress, from 1 to 19, an OUTPUT\nthat ends in .zst (default: 3) or is -. Weights\n"
              "become little smaller by more than 3"))
        ->type_name("N")
        ->check(CLI::Range(1, most_zstd_level));
    group(app.add_option(
              "--report", options.reports,
              "Write what the work cost in quality, tensor by\ntensor, to FILE.html for a browser or FILE.json\nfor "
              "programs; of several outputs one each:\nFILE-OUTPUT.html. - is JSON on standard output"))
        ->type_name("FILE")
        ->allow_extra_args(false);
    group(app.add_flag(
        "--provenance", options.provenance,
        "Write into OUTPUT what it was made from and how:\nthe digests of all of INPUT's tensors, which is\n"
        "read twice for it; gguf-info --verify checks it"));
    group(app.add_option("--shm", options.shm, "Make /dev/shm/NAME, in memory, in place of OUTPUT"))->type_name("NAME");
    group(app.add_option("--shm-remove", options.shm_remove, "Remove what --shm NAME made, or began to make"))
        ->type_name("NAME");
    group(app.add_flag("--force", options.force,
                       "Replace OUTPUT, NAME, a report or a recipe that\nexists, never a file that is read; throw away "
                       "what\nan interrupted run left"));
}

void add_work(CLI::App& app, Options& options) {
    const auto group = [](CLI::Option* option) { return option->group("Work"); };
    group(app.add_option("--effort", options.effort,
                         "How long to search for the closest blocks:\nfast, default or max. It changes the bytes,\n"
                         "not the types or sizes"))
        ->type_name("HOW");
    group(app.add_option("--threads", options.threads, "How many threads work\n(default: one for each CPU)"))
        ->type_name("N");
    group(app.add_flag("--dry-run", options.dry_run,
                       "Print every tensor's new type and the exact\nsize; write nothing. In models of up to 1 GiB "
                       "on\ndisk, values too large for a type are found too"));
    group(app.add_flag("--resume", options.resume,
                       "Go on with what an interrupted run left; keep\nwhat is done when interrupted"));
    group(app.add_option("--max-buffer-size", options.max_buffer_size,
                         "Has no effect: memory does not grow with the\nmodel. For command lines of llama-quantize"))
        ->type_name("SIZE");
    group(app.add_option("--checkpoint", options.checkpoint,
                         "How often what is done is made durable, for\n--resume (default: every 2 seconds)"))
        ->type_name("SECONDS")
        ->check(CLI::Range(0.001, 86400.0));
    group(app.add_flag("--json", options.json, "Print plan and outcome as JSON: see spec/json.md"));
    group(app.add_flag("--list-types", options.list_types, "Print the file types"));
}

// Gives `target` what `read` makes of a text, where there is one.
template <class Text, class Target, class Read>
Result<void> set(const Text& text, Target& target, const Read& read) {
    if (!text) return {};
    auto value = read(*text);
    if (!value) return fail(std::move(value).error());
    target = *std::move(value);
    return {};
}

// The same for texts that come more than once.
template <class Target, class Read>
Result<void> append(const std::vector<std::string>& texts, std::vector<Target>& targets, const Read& read) {
    for (const std::string& text : texts) {
        auto value = read(text);
        if (!value) return fail(std::move(value).error());
        targets.push_back(*std::move(value));
    }
    return {};
}

// Names the type that may be meant.
Error with_near_type(std::string_view type, Error error) {
    const bool is_another = find_file_type(type) != nullptr || find_format(type) != nullptr;  // the error says of what
    if (!is_another && !parse_weight_type(type)) error.detail += did_you_mean_type(type);
    return error;
}

Result<TensorType> read_weight_type(std::string_view text) {
    return parse_weight_type(text).map_error([&](Error error) { return with_near_type(text, std::move(error)); });
}

Result<TypeOverride> read_tensor_type(std::string_view text) {
    return parse_override(text).map_error(
        [&](Error error) { return with_near_type(text.substr(text.rfind('=') + 1), std::move(error)); });
}

Result<RecipeFile> read_recipe(const std::string& file) {
    return read_recipe_file(file).map_error([&](Error error) { return with_near_file(file, std::move(error)); });
}

Result<std::vector<TypeOverride>> read_tensor_types(const std::string& file) {
    auto read = read_recipe(file);
    if (!read) return fail(std::move(read).error());
    if (read->file_type == nullptr) return std::move(read->overrides);
    return fail({.code = Errc::bad_argument,
                 .subject = file,
                 .detail = "gives a file_type: it is for --recipe, not --tensor-type-file"});
}

// A NAME that is found in no entry is most likely a slip.
void note_strangers(const Console& console, std::string_view flag, const std::vector<std::string>& names,
                    const Imatrix& imatrix) {
    for (const std::string& name : names) {
        const auto has_it = [&](const Imatrix::Entry& entry) { return entry.tensor.find(name) != name.npos; };
        if (std::ranges::any_of(imatrix.entries(), has_it)) continue;
        console.error(fmt::format("note: {} '{}' fits no entry of the imatrix", flag, name));
    }
}

}  // namespace

std::map<std::string, std::vector<std::string>> choices() {
    std::vector<std::string> files{std::string(type_name(nullptr))}, weights, efforts;
    for (const FileType& type : file_types()) files.emplace_back(type.name);
    for (const FormatInfo& format : formats()) {
        if (parse_weight_type(format.name)) weights.emplace_back(format.name);
    }
    for (const Effort effort : {Effort::fast, Effort::normal, Effort::max}) efforts.emplace_back(name(effort));
    return {{"ARGUMENTS", std::move(files)}, {"TYPE", std::move(weights)}, {"--effort", std::move(efforts)}};
}

void add_options(CLI::App& app, Options& options) {
    app.add_option("ARGUMENTS", options.positionals, "INPUT [OUTPUT] TYPE [THREADS]")->group("");
    add_types(app, options);
    add_target(app, options);
    add_importance(app, options);
    add_model(app, options);
    add_output(app, options);
    add_work(app, options);
    // What asks for other work than a model has no use for the rest.
    for (CLI::Option* const alone : {app.get_option("--list-types"), app.get_option("--shm-remove")}) {
        for (CLI::Option* option : app.get_options()) {
            if (option != alone && !option->get_positional()) alone->excludes(option);
        }
    }
}

Result<Recipe> recipe_of(const Options& options) {
    Recipe recipe;
    Mix mix{.pure = options.pure,
            .leave_output = options.leave_output_tensor,
            .imatrix_gaps_allowed = options.imatrix_missing == "warn"};
    SplitLimits limits{.max_tensors = options.split_max_tensors.value_or(0)};
    std::vector<TypeOverride> from_file;
    RecipeFile kept;
    const auto effort = std::optional(options.effort);
    auto read =
        append(options.tensor_types, mix.overrides, read_tensor_type)
            .and_then([&] { return set(options.tensor_type_file, from_file, read_tensor_types); })
            .and_then([&] { return set(options.recipe, kept, read_recipe); })
            .and_then([&] { return set(options.output_tensor_type, mix.output_type, read_weight_type); })
            .and_then([&] { return set(options.token_embedding_type, mix.token_embedding_type, read_weight_type); })
            .and_then([&] { return set(options.prune_layers, recipe.pruned_layers, read_layers); })
            .and_then([&] { return append(options.override_kv, recipe.metadata, read_key_override); })
            .and_then([&] { return append(options.set_kv, recipe.metadata, read_set_kv); })
            .and_then([&] { return set(options.split_max_size, limits.max_bytes, read_size); })
            .and_then([&] { return set(effort, recipe.effort, read_effort); });
    if (!read) return fail(std::move(read).error());
    for (std::vector<TypeOverride>* rows : {&from_file, &kept.overrides}) {
        mix.overrides.insert(mix.overrides.end(), std::make_move_iterator(rows->begin()),
                             std::make_move_iterator(rows->end()));
    }
    mix.file_type = kept.file_type;
    recipe.types = std::move(mix);
    recipe.split = options.keep_split ? Split(SplitAsSource()) : limits;
    recipe.removed_keys = options.remove_kv;
    if (options.byte_order) recipe.byte_order = *options.byte_order == "big" ? ByteOrder::big : ByteOrder::little;
    return recipe;
}

Result<Recipe> recipe_for(const Request::Wanted& output, Recipe recipe) {
    Mix& mix = *recipe.mix();
    if (!output.copy) {
        mix.file_type = output.file_type;
        return recipe;
    }
    const auto refuse = [](std::string_view why) {
        return fail({.code = Errc::bad_argument, .detail = fmt::format("a copy keeps every tensor as it is: {}", why)});
    };
    const bool chooses =
        mix.pure || mix.leave_output || mix.output_type || mix.token_embedding_type || !mix.overrides.empty();
    if (chooses) return refuse("no type can be chosen");
    if (mix.imatrix != nullptr) return refuse("it needs no imatrix");
    recipe.types = Copy{};
    return recipe;
}

Result<std::optional<Imatrix>> imatrix_of(const Options& options, const Console& console) {
    if (!options.imatrix) return std::nullopt;
    auto imatrix = Imatrix::open(*options.imatrix);
    if (!imatrix) return fail(with_near_file(*options.imatrix, std::move(imatrix).error()));
    note_strangers(console, "--include-weights", options.include_weights, *imatrix);
    note_strangers(console, "--exclude-weights", options.exclude_weights, *imatrix);
    if (!options.include_weights.empty()) imatrix = (*std::move(imatrix)).including(options.include_weights);
    if (!options.exclude_weights.empty()) imatrix = (*std::move(imatrix)).excluding(options.exclude_weights);
    if (!imatrix->entries().empty()) return *std::move(imatrix);
    if (options.include_weights.empty() && options.exclude_weights.empty()) {
        return fail({.code = Errc::bad_argument,
                     .subject = *options.imatrix,
                     .detail = "all its counts are 0: the calibration text reached no tensor"});
    }
    return fail({.code = Errc::bad_argument,
                 .subject = *options.imatrix,
                 .detail = "has no entry that --include-weights or --exclude-weights leave"});
}

}  // namespace ggufkit::tool::requant
