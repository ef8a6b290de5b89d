#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <ggufkit/requant/execute.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/random_blocks.hpp"
#include "support/small_model.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;
using namespace std::string_view_literals;
using enum TensorType;

namespace {

struct Files {
    TemporaryFolder folder;
    std::string in = folder / "in.gguf";
    std::string out = folder / "out.gguf";

    explicit Files(const SmallModel& model) { model.save(in); }
    std::size_t count() const { return names_in(folder.path()).size(); }
};

// What execute() refuses with; it leaves the folder with the input alone.
Error refusal(const Files& files, const Model& model, const Plan& plan, const ExecuteOptions& options = {}) {
    const auto result = execute(model, plan, files.out, options);
    REQUIRE_FALSE(result);
    CHECK(files.count() == 1);
    return result.error();
}

}  // namespace

TEST_CASE("execute: the same bytes as whole tensors in one call, for any number of threads") {
    for (const std::uint32_t alignment : {32u, 64u, 4096u}) {
        const SmallModel source = mixed_model(ByteOrder::little, alignment);
        const auto expected = source.requantized(mixed_types).bytes();
        const Files files(source);
        const Model model = must(Model::open(files.in));
        for (const unsigned threads : {0u, 1u, 2u, 3u, 8u}) {
            CAPTURE(threads);
            const auto result = execute(model, plan_for(model, mixed_types), files.out,
                                        {.work = {.threads = threads}, .overwrite = true});
            REQUIRE_MESSAGE(result, result.error().message());
            REQUIRE(read_bytes(files.out) == expected);
        }
        CHECK(files.count() == 2);
    }
}

TEST_CASE("execute: each matrix of a stack has its own importance, and it matters") {
    const SmallModel source = bare_llama()
                                  .weights("stack", F16, {256, 37, 13})  // pieces begin and end within matrices
                                  .weights("deep", F16, {512, 3, 2, 5})
                                  .weights("flat", F16, {256, 300});
    const Types types{{"stack", Q4_K}, {"deep", Q4_0}, {"flat", Q6_K}};
    std::map<std::string, std::vector<float>> importance;
    Random random(3);
    for (const auto& [name, size] :
         {std::pair{"stack", 256 * 13}, std::pair{"deep", 512 * 10}, std::pair{"flat", 256}}) {
        auto& weights = importance[name];
        for (int i = 0; i < size; ++i) weights.push_back(random.unit() * random.unit() * 10);
    }
    const auto expected = source.requantized(types, importance).bytes();
    CHECK(expected != source.requantized(types).bytes());
    const Files files(source);
    const Model model = must(Model::open(files.in));
    Plan plan = plan_for(model, types);
    for (PlannedTensor& tensor : plan.tensors) tensor.importance = importance.at(tensor.name);
    for (const unsigned threads : {1u, 3u}) {
        const auto result = execute(model, plan, files.out, {.work = {.threads = threads}, .overwrite = true});
        REQUIRE_MESSAGE(result, result.error().message());
        CHECK(read_bytes(files.out) == expected);
    }
    plan.tensors[0].importance = plan.tensors[0].importance.first(256);  // of one matrix
    CHECK(execute(model, plan, files.out, {.overwrite = true}).error().code == Errc::bad_argument);
}

TEST_CASE("execute: a value too large for its type is told with its row, also in the later matrices of a piece") {
    SmallModel source = bare_llama();
    source.weights("t", F32, {256, 5, 20});
    const float huge = 1e30f;
    std::memcpy(source.tensors[0].bytes.data() + ((17 * 5 + 3) * 256 + 9) * 4, &huge, 4);
    const Files files(source);
    const Model model = must(Model::open(files.in));
    const Error error = refusal(files, model, plan_for(model, {{"t", Q4_K}}));
    CHECK(error.code == Errc::bad_quant);
    CHECK(error.detail.starts_with("row 3 of matrix 17:"));
}

TEST_CASE("execute: every byte order to every byte order") {
    for (const auto from : {ByteOrder::little, ByteOrder::big}) {
        for (const auto to : {ByteOrder::little, ByteOrder::big}) {
            const SmallModel source = mixed_model(from, 64);
            SmallModel expected = source.requantized(mixed_types);
            expected.container.order = to;
            const Files files(source);
            const Model model = must(Model::open(files.in));
            const auto result = execute(model, plan_for(model, mixed_types, to), files.out);
            REQUIRE_MESSAGE(result, result.error().message());
            CHECK(read_bytes(files.out) == expected.bytes());
        }
    }
}

