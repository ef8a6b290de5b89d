// What gguf-diff prints on screens of several widths, to the letter.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "tools/different_models.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// Files are named as `names` says, without the folder.
std::string screen(const std::vector<const SmallModel*>& models, const std::vector<std::string>& names, int columns) {
    const TemporaryFolder folder;
    for (std::size_t i = 0; i < models.size(); ++i) models[i]->save(folder / names[i]);
    // In the folder, so that paths are short.
    std::string command =
        "cd '" + folder.path().string() + "' && COLUMNS=" + std::to_string(columns) + " NO_COLOR=1 \"$BIN/gguf-diff\"";
    for (const std::string& name : names) command += " " + name;
    return "\n" + run_shell(command).text();
}

std::string two(int columns) {
    const auto [a, b] = different_models();
    return screen({&a, &b}, {"a.gguf", "b.gguf"}, columns);
}

std::string three(int columns) {
    const Contest models = contest();
    return screen({&models.base, &models.a, &models.b}, {"base.gguf", "one.gguf", "two.gguf"}, columns);
}

}  // namespace

TEST_CASE("gguf-diff of two models on a screen of 60 columns") {
    CHECK(two(60) == R"(
--- a.gguf
+++ b.gguf

   KEY                      VALUE
-  general.author           me
~  general.file_type        15 (Q4_K_M) → 7 (Q8_0)
+  general.tags             ["chat", "\x1b[2Jsmall"]
~  llama.context_length     u32 → u64: 4096 → 8192
~  tokenizer.chat_template  1 line out, 1 line in: see below
~  tokenizer.ggml.tokens    [3]: "\"" → "'"

~ tokenizer.chat_template
   @@ -1,2 +1,2 @@
    {% for message in messages %}{{ message['content'] }}
   -{% endfor %}{{ eos_token }}
   +{% endif %}{{ eos_token }}{{ bos_token }}

~ tokenizer
    tokens: 10; 1 added, 1 removed, 0 moved
   -  "\""
   +  "'"

   TENSOR                  TYPE  SHAPE
-  blk.0.attn_norm.weight  F32   256
~  blk.1.attn_v.weight     Q8_0  256x64 → 64x256
+  output.weight           F16   256x10

   TENSOR               TYPE           ERROR
~  blk.0.attn_q.weight  Q4_K → Q5_K    211 %
~  token_embd.weight    Q6_K         0.669 %

PART         TENSORS  WEIGHTS    ERROR     SQNR   EQUAL
attn_q             2  131.1 K    141 %  -3.0 dB  50.1 %
token_embd         1   2.56 K  0.669 %  43.5 dB  90.8 %
all tensors        7  412.4 K   79.6 %   2.0 dB  84.1 %

   error by layer  ▁·
                   117 % to 117 %, layers 0 to 1

keys: 1 removed, 1 added, 4 changed
tensors: 1 removed, 1 added, 1 retyped, 1 reshaped, 1 with
  other bytes, 5 equal
values: relative error 79.6 %, SQNR 2.0 dB, 412.4 K weights
)");
}

TEST_CASE("gguf-diff of two models on a screen of 80 columns") {
    CHECK(two(80) == R"(
--- a.gguf
+++ b.gguf

   KEY                      TYPE       VALUE
-  general.author           str        me
~  general.file_type        u32        15 (Q4_K_M) → 7 (Q8_0)
+  general.tags             str[2]     ["chat", "\x1b[2Jsmall"]
~  llama.context_length     u32 → u64  4096 → 8192
~  tokenizer.chat_template  str        1 line out, 1 line in: see below
~  tokenizer.ggml.tokens    str[10]    [3]: "\"" → "'"

~ tokenizer.chat_template
   @@ -1,2 +1,2 @@
    {% for message in messages %}{{ message['content'] }}
   -{% endfor %}{{ eos_token }}
   +{% endif %}{{ eos_token }}{{ bos_token }}

~ tokenizer
    tokens: 10; 1 added, 1 removed, 0 moved
   -  "\""
   +  "'"

   TENSOR                  TYPE  SHAPE
-  blk.0.attn_norm.weight  F32   256
~  blk.1.attn_v.weight     Q8_0  256x64 → 64x256
+  output.weight           F16   256x10

   TENSOR               TYPE           ERROR     SQNR    MAX    EQUAL
~  blk.0.attn_q.weight  Q4_K → Q5_K    211 %  -6.5 dB   2598  0.194 %
~  token_embd.weight    Q6_K         0.669 %  43.5 dB  0.227   90.8 %

PART         TENSORS  WEIGHTS    ERROR     SQNR   EQUAL
attn_q             2  131.1 K    141 %  -3.0 dB  50.1 %
token_embd         1   2.56 K  0.669 %  43.5 dB  90.8 %
all tensors        7  412.4 K   79.6 %   2.0 dB  84.1 %

   error by layer  ▁·
                   117 % to 117 %, layers 0 to 1

keys: 1 removed, 1 added, 4 changed
tensors: 1 removed, 1 added, 1 retyped, 1 reshaped, 1 with other bytes, 5 equal
values: relative error 79.6 %, SQNR 2.0 dB, 412.4 K weights
)");
}

