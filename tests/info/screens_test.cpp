// gguf-info's screens, whole, on models and broken files made here.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// The screen without the folder of the file.
std::string screen(const TemporaryFolder& folder, std::vector<std::string> arguments, int columns, int code = 0) {
    arguments.front() = folder / arguments.front();
    const CommandResult result = run_tool("gguf-info", arguments, columns);
    CHECK(result.exit_code == code);
    CHECK(result.err == "");
    std::string text = result.text();
    const std::string path = folder.path().string() + "/";
    for (std::size_t at; (at = text.find(path)) != text.npos;) text.erase(at, path.size());
    return "\n" + text;
}

// Two overlapping tensors, one with a type that nobody knows, a key twice.
Bytes broken_file() {
    Bytes file(little_v3, 3, 2);
    file.entry("general.name", "one");
    file.entry("general.name", "two");
    file.tensor({.name = "a", .ne = {64}});
    file.tensor({.name = "b", .ne = {64}, .offset = 128});
    file.tensor({.name = "c", .ne = {32}, .type = static_cast<TensorType>(77), .offset = 384});
    return file.pad().fill(384 + 128);
}

}  // namespace

TEST_CASE("the summary shows what a model is") {
    const TemporaryFolder folder;
    small_llama().save(folder / "small.gguf");
    CHECK(screen(folder, {"small.gguf"}, 80) == R"(
small.gguf

  name           Small Llama
  architecture   llama
  parameters     429.1 K (429,056) in 9 tensors
  file type      Q4_K_M, 4.85 bits a weight
  size           255.5 KiB (261,600 bytes)
  container      GGUF v3, little-endian, alignment 32
  context        4,096
  embedding      256; feed-forward 512
  layers         2
  heads          8; 2 for keys and values (GQA)
  vocabulary     10 tokens, SentencePiece BPE (llama)
  chat template  yes, 81 bytes
  licence        mit

  TYPE  TENSORS       SIZE   SHARE
  Q4_K        4  216.0 KiB  85.0 %  ██████████████████████████
  Q8_0        2   34.0 KiB  13.4 %  ████
  Q6_K        1   2.05 KiB   0.8 %
  F32         2   2.00 KiB   0.8 %

  problems       none
)");
}

TEST_CASE("the summaries of real files") {
    const std::string data = GGUFKIT_TEST_DATA;
    const auto after_path = [](const CommandResult& result) {
        const std::string text = result.text();
        return text.substr(std::min(text.size(), text.find('\n')));
    };
    CHECK(after_path(run_tool("gguf-info", {data + "/tiny-llama-Q8_0.gguf"})) == R"(

  name           Tiny Llama
  architecture   llama
  parameters     5.25 M (5,246,208) in 57 tensors
  file type      Q8_0, 8.51 bits a weight
  size           5.35 MiB (5,614,304 bytes)
  container      GGUF v3, little-endian, alignment 32
  context        256
  embedding      256; feed-forward 768
  layers         6
  heads          8; 4 for keys and values (GQA)
  vocabulary     1,024 tokens, byte-level BPE (gpt2, gpt-2)
  chat template  no
  licence        mit

  TYPE  TENSORS      SIZE   SHARE
  Q8_0       44  5.31 MiB  99.8 %  ██████████████████████████████
  F32        13  13.0 KiB   0.2 %

  problems       none
)");
    CHECK(after_path(run_tool("gguf-info", {data + "/ggml-vocab-bert-bge.gguf"})) == R"(

  name           bert-bge
  type           a vocabulary without weights
  architecture   bert
  file type      F16
  size           612.8 KiB (627,549 bytes)
  container      GGUF v3, little-endian, alignment 32
  context        512
  embedding      384; feed-forward 1,536
  layers         12
  heads          12
  vocabulary     30,522 tokens, WordPiece (bert, bert-bge)
  chat template  no

  problems       none
)");
}

TEST_CASE("the summary of any model fits a screen of 80 by 24") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    const std::string long_text(500, 'x');
    model.set("general.name", long_text).set("general.license", long_text).set("general.type", long_text);
    model.set("llama.expert_count", 8u).set("llama.expert_used_count", 2u);
    for (const FormatInfo& format : formats()) {
        if (format.usable()) model.tensor(std::string(format.name), format.type(), {256});
    }
    const auto path = model.save_split(folder / long_text.substr(0, 200), 2);
    for (const int columns : {80, 0}) {
        const std::string text = run_tool("gguf-info", {path.string()}, columns).text();
        CHECK(std::ranges::count(text, '\n') <= 23);
        CHECK(text.find("others") != text.npos);
        CHECK(text.find("32 in 2 shards") == text.npos);
        CHECK(text.find("in 2 shards") != text.npos);
        std::size_t begin = 0;
        for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
            const std::string_view line = std::string_view(text).substr(begin, end - begin);
            CHECK(std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }) <= 80);
        }
    }
}

