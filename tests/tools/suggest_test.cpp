// "did you mean …?" for misspelt options, types, keys, tensors and files.
#include <doctest/doctest.h>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

const std::string trained = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";

// The first line of what is said on standard error.
std::string complaint(const std::string& tool, const std::vector<std::string>& arguments, int code) {
    const CommandResult result = run_tool(tool, arguments);
    CHECK(result.exit_code == code);
    CHECK(result.text() == "");
    return result.err.substr(0, result.err.find('\n'));
}

bool ends(const std::string& text, const std::string& end) {
    CAPTURE(text);
    return text.ends_with(end);
}

}  // namespace

TEST_CASE("a misspelt option is named, with the one that is meant") {
    CHECK(complaint("gguf-info", {trained, "--metdata"}, 2) ==
          "gguf-info: unknown option '--metdata' (did you mean --metadata?)");
    CHECK(complaint("gguf-info", {trained, "-metadata"}, 2) ==
          "gguf-info: unknown option '-metadata' (did you mean --metadata?)");
    CHECK(complaint("gguf-info", {trained, "--ctxt=5"}, 2) ==
          "gguf-info: unknown option '--ctxt' (did you mean --ctx?)");
    CHECK(complaint("gguf-requant", {trained, "Q4_0", "--dryrun"}, 2) ==
          "gguf-requant: unknown option '--dryrun' (did you mean --dry-run?)");
    CHECK(complaint("gguf-diff", {trained, trained, "--fuzziness", "3"}, 2) ==
          "gguf-diff: unknown option '--fuzziness'");
    CHECK(complaint("gguf-diff", {"a", "b", "c", "d"}, 2) == "gguf-diff: unexpected argument 'd'");
    CHECK(complaint("gguf-info", {trained, "--tensors", "--sort", "siez"}, 2) ==
          "gguf-info: --sort: 'siez' is not one of file, name, size, type, offset (did you mean size?)");
    CHECK(complaint("gguf-info", {trained, "--hash", "sha265"}, 2) ==
          "gguf-info: --hash: sha265 is no kind of hash (did you mean sha256?); xxh3, sha256, sha1 and xxh64 are");
    CHECK(complaint("gguf-diff", {trained, trained, "--fail-above", "relative_rsme=1"}, 2) ==
          "gguf-diff: --fail-above relative_rsme=1: there is no such metric (did you mean relative_rmse?)");
}

TEST_CASE("a misspelt type is named, with the one that is meant") {
    const TemporaryFolder folder;
    const std::string output = folder / "o.gguf";
    CHECK(complaint("gguf-requant", {trained, output, "Q4_KM"}, 2) ==
          "gguf-requant: 'Q4_KM' is no file type (did you mean Q4_K_M?); --list-types shows what there is");
    CHECK(complaint("gguf-requant", {trained, output, "cpoy"}, 2) ==
          "gguf-requant: 'cpoy' is no file type (did you mean COPY?); --list-types shows what there is");
    CHECK(ends(complaint("gguf-requant", {trained, output, "Q4_K_M", "--output-tensor-type", "Q6K"}, 2),
               "(did you mean Q6_K?)"));
    CHECK(ends(complaint("gguf-requant", {trained, output, "Q4_K_M", "--tensor-type", "ffn_down=Q6K"}, 2),
               "(did you mean Q6_K?)"));
}

TEST_CASE("a misspelt key or tensor is named, with the one that is meant") {
    CHECK(ends(complaint("gguf-info", {trained, "--get", "general.nmae"}, 1), "(did you mean general.name?)"));
    CHECK(
        ends(complaint("gguf-info", {trained, "--get", "context_length"}, 1), "(did you mean llama.context_length?)"));
    CHECK(ends(complaint("gguf-info", {trained, "--get", "tokenizer.ggml.token[3]"}, 1),
               "(did you mean tokenizer.ggml.tokens?)"));
    CHECK(ends(complaint("gguf-info", {trained, "--get", "nothing.like.any.key"}, 1), "is not in this file"));
    CHECK(ends(complaint("gguf-info", {trained, "--peek", "blk.0.atn_q.weight[0]"}, 1),
               "(did you mean blk.0.attn_q.weight?)"));
    CHECK(ends(complaint("gguf-info", {trained, "--stats", "blk.0.attn_q"}, 1), "(did you mean blk.0.attn_q.weight?)"));
    CHECK(ends(complaint("gguf-info", {trained, "--tensors", "token_embed.weight"}, 1),
               "(did you mean token_embd.weight?)"));
}

TEST_CASE("a file that is not there: a near name in its folder is named") {
    const TemporaryFolder folder;
    small_llama().save(folder / "model-Q4_K_M.gguf");
    const std::string meant = "(did you mean " + (folder / "model-Q4_K_M.gguf") + "?)",
                      missing = folder / "model-Q4_KM.gguf";
    CHECK(ends(complaint("gguf-info", {missing}, 1), meant));
    CHECK(ends(complaint("gguf-requant", {missing, "Q8_0"}, 1), meant));
    CHECK(ends(complaint("gguf-diff", {missing, trained}, 2), meant));
    CHECK(ends(complaint("gguf-requant", {trained, folder / "o.gguf", "Q4_K_M", "--imatrix", missing}, 1), meant));
    CHECK(ends(complaint("gguf-info", {folder / "something-else.gguf"}, 1), "No such file or directory"));
}