TEST_CASE("gguf-diff of two models on a screen of 160 columns") {
    CHECK(two(160) == R"(
--- a.gguf
+++ b.gguf

   KEY                      TYPE       VALUE
-  general.author           str        me
~  general.file_type        u32        15 (Q4_K_M) → 7 (Q8_0)
+  general.tags             str[2]     ["chat", "\x1b[2Jsmall"]
~  llama.context_length     u32 → u64  4096 → 8192
~  tokenizer.chat_template  str        1 line out, 1 line in: see below
~  tokenizer.ggml.tokens    str[10]    [3]: "\"" → "'"

~ tokenizer.chat_template
   @@ -1,2 +1,2 @@
    {% for message in messages %}{{ message['content'] }}
   -{% endfor %}{{ eos_token }}
   +{% endif %}{{ eos_token }}{{ bos_token }}

~ tokenizer
    tokens: 10; 1 added, 1 removed, 0 moved
   -  "\""
   +  "'"

   TENSOR                  TYPE  SHAPE
-  blk.0.attn_norm.weight  F32   256
~  blk.1.attn_v.weight     Q8_0  256x64 → 64x256
+  output.weight           F16   256x10

   TENSOR               TYPE           ERROR     SQNR    MAX  AT        COSINE      BIAS    EQUAL  BLOCKS
~  blk.0.attn_q.weight  Q4_K → Q5_K    211 %  -6.5 dB   2598  22,117  0.062609     0.239  0.194 %
~  token_embd.weight    Q6_K         0.669 %  43.5 dB  0.227  47,9    0.999978  0.000858   90.8 %  1 of 10

PART         TENSORS  WEIGHTS    ERROR     SQNR   EQUAL
attn_q             2  131.1 K    141 %  -3.0 dB  50.1 %
token_embd         1   2.56 K  0.669 %  43.5 dB  90.8 %
all tensors        7  412.4 K   79.6 %   2.0 dB  84.1 %

   error by layer  ▁·
                   117 % to 117 %, layers 0 to 1

keys: 1 removed, 1 added, 4 changed
tensors: 1 removed, 1 added, 1 retyped, 1 reshaped, 1 with other bytes, 5 equal
values: relative error 79.6 %, SQNR 2.0 dB, 412.4 K weights
)");
}

TEST_CASE("gguf-diff of three models on a screen of 60 columns") {
    CHECK(three(60) == R"(
base: base.gguf

   MODEL          SIZE   ERROR  NEARER IN
A  one.gguf  254.1 KiB  4.30 %  2 tensors
B  two.gguf  259.1 KiB  4.07 %  3 tensors

TENSOR                 ERROR A  ERROR B  NEARER
blk.1.ffn_down.weight   7.14 %   6.07 %  B by 15.0 %
blk.0.ffn_down.weight      0 %   3.21 %  A by 100 %
blk.0.attn_v.weight     6.42 %   2.84 %  B by 55.8 %
blk.1.attn_v.weight     4.40 %   2.95 %  B by 32.9 %
token_embd.weight          0 %   26.1 %  A by 100 %

PART        TENSORS  ERROR A  ERROR B  NEARER
token_embd        1      0 %   26.1 %  A by 100 %
attn_v            2   5.43 %   2.90 %  B by 46.5 %
ffn_down          2   5.21 %   4.94 %  B by 5.12 %

   A by layer  ▁█
               0.402 % to 5.84 %, layers 0 to 1
   B by layer  ▆█
               2.67 % to 4.96 %, layers 0 to 1

not in the base: 1 tensor, output.weight
B is nearer to the base: error 4.07 % against 4.30 %, 5.26 %
  less; it is 1.97 % larger
)");
}

