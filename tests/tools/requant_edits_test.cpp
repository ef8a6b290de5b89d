// gguf-requant on metadata: keys set and removed, byte order, copies, and what it refuses to guess.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <ggufkit/model.hpp>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

CommandResult requant(Words words, const Words& flags = {}) {
    words.insert(words.end(), flags.begin(), flags.end());
    return run_tool("gguf-requant", std::move(words));
}

void check_misuse(const Words& words, std::string_view says) {
    const CommandResult result = requant(words);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.err.find(says) != result.err.npos);
}

struct Made {
    TemporaryFolder folder;
    std::string in = folder / "m.gguf", out = folder / "out.gguf";

    Made() { small_llama().save(in); }

    Model copy(const Words& flags) const {
        const CommandResult result = requant({in, out, "COPY", "--force"}, flags);
        REQUIRE_MESSAGE(result.exit_code == 0, result.err);
        auto model = Model::open(out);
        REQUIRE(model);
        return *std::move(model);
    }
};

}  // namespace

TEST_CASE("--set-kv sets values of every GGUF type, arrays in JSON") {
    const Made made;
    struct Row {
        const char *setting, *get;  // as gguf-info --get prints it
    };
    const Row rows[] = {{"x=u8:255", "255\n"},
                        {"x=i8:-128", "-128\n"},
                        {"x=u16:65535", "65535\n"},
                        {"x=i16:-1", "-1\n"},
                        {"x=u32:4294967295", "4294967295\n"},
                        {"x=i32:-2147483648", "-2147483648\n"},
                        {"x=u64:18446744073709551615", "18446744073709551615\n"},
                        {"x=i64:-9223372036854775808", "-9223372036854775808\n"},
                        {"x=f32:0.5", "0.5\n"},
                        {"x=f64:1e300", "1e+300\n"},
                        {"x=bool:true", "true\n"},
                        {"x=str:a = b: c", "a = b: c\n"},
                        {"x=str:@@home", "@home\n"},
                        {"x=[str]:[\"a b\",\"\",\"@c\"]", "a b\n\n@c\n"},
                        {"x=[u8]:[0, 255]", "0\n255\n"},
                        {"x=[f32]:[1,-2.5]", "1\n-2.5\n"},
                        {"x=[bool]:[true,false]", "true\nfalse\n"},
                        {"x=[u64]:[18446744073709551615]", "18446744073709551615\n"},
                        {"x=[i32]:[]", ""}};
    for (const auto& [setting, get] : rows) {
        CAPTURE(setting);
        made.copy({"--set-kv", setting});
        CHECK(run_tool("gguf-info", {made.out, "--get", "x"}).text() == get);
    }
    const Model nested = made.copy({"--set-kv", "x=[[u16]]:[[1,2],[3]]"});
    CHECK(nested.header().get_array("x")->element_type() == ValueType::array);

    const std::pair<const char*, const char*> bad[] = {
        {"x", "'x' is not KEY=TYPE:VALUE"},
        {"x=u8", "'x=u8' is not KEY=TYPE:VALUE"},
        {"=u8:1", "'=u8:1' is not KEY=TYPE:VALUE"},
        {"x=int:1", "--set-kv x: 'int' is not a type; there are u8, i8,"},
        {"x=u8:256", "--set-kv x: '256' is not u8"},
        {"x=u8:-1", "'-1' is not u8"},
        {"x=f32:1e39", "'1e39' is not f32"},
        {"x=f64:nan", "'nan' is not f64"},
        {"x=bool:1", "'1' is not bool"},
        {"x=str:\xff", "is not UTF-8 text"},
        {"x=[u8]:1,2", "is not a JSON array; write [1,2]"},
        {"x=[str]:a", "is not a JSON array; write [\"a\",\"b\"]"},
        {"x=[u8]:[1,256]", "element 1 (256) is not u8"},
        {"x=[str]:[1]", "element 0 (1) is not str"},
        {"x=[x]:[1]", "[x] is not a type"},
        {"x=[[u8]]:[1]", "is not a JSON array of u8"},
        {"split.count=u16:3", "key 'split.count'"},
    };
    for (const auto& [setting, says] : bad) check_misuse({made.in, made.out, "COPY", "--set-kv", setting}, says);
    const CommandResult missing = requant({made.in, made.out, "COPY"}, {"--set-kv", "x=str:@" + made.folder / "none"});
    CHECK(missing.exit_code == 1);
    CHECK(missing.err.find("No such file or directory") != missing.err.npos);
}