TEST_CASE("execute: a copy of everything is the same file") {
    const SmallModel source = mixed_model(ByteOrder::little, 32);
    const Files files(source);
    const Model model = must(Model::open(files.in));
    REQUIRE(execute(model, plan_for(model), files.out));
    CHECK(read_bytes(files.out) == source.bytes());
}

TEST_CASE("execute: a model without tensors") {
    const SmallModel source = bare_llama();
    const Files files(source);
    const Model model = must(Model::open(files.in));
    REQUIRE(execute(model, plan_for(model), files.out));
    CHECK(read_bytes(files.out) == source.bytes());
}

TEST_CASE("execute: gathers the shards of a split model") {
    const TemporaryFolder folder;
    std::vector<SmallModel> shards(2, bare_llama());
    shards[0].weights("a", Q8_0, {64, 5}).weights("b", F32, {33});
    shards[1].weights("c", F16, {64, 7});
    for (std::size_t i = 0; i < 2; ++i) {
        shards[i].set("split.no", Value::of_unsigned(ValueType::uint16, i));
        shards[i].set("split.count", Value::of_unsigned(ValueType::uint16, 2));
        shards[i].set("split.tensors.count", Value::of_signed(ValueType::int32, 3));
        shards[i].save(folder / ("m-0000" + std::to_string(i + 1) + "-of-00002.gguf"));
    }
    const Model model = must(Model::open(folder / "m-00001-of-00002.gguf"));
    REQUIRE(execute(model, plan_for(model, {{"c", Q8_0}}), folder / "out.gguf"));

    const SmallModel c = shards[1].requantized({{"c", Q8_0}});
    const Model written = must(Model::open(folder / "out.gguf", {.follow_shards = false}));
    const auto data = [&](std::string_view name) {
        const auto bytes = must(written.data(*written.find_tensor(name)));
        return std::vector(bytes.begin(), bytes.end());
    };
    CHECK(data("a") == shards[0].tensors[0].bytes);
    CHECK(data("b") == shards[0].tensors[1].bytes);
    CHECK(data("c") == c.tensors[0].bytes);
    for (const char* shard : {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}) {
        const auto result = execute(model, plan_for(model), folder / shard, {.overwrite = true});
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::io_same_file);
    }
}