TEST_CASE("gguf-diff of three models on a screen of 80 columns") {
    CHECK(three(80) == R"(
base: base.gguf

   MODEL          SIZE  BITS   ERROR     SQNR  NEARER IN
A  one.gguf  254.1 KiB  4.85  4.30 %  27.3 dB  2 tensors
B  two.gguf  259.1 KiB  4.95  4.07 %  27.8 dB  3 tensors

TENSOR                 A     B     ERROR A  ERROR B  NEARER
blk.1.ffn_down.weight  Q4_K  Q4_K   7.14 %   6.07 %  B by 15.0 %
blk.0.ffn_down.weight  Q4_K  Q4_K      0 %   3.21 %  A by 100 %
blk.0.attn_v.weight    Q8_0  Q8_0   6.42 %   2.84 %  B by 55.8 %
blk.1.attn_v.weight    Q8_0  Q8_0   4.40 %   2.95 %  B by 32.9 %
token_embd.weight      Q6_K  Q6_K      0 %   26.1 %  A by 100 %

PART        TENSORS  ERROR A  ERROR B  NEARER
token_embd        1      0 %   26.1 %  A by 100 %
attn_v            2   5.43 %   2.90 %  B by 46.5 %
ffn_down          2   5.21 %   4.94 %  B by 5.12 %

   A by layer  ▁█
               0.402 % to 5.84 %, layers 0 to 1
   B by layer  ▆█
               2.67 % to 4.96 %, layers 0 to 1

not in the base: 1 tensor, output.weight
B is nearer to the base: error 4.07 % against 4.30 %, 5.26 % less; it is 1.97 %
  larger
)");
}

TEST_CASE("gguf-diff of three models on a screen of 160 columns") {
    CHECK(three(160) == R"(
base: base.gguf

   MODEL          SIZE  BITS   ERROR     SQNR  NEARER IN
A  one.gguf  254.1 KiB  4.85  4.30 %  27.3 dB  2 tensors
B  two.gguf  259.1 KiB  4.95  4.07 %  27.8 dB  3 tensors

TENSOR                 A     B     ERROR A  ERROR B  NEARER
blk.1.ffn_down.weight  Q4_K  Q4_K   7.14 %   6.07 %  B by 15.0 %
blk.0.ffn_down.weight  Q4_K  Q4_K      0 %   3.21 %  A by 100 %
blk.0.attn_v.weight    Q8_0  Q8_0   6.42 %   2.84 %  B by 55.8 %
blk.1.attn_v.weight    Q8_0  Q8_0   4.40 %   2.95 %  B by 32.9 %
token_embd.weight      Q6_K  Q6_K      0 %   26.1 %  A by 100 %

PART        TENSORS  ERROR A  ERROR B  NEARER
token_embd        1      0 %   26.1 %  A by 100 %
attn_v            2   5.43 %   2.90 %  B by 46.5 %
ffn_down          2   5.21 %   4.94 %  B by 5.12 %

   A by layer  ▁█
               0.402 % to 5.84 %, layers 0 to 1
   B by layer  ▆█
               2.67 % to 4.96 %, layers 0 to 1

not in the base: 1 tensor, output.weight
B is nearer to the base: error 4.07 % against 4.30 %, 5.26 % less; it is 1.97 % larger
)");
}

TEST_CASE("gguf-diff breaks no line between a number and its percent sign") {
    for (int columns = 40; columns <= 80; ++columns) {
        CAPTURE(columns);
        for (const std::string& text : {two(columns), three(columns)}) CHECK(text.find("\n  %") == text.npos);
    }
}

TEST_CASE("gguf-diff of three models rather shows names than which is nearer, where there is no room for both") {
    const std::string narrow = three(40);
    CHECK(narrow.find("blk.1.ffn_down.weight   7.14 %   6.07 %\n") != std::string::npos);
    CHECK(narrow.find("NEARER\n") == std::string::npos);
}