TEST_CASE("--set-kv KEY=TYPE:@FILE takes the file's bytes, line ends and all") {
    const Made made;
    const std::string file = made.folder / "t.jinja";
    std::string text;
    while (text.size() < 200'000) text += "{{ bos_token }}\r\n\t@x ";
    text += "\n\n";
    write_file(file, text);
    const Model model = made.copy({"--set-kv", "tokenizer.chat_template=str:@" + file});
    CHECK((model.header().get_string("tokenizer.chat_template") == text));
    // The file is an input: no output replaces it, --force or not.
    const CommandResult refused =
        requant({made.in, file, "COPY", "--force"}, {"--set-kv", "tokenizer.chat_template=str:@" + file});
    CHECK(refused.exit_code != 0);
    CHECK(fs::file_size(file) == text.size());
    write_file(file, {"\0\n\xff", 3});
    const Model bytes = made.copy({"--set-kv", "x=[u8]:@" + file});
    CHECK(bytes.header().get_array("x")->size() == 3);
    CHECK(bytes.header().get_array("x")->at(2)->as_unsigned() == 255);
    write_file(file, "[1,\n 2]\n");
    CHECK(made.copy({"--set-kv", "x=[i32]:@" + file}).header().get_array("x")->size() == 2);
}

TEST_CASE("--set-kv KEY=token:TEXT sets the id of a token, --override-kv only what the key can have") {
    const Made made;
    const std::string eos = "tokenizer.ggml.eos_token_id", bos = "tokenizer.ggml.bos_token_id";
    CHECK(made.copy({"--set-kv", eos + "=token:</s>"}).header().get_unsigned(eos) == 1);
    check_misuse({made.in, made.out, "COPY", "--set-kv", eos + "=token:<|im_end|>"},
                 "cannot be '<|im_end|>': none of the 10 tokens has this text");
    for (const char* value : {"str:x", "int:-1", "float:1.5", "bool:true", "int:4294967296"}) {
        check_misuse({made.in, made.out, "COPY", "--override-kv", bos + "=" + value}, "key '" + bos + "' is u32");
    }
    const CommandResult insisted = requant({made.in, made.out, "COPY", "--force"}, {"--set-kv", bos + "=i32:-1"});
    CHECK(insisted.exit_code == 0);
    CHECK(insisted.err == "gguf-requant: note: key '" + bos + "' was u32 and becomes i32\ngguf-requant: note: key '" +
                              bos + "' is i32, where a count is due\n");
    CHECK(made.copy({"--override-kv", "x=int:18446744073709551615"}).header().get_unsigned("x") == ~std::uint64_t{0});
}

TEST_CASE("--remove-kv removes every key that fits, and notes a glob that fits none") {
    const Made made;
    const Model model = made.copy({"--remove-kv", "tokenizer.*", "--remove-kv", "general.name"});
    for (const KeyValue& entry : model.header().metadata()) CHECK_FALSE(entry.key.starts_with("tokenizer."));
    CHECK(model.header().find_key("general.name") == nullptr);
    CHECK(requant({made.in, made.out, "COPY", "--force", "--remove-kv", "x.*"}).err ==
          "gguf-requant: note: --remove-kv 'x.*' fits no key\n");
}

TEST_CASE("--byte-order makes the same model in the other order") {
    const Made made;
    const std::string big = made.folder / "big.gguf", back = made.folder / "back.gguf";
    REQUIRE(requant({made.in, big, "COPY", "--byte-order", "big"}).exit_code == 0);
    REQUIRE(requant({big, back, "COPY", "--byte-order", "little"}).exit_code == 0);
    CHECK(Model::open(big)->header().byte_order() == ByteOrder::big);
    CHECK(run_tool("gguf-diff", {made.in, big}).exit_code == 0);
    REQUIRE(requant({made.in, made.out, "COPY"}).exit_code == 0);
    CHECK(read_bytes(back) == read_bytes(made.out));
    check_misuse({made.in, made.out, "COPY", "--byte-order", "middle"}, "--byte-order");
}

TEST_CASE("COPY adds no key, and shards have the keys of split models alone") {
    Made made;
    SmallModel source = small_llama();
    std::erase_if(source.metadata, [](const auto& entry) { return entry.first == "general.quantization_version"; });
    source.save(made.in);
    made.copy({});
    CHECK(run_tool("gguf-diff", {made.in, made.out}).exit_code == 0);
    REQUIRE(requant({made.in, made.folder / "s.gguf", "COPY", "--split-max-tensors", "4"}).exit_code == 0);
    CHECK(run_tool("gguf-diff", {made.in, made.folder / "s-00001-of-00003.gguf"}).exit_code == 0);
}

TEST_CASE("COPY keeps a NaN: tensors byte for byte, while other types refuse it") {
    Made made;
    SmallModel source = small_llama();
    source.tensor("blk.0.ffn_up.weight", TensorType::F32, {256, 8});
    const float nan = std::bit_cast<float>(0x7fc00000u);
    std::memcpy(source.at("blk.0.ffn_up.weight").bytes.data() + (3 * 256 + 17) * 4, &nan, 4);
    source.save(made.in);
    const std::string split = made.folder / "s.gguf";
    REQUIRE(requant({made.in, split, "COPY", "--split-max-tensors", "4"}).exit_code == 0);
    const Model copies[] = {made.copy({}), made.copy({"--override-kv", "general.name=str:Other"}),
                            Model::open(made.folder / "s-00001-of-00003.gguf").value()};
    const auto model = Model::open(made.in);
    REQUIRE(model);
    for (const Model& copy : copies) {
        for (const ModelTensor& tensor : model->tensors()) {
            CHECK(std::ranges::equal(*model->data(tensor), *copy.data(*copy.find_tensor(tensor.info->name))));
        }
    }
    for (const char* type : {"Q8_0", "F32"}) {
        const CommandResult refused = requant({made.in, made.out, type, "--force"});
        CHECK(refused.exit_code == 1);
        CHECK(refused.err.find("tensor 'blk.0.ffn_up.weight'") != refused.err.npos);
        CHECK(refused.err.find("row 3: ") != refused.err.npos);
    }
    // With a copy and a conversion at once, the conversion decides.
    CHECK(requant({made.in, "COPY:" + made.folder / "c.gguf", "Q8_0:" + made.folder / "q.gguf"}).exit_code == 1);
    CHECK_FALSE(fs::exists(made.folder / "c.gguf"));
}

TEST_CASE("two file types in a row are no file of that name") {
    const Made made;
    const std::string both = "for both types write Q4_K_M:FILE Q6_K:FILE, for a file of this name ./Q4_K_M";
    check_misuse({made.in, "Q4_K_M", "Q6_K"}, "'Q4_K_M' is a file type, not an OUTPUT: " + both);
    check_misuse({made.in, "Q4_K_M", "Q6_K", "2"}, both);
    check_misuse({made.in, "copy", "Q6_K", "--dry-run"}, "'copy' is a file type, not an OUTPUT");
    check_misuse({made.in, "15", "Q6_K"}, "'15' is a file type, not an OUTPUT");
    check_misuse({made.in, "Q4_K_M:Q6_K"},
                 "'Q6_K' is a file type, not an OUTPUT; for a file of this name write ./Q6_K");
    CHECK(requant({made.in, "./Q4_K_M", "Q6_K", "--dry-run"}).exit_code == 0);
    CHECK(requant({made.in, "Q4_K_M", "2", "--dry-run"}).exit_code == 0);
}

TEST_CASE("where nothing is quantized, that is said, and the file keeps its label") {
    Made made;
    SmallModel adapter;
    adapter.set("general.architecture", "llama").set("general.type", "adapter").set("adapter.type", "lora");
    adapter.tensor("blk.0.attn_q.weight.lora_a", TensorType::F32, {256, 8});
    adapter.save(made.in);
    const std::string end = "; all is copied, and general.file_type stays as it is\n";
    const auto note = [&](const char* type, const Words& flags) {
        const CommandResult result = requant({made.in, made.out, type, "--force"}, flags);
        CHECK(result.exit_code == 0);
        return result.err;
    };
    for (const Words& flags : {Words{}, {"--dry-run"}, {"--json"}}) {
        CHECK(
            note("Q4_K_M", flags) ==
            "gguf-requant: note: nothing is quantized to Q4_K_M: the input is an adapter (general.type), whose tensors "
            "are not quantized" +
                end);
    }
    CHECK(Model::open(made.out)->header().find_key("general.file_type") == nullptr);
    SmallModel f16;
    f16.set("general.architecture", "llama").tensor("a.weight", TensorType::F16, {256, 8}).save(made.in);
    CHECK(note("F16", {}) ==
          "gguf-requant: note: nothing is quantized to F16: the tensors have these types already" + end);
    CHECK(note("COPY", {}).empty());
    CHECK(note("Q8_0", {}).empty());
    SmallModel().set("general.architecture", "llama").save(made.in);
    CHECK(note("Q8_0", {}) == "gguf-requant: note: nothing is quantized to Q8_0: the input has no tensors" + end);
}

TEST_CASE("a pattern that would run for minutes is refused at once, with a target too, and a glob is explained") {
    Made made;
    SmallModel source;
    source.set("general.architecture", "llama");
    source.tensor("blk.0." + std::string(50, 'a') + ".weight", TensorType::F16, {256, 2}).save(made.in);
    for (const Words& types : {Words{"Q4_K_M"}, {"--target-size", "1M"}}) {
        Words words{made.in, made.out, "--dry-run", "--tensor-type", "(.*)*[?!]=Q6_K"};
        words.insert(words.begin() + 2, types.begin(), types.end());
        check_misuse(words, "--tensor-type '(.*)*[?!]': takes more than 50000 steps in the name 'blk.0.aaa");
    }
    check_misuse({made.in, made.out, "Q4_K_M", "--tensor-type", "*ffn*=q6_k"},
                 "--tensor-type '*ffn*': not a regular expression: quantifier does not follow a repeatable item at "
                 "character 1; a pattern is a regular expression, not a glob: try 'ffn'\n");
}