TEST_CASE("execute: a NaN or an infinity in the source is named, with tensor, row and place") {
    struct Case {
        const char* name;
        TensorType type;
        std::vector<std::uint64_t> ne;
        std::size_t at;       // of an f16 within the data
        std::uint64_t block;  // that holds it
        const char* row;
        Types types;
    };
    const std::vector<std::uint64_t> stack{64, 300, 9};
    const Case cases[] = {
        {"converted", F16, {64, 5000}, (4321 * 64 + 17) * 2, (4321 * 64 + 17) * 2, "row 4321:", {{"converted", Q8_0}}},
        {"copied", F16, {64, 5000}, (4321 * 64 + 17) * 2, (4321 * 64 + 17) * 2, "row 4321:", {}},
        {"scale", Q8_0, {64, 300}, 211 * 34, 211 * 34, "row 105:", {{"scale", F32}}},
        {"stack", Q8_0, stack, (7 * 300 + 5) * 68, (7 * 300 + 5) * 68, "row 5 of matrix 7:", {{"stack", F16}}},
        {"stack", Q8_0, stack, (7 * 300 + 5) * 68, (7 * 300 + 5) * 68, "row 5 of matrix 7:", {}},
    };
    for (const Case& c : cases) {
        for (const auto& [low, high] : {std::pair{0x00, 0x7c}, std::pair{0x00, 0xfc}, std::pair{0x01, 0x7e}}) {
            SmallModel source = bare_llama();
            source.weights("before", F32, {70'000}).weights(c.name, c.type, c.ne);
            source.tensors[1].bytes[c.at] = static_cast<std::byte>(low);
            source.tensors[1].bytes[c.at + 1] = static_cast<std::byte>(high);
            const Files files(source);
            const Model model = must(Model::open(files.in));
            Plan plan = plan_for(model, c.types);
            plan.file_type = find_file_type("Q8_0");  // a plan that only copies takes what it finds
            const Error error = refusal(files, model, plan);
            CHECK(error.code == Errc::bad_quant);
            CHECK(error.subject == "tensor '" + std::string(c.name) + "'");
            CHECK(error.detail.starts_with(c.row));
            const std::uint64_t start = model.header().data_offset() + model.tensors()[1].info->offset;
            CHECK(error.offset == start + c.block);
        }
    }
}

TEST_CASE("execute: of several faults the first one is told, whichever thread finds one first") {
    SmallModel source = bare_llama();
    source.weights("t", F16, {64, 20'000});
    for (const std::size_t row : {3000u, 9000u, 15'000u}) source.tensors[0].bytes[row * 128 + 1] = std::byte{0x7c};
    const Files files(source);
    const Model model = must(Model::open(files.in));
    for (int run = 0; run < 20; ++run) {
        CHECK(refusal(files, model, plan_for(model, {{"t", Q8_0}}), {.work = {.threads = 4}})
                  .detail.starts_with("row 3000:"));
    }
}

TEST_CASE("execute: a value too large for its new type is named") {
    SmallModel source = bare_llama();
    source.weights("t", F32, {64, 3000});
    const float huge = 1e30f;
    std::memcpy(source.tensors[0].bytes.data() + (2900 * 64 + 5) * 4, &huge, 4);
    const Files files(source);
    const Model model = must(Model::open(files.in));
    const Error error = refusal(files, model, plan_for(model, {{"t", F16}}));
    CHECK(error.code == Errc::bad_quant);
    CHECK(error.detail.starts_with("row 2900:"));
}

TEST_CASE("execute: a plan of another model is refused") {
    const Files files(bare_llama().weights("t", F16, {64, 4}));
    const Files others(bare_llama().weights("t", F16, {64, 5}));
    const Model model = must(Model::open(files.in));
    const Model other = must(Model::open(others.in));
    const Model nothing = must(Model::open(Files(bare_llama()).in));
    CHECK(refusal(files, model, plan_for(other)).code == Errc::bad_argument);
    CHECK(refusal(files, nothing, plan_for(other)).code == Errc::bad_argument);
    Plan plan = plan_for(model);
    plan.tensors[0].offset += plan.files[0].file_bytes;
    CHECK(refusal(files, model, plan).code == Errc::bad_argument);
    plan = plan_for(model);
    plan.tensors[0].bytes_in -= 128;
    CHECK(refusal(files, model, plan).code == Errc::bad_argument);
}

TEST_CASE("execute: a type without a quantizer is refused before anything is written") {
    const Files files(bare_llama().weights("t", F16, {256, 4}));
    const Model model = must(Model::open(files.in));
    bool worked = false;
    const auto note = [&](const Progress&) { worked = true; };
    CHECK(refusal(files, model, plan_for(model, {{"t", Q8_K}}), {.work = {.progress = note}}).code ==
          Errc::unsupported);
    CHECK_FALSE(worked);
}

TEST_CASE("execute: rows that fit the memory of a few workers, and one that fits none") {
    const SmallModel source = bare_llama().weights("t", F16, {1 << 20, 3});
    const Files files(source);
    const Model model = must(Model::open(files.in));
    REQUIRE(execute(model, plan_for(model, {{"t", Q8_0}}), files.out, {.work = {.threads = 64}}));
    CHECK(read_bytes(files.out) == source.requantized({{"t", Q8_0}}).bytes());

    const Files too_long(bare_llama().weights("t", I8, {16 << 20}));
    const Model long_model = must(Model::open(too_long.in));
    CHECK(refusal(too_long, long_model, plan_for(long_model, {{"t", F32}})).code == Errc::unsupported);
    CHECK(execute(long_model, plan_for(long_model), too_long.out));  // a copy is not made by rows
}

TEST_CASE("execute: no room for the output is known before any work") {
    const TemporaryFolder folder;
    // More than there will be, whatever others delete meanwhile: for what is there, room would be taken, and written to.
    const std::uint64_t size = fs::space(folder.path()).capacity / 4096 * 4096;
    HeaderModel("llama").tensor("t", {size}, I8).save(folder / "in.gguf");
    const Model model = must(Model::open(folder / "in.gguf"));
    bool worked = false;
    const auto result = execute(model, plan_for(model), folder / "out.gguf",
                                {.work = {.progress = [&](const Progress&) { worked = true; }}});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::io_no_space);
    CHECK_FALSE(worked);
    CHECK_FALSE(fs::exists(folder / "out.gguf"));
}

TEST_CASE("execute: the output is not the input, and an existing one stays unless it may go") {
    const SmallModel source = mixed_model(ByteOrder::little, 32);
    const Files files(source);
    const Model model = must(Model::open(files.in));
    const auto same = execute(model, plan_for(model, mixed_types), files.in, {.overwrite = true});
    REQUIRE_FALSE(same);
    CHECK(same.error().code == Errc::io_same_file);
    CHECK(read_bytes(files.in) == source.bytes());

    const std::vector<std::byte> old(5, std::byte{'x'});
    write_file(files.out, old);
    const auto existing = execute(model, plan_for(model), files.out);
    REQUIRE_FALSE(existing);
    CHECK(existing.error().code == Errc::io_exists);
    CHECK(read_bytes(files.out) == old);
    CHECK(execute(model, plan_for(model), files.out, {.overwrite = true}));
    CHECK(read_bytes(files.out) == source.bytes());
}

TEST_CASE("execute: progress starts at nothing, never goes back, ends at everything") {
    const Files files(mixed_model(ByteOrder::little, 32));
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, mixed_types);
    std::vector<std::uint64_t> seen;
    const auto note = [&](const Progress& progress) {
        CHECK(progress.total == plan.bytes_in());
        seen.push_back(progress.done);
    };
    REQUIRE(execute(model, plan, files.out, {.work = {.threads = 3, .progress = note}}));
    REQUIRE(seen.size() >= 2);
    CHECK(seen.front() == 0);
    CHECK(std::ranges::is_sorted(seen));
    CHECK(seen.back() == plan.bytes_in());
}

TEST_CASE("execute: a stop request from the callback, at the first or the last moment, leaves the folder as it was") {
    const Files files(mixed_model(ByteOrder::little, 32));
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, mixed_types);
    for (const std::uint64_t when : {std::uint64_t{0}, plan.bytes_in()}) {
        std::stop_source source;
        const auto stop = [&](const Progress& progress) {
            if (progress.done == when) source.request_stop();
        };
        CHECK(refusal(files, model, plan, {.work = {.progress = stop, .stop = source.get_token()}}).code ==
              Errc::cancelled);
    }
}

TEST_CASE("execute: a source that shrinks or is written to under its reader ends the work") {
    const auto with_change = [](bool at_the_end, const auto& change) {
        const Files files(mixed_model(ByteOrder::little, 32));
        const Model model = must(Model::open(files.in));
        const Plan plan = plan_for(model, mixed_types);
        const auto meddle = [&](const Progress& progress) {
            if (progress.done == (at_the_end ? progress.total : 0)) change(files.in);
        };
        return refusal(files, model, plan, {.work = {.progress = meddle}}).code;
    };
    const auto shrink = [](const std::string& path) { fs::resize_file(path, fs::file_size(path) / 2); };
    const auto empty = [](const std::string& path) { fs::resize_file(path, 0); };
    const auto touch = [](const std::string& path) {
        fs::last_write_time(path, fs::file_time_type::clock::now() + std::chrono::hours(1));
    };
    for (const bool at_the_end : {false, true}) {
        CHECK(with_change(at_the_end, shrink) == Errc::io_changed);
        CHECK(with_change(at_the_end, empty) == Errc::io_changed);
        CHECK(with_change(at_the_end, touch) == Errc::io_changed);
    }
}

TEST_CASE("execute: what was written is read back before it gets its name") {
    const Files files(mixed_model(ByteOrder::little, 4096));
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, mixed_types);
    const std::string_view header(reinterpret_cast<const char*>(plan.files[0].header.data()),
                                  plan.files[0].header.size());
    struct Damage {
        std::size_t at;
        std::string_view bytes;
    };
    const Damage damages[] = {
        {0, "GGUX"},
        {8, "\7"},                                                // tensors
        {header.find("general.alignment") + 17 + 4, "\x20\0"sv},  // which moves every tensor
        {header.find("q8.large"), "q9"},
    };
    for (const auto& [at, bytes] : damages) {
        const auto spoil = [&](const Progress& progress) {
            if (progress.done != plan.bytes_in()) return;
            for (const auto& entry : fs::directory_iterator(files.folder.path())) {
                if (entry.path().extension() != ".ggufkit-partial") continue;
                std::fstream partial(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
                partial.seekp(static_cast<std::streamoff>(at)) << bytes;
            }
        };
        CHECK(refusal(files, model, plan, {.work = {.progress = spoil}}).code == Errc::io_write);
    }
}

namespace {

// Bytes that this process has asked the system for, by reads of any kind.
std::uint64_t bytes_read() {
    std::ifstream in("/proc/self/io");
    std::string word;
    std::uint64_t count = 0;
    in >> word >> count;
    REQUIRE(word == "rchar:");
    return count;
}

}  // namespace

TEST_CASE("execute: several outputs from one read, each as if it were alone") {
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        const SmallModel source = mixed_model(order, 64);
        const Types other_types{{"q8.large", Q4_K}, {"q4k.copied", F16}, {"f32.odd", BF16}};
        const Files files(source);
        const Model model = must(Model::open(files.in));
        const Plan plan = plan_for(model, mixed_types, order), other = plan_for(model, other_types, order),
                   copy = plan_for(model, {}, order);
        const std::vector<Output> outputs{
            {&plan, files.out}, {&other, files.folder / "other.gguf"}, {&copy, files.folder / "copy.gguf"}};
        for (const unsigned threads : {1u, 3u}) {
            std::uint64_t total = 0;
            const auto note = [&](const Progress& progress) { total = progress.total; };
            const auto result =
                execute(model, outputs, {.work = {.threads = threads, .progress = note}, .overwrite = true});
            REQUIRE_MESSAGE(result, result.error().message());
            CHECK(total == plan.bytes_in());
            CHECK(read_bytes(outputs[0].path) == source.requantized(mixed_types).bytes());
            CHECK(read_bytes(outputs[1].path) == source.requantized(other_types).bytes());
            CHECK(read_bytes(outputs[2].path) == source.bytes());
        }
    }
}

TEST_CASE("execute: two outputs cost no more reading than one") {
    SmallModel source = bare_llama();
    source.weights("a", Q8_0, {256, 8192}).weights("b", F16, {512, 1024});
    const Files files(source);
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, {{"a", Q4_K}}), other = plan_for(model, {{"a", Q6_K}, {"b", Q8_0}});
    const std::uint64_t before = bytes_read();
    const Output outputs[]{{&plan, files.out}, {&other, files.folder / "other.gguf"}};
    REQUIRE(execute(model, outputs));
    const std::uint64_t read = bytes_read() - before;
    CHECK(read >= plan.bytes_in());
    // "b" is copied in one of them, which the kernel may count as reading it.
    CHECK(read <= plan.bytes_in() + plan.tensors[1].bytes_in + 4096);
}

TEST_CASE("execute: outputs that cannot be written together are refused, and none is left") {
    const Files files(mixed_model(ByteOrder::little, 32));
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, mixed_types);
    const auto refusal_of = [&](std::vector<Output> outputs) {
        const auto result = execute(model, outputs);
        REQUIRE_FALSE(result);
        CHECK(files.count() == 1);
        return result.error().code;
    };
    CHECK(refusal_of({}) == Errc::bad_argument);
    CHECK(refusal_of({{&plan, files.out}, {&plan, files.folder / "./out.gguf"}}) == Errc::bad_argument);
    CHECK(refusal_of({{&plan, files.out}, {&plan, files.in}}) == Errc::io_same_file);
    CHECK(refusal_of({{&plan, files.out}, {&plan, files.folder / "none/out.gguf"}}) == Errc::io_open);
}

TEST_CASE("execute: from every type that can be decoded, of every shape, in either byte order") {
    for (const FormatInfo& format : formats()) {
        if (!format.usable() || !can_dequantize(format.type()) || format.type() == F64) continue;  // larger than floats
        CAPTURE(format.name);
        const std::uint64_t ne0 = std::max<std::uint64_t>(256, format.block_elements);
        for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
            SmallModel source = bare_llama(order, 128);
            source.weights("matrix", format.type(), {ne0, 7})
                .weights("stack", format.type(), {ne0, 5, 3})
                .weights("stacks", format.type(), {2 * ne0, 3, 2, 2})
                .weights("copied", format.type(), {ne0, 3});
            // Random blocks, of types that have no encoder, hold values that only a float can.
            const bool tame = can_quantize(format.type());
            const Types types{{"matrix", tame ? Q8_0 : F32}, {"stack", tame ? BF16 : F32}, {"stacks", F32}};
            const Files files(source);
            const Model model = must(Model::open(files.in));
            const auto result = execute(model, plan_for(model, types, order), files.out);
            REQUIRE_MESSAGE(result, result.error().message());
            CHECK(read_bytes(files.out) == source.requantized(types).bytes());
        }
    }
}