TEST_CASE("--metadata shows every key, cut to the width of the screen") {
    const TemporaryFolder folder;
    small_llama().save(folder / "small.gguf");
    CHECK(screen(folder, {"small.gguf", "--metadata"}, 80) == R"(
KEY                                 TYPE     VALUE
general.architecture                str      llama
general.name                        str      Small Llama
general.license                     str      mit
general.file_type                   u32      15
general.quantization_version        u32      2
llama.block_count                   u32      2
llama.context_length                u32      4096
llama.embedding_length              u32      256
llama.feed_forward_length           u32      512
llama.attention.head_count          u32      8
llama.attention.head_count_kv       u32      2
llama.attention.l…norm_rms_epsilon  f32      1e-05
tokenizer.ggml.model                str      llama
tokenizer.ggml.tokens               str[10]  ["<s>", "</s>", "the", "\"", "\n",…
tokenizer.ggml.bos_token_id         u32      0
tokenizer.ggml.add_bos_token        bool     true
tokenizer.chat_template             str      {% for message in messa… (81 bytes)
)");
    CHECK(screen(folder, {"small.gguf", "--metadata"}, 120) == R"(
KEY                                     TYPE     VALUE
general.architecture                    str      llama
general.name                            str      Small Llama
general.license                         str      mit
general.file_type                       u32      15
general.quantization_version            u32      2
llama.block_count                       u32      2
llama.context_length                    u32      4096
llama.embedding_length                  u32      256
llama.feed_forward_length               u32      512
llama.attention.head_count              u32      8
llama.attention.head_count_kv           u32      2
llama.attention.layer_norm_rms_epsilon  f32      1e-05
tokenizer.ggml.model                    str      llama
tokenizer.ggml.tokens                   str[10]  ["<s>", "</s>", "the", "\"", "\n", "Ġof", "a", "b", …]
tokenizer.ggml.bos_token_id             u32      0
tokenizer.ggml.add_bos_token            bool     true
tokenizer.chat_template                 str      {% for message in messages %}{{ message['content'] }}\n{% e… (81 bytes)
)");
}

TEST_CASE("in a pipe nothing is cut") {
    const TemporaryFolder folder;
    SmallModel model;
    const std::string text(3000, 'x'), name(60, 'n'), key(300, 'k');
    model.set(key, text).tensor(name, TensorType::F32, {8});
    model.save(folder / "m.gguf");
    const std::string all = run_tool("gguf-info", {folder / "m.gguf", "--metadata", "--tensors"}, 0).text();
    CHECK(all.find(key + "  str   " + text + "\n") != all.npos);
    CHECK(all.find(name + "  F32   8           0     32\n") != all.npos);
    const std::string cut = run_tool("gguf-info", {folder / "m.gguf", "--metadata"}, 80).text();
    CHECK(cut.find("… (3,000 bytes)\n") != cut.npos);
}

TEST_CASE("--tensors shows name, type, shape, offset and bytes") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    model.tensor("scalar", TensorType::F32, {}).tensor("none", TensorType::Q4_0, {32, 0}).save(folder / "small.gguf");
    CHECK(screen(folder, {"small.gguf", "--tensors"}, 80) == R"(
TENSOR                  TYPE  SHAPE    OFFSET  BYTES
token_embd.weight       Q6_K  256x10        0   2100
blk.0.attn_norm.weight  F32   256        2112   1024
blk.0.attn_q.weight     Q4_K  256x256    3136  36864
blk.0.attn_v.weight     Q8_0  256x64    40000  17408
blk.0.ffn_down.weight   Q4_K  512x256   57408  73728
blk.1.attn_norm.weight  F32   256      131136   1024
blk.1.attn_q.weight     Q4_K  256x256  132160  36864
blk.1.attn_v.weight     Q8_0  256x64   169024  17408
blk.1.ffn_down.weight   Q4_K  512x256  186432  73728
scalar                  F32   scalar   260160      4
none                    Q4_0  32x0     260192      0
)");
}

TEST_CASE("columns line up whatever the script") {
    const TemporaryFolder folder;
    SmallModel model;
    for (const char* name : {"latin", "模型.权重", "カナ", "e\u0301te\u0301", "🦙.weight"})
        model.tensor(name, TensorType::F32, {2, 2});
    model.save(folder / "m.gguf");
    CHECK(screen(folder, {"m.gguf", "--tensors"}, 80) == R"(
TENSOR     TYPE  SHAPE  OFFSET  BYTES
latin      F32   2x2         0     16
模型.权重  F32   2x2        32     16
カナ       F32   2x2        64     16
été        F32   2x2        96     16
🦙.weight  F32   2x2       128     16
)");
}

TEST_CASE("--check lists every fault of a broken file, and the other views show what is there") {
    const TemporaryFolder folder;
    write_file(folder / "broken.gguf", broken_file());
    CHECK(screen(folder, {"broken.gguf", "--check"}, 80, 1) == R"(
warning         GGUF-R047 BAD_SEMANTICS    key 'general.architecture': is missing
error    @0x3b  GGUF-R016 DUP_KEY          key 'general.name': is there already, at 0x18
note     @0x7f  GGUF-R037 NOT_CONTIGUOUS   tensor 'b': has offset 128 where 256 comes next
error    @0x7f  GGUF-R036 OVERLAP          tensor 'b': shares 128 bytes with tensor 'a'
error    @0xa0  GGUF-R031 BAD_TENSOR_TYPE  tensor 'c': type 77 is unknown

broken.gguf: invalid, 3 errors, 1 warning, 1 note
)");
    CHECK(screen(folder, {"broken.gguf"}, 80) == R"(
broken.gguf

  name           one
  parameters     160 in 3 tensors
  file type      not stated, 32.00 bits a weight
  size           736 B
  container      GGUF v3, little-endian, alignment 32

  TYPE         TENSORS   SIZE    SHARE
  F32                2  512 B  100.0 %  ██████████████████████████████
  unknown(77)        1    0 B    0.0 %

  problems       3 errors, 1 warning; --check lists them
                 key 'general.name' @0x3b: DUP_KEY GGUF-R016 is there already, …
)");
    CHECK(screen(folder, {"broken.gguf", "--tensors"}, 80) == R"(
TENSOR  TYPE         SHAPE  OFFSET  BYTES
a       F32          64          0    256
b       F32          64        128    256
c       unknown(77)  32        384      ?
)");
}

TEST_CASE("--check: valid, valid with remarks, unreadable") {
    const TemporaryFolder folder;
    small_llama().save(folder / "good.gguf");
    CHECK(screen(folder, {"good.gguf", "--check"}, 80) == "\ngood.gguf: valid, no problems found\n");
    CHECK(screen(folder, {"good.gguf", "--check", "--profile", "llama"}, 80) ==
          "\ngood.gguf: valid, no problems found (by what llama.cpp loads)\n");

    auto longer = small_llama().bytes();
    longer.resize(longer.size() + 3);
    write_file(folder / "longer.gguf", longer);
    CHECK(screen(folder, {"longer.gguf", "--check"}, 80).find("\nlonger.gguf: valid, 1 warning\n") !=
          std::string::npos);
    CHECK(screen(folder, {"longer.gguf", "--check", "--strict"}, 80, 1).find("\nlonger.gguf: invalid, 1 error\n") !=
          std::string::npos);

    write_file(folder / "cut.gguf", std::span(longer).first(100));
    const std::string cut = screen(folder, {"cut.gguf", "--check"}, 80, 1);
    CAPTURE(cut);
    CHECK(cut.find("GGUF-R005 COUNT_IMPOSSIBLE  tensor count: is 9, where 76 bytes follow\n") != cut.npos);
    CHECK(cut.find("GGUF-R001") != cut.npos);  // where it ends
    CHECK(cut.find("\ncut.gguf: invalid, 2 errors\n") != cut.npos);
    for (const char* view : {"--metadata", "--tensors"}) {
        const CommandResult result = run_tool("gguf-info", {folder / "cut.gguf", view});
        CHECK(result.exit_code == 1);
        CHECK(result.err.starts_with("gguf-info: "));
        CHECK(result.err.find("GGUF-R") != result.err.npos);
        CHECK(result.err.find("cut.gguf") != result.err.npos);
    }
}

TEST_CASE("any shard shows the whole model, a missing one is a fault, and the rest is shown") {
    const TemporaryFolder folder;
    const SmallModel model = small_llama();
    model.save_split(folder / "m", 3);
    const std::string second = folder / "m-00002-of-00003.gguf";
    CHECK(run_tool("gguf-info", {second, "--check"}).exit_code == 0);
    const std::string tensors = run_tool("gguf-info", {second, "--tensors"}, 0).text();
    CHECK(std::ranges::count(tensors, '\n') == 1 + static_cast<std::ptrdiff_t>(model.tensors.size()));
    CHECK(tensors.find("SHARD:OFFSET") != tensors.npos);
    CHECK(tensors.find(" 3:") != tensors.npos);

    std::filesystem::remove(folder / "m-00003-of-00003.gguf");
    const CommandResult check = run_tool("gguf-info", {second, "--check"}, 0);
    CHECK(check.exit_code == 1);
    CHECK(check.text().find("BAD_SPLIT") != std::string::npos);
    CHECK(check.text().find("m-00003-of-00003.gguf") != std::string::npos);
    CHECK(run_tool("gguf-info", {second, "--tensors"}, 0).text().find("TENSOR") == 0);
}
