// Headers with a fault: parse() refuses them, parse_prefix() returns what comes before the fault and what can be found
// after it, and nothing that checks a file accepts it.
#include <doctest/doctest.h>

#include <algorithm>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <ggufkit/writer.hpp>
#include <string>
#include <vector>

#include "container/verdict.hpp"
#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

ModelView prefix_of(std::span<const std::byte> file, Limits limits = {}) {
    auto view = parse_prefix(file, limits);
    REQUIRE(view);
    const auto strict = parse(file, limits);
    CHECK(strict.has_value() == view->faults().empty());
    if (!strict) {
        CHECK(strict.error().message() == view->faults().front().message());
        CHECK_FALSE(check_structure(*view).valid());
        CHECK_FALSE(check_structure(*view, as_llama).valid());
        CHECK_FALSE(Header::from(*view));
    }
    return std::move(*view);
}

std::vector<std::uint64_t> shape(const TensorInfo& tensor) { return {tensor.shape().begin(), tensor.shape().end()}; }

}  // namespace

TEST_CASE("parse_prefix() of a header without fault is parse()") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile file(encoding, {{.name = "a", .ne = {8}}, {.name = "b", .ne = {8}, .offset = 32}}, 64, 64);
        const ModelView view = prefix_of(file);
        CHECK(view.complete());
        CHECK(view.placed());
        CHECK(view.announced_keys() == 1);
        CHECK(view.announced_tensors() == 2);
        CHECK(view.data_offset() == parse(file)->data_offset());
    });
}

TEST_CASE("tensors of more than four dimensions are read, and all that follow") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile file(encoding,
                              {{.name = "five", .ne = {2, 2, 1, 4, 64}},
                               {.name = "flat", .ne = {8}, .offset = 4096},
                               {.name = "six", .ne = {1, 2, 3, 4, 5, 6}, .offset = 4128}},
                              4128 + 2880);
        const ModelView view = prefix_of(file);
        CHECK(view.complete());
        REQUIRE(view.tensors().size() == 3);
        CHECK(shape(view.tensors()[0]) == std::vector<std::uint64_t>{2, 2, 1, 4, 64});
        CHECK(view.tensors()[0].ne == std::array<std::uint64_t, 4>{2, 2, 1, 4});
        CHECK(view.tensors()[0].bytes() == 4096);
        CHECK(shape(view.tensors()[1]) == std::vector<std::uint64_t>{8});
        CHECK(view.tensors()[2].elements() == 720);
        CHECK(view.data_offset() == file.data);
        std::string said;
        for (const auto& [severity, error] : validate(view).diagnostics) said += described(severity, error);
        CHECK(said == error(Errc::bad_ndims, file.at[0].n_dims) + error(Errc::bad_ndims, file.at[2].n_dims));
        CHECK(view.faults()[0].detail == "has 5 dimensions; GGUF allows at most 4");
        const ModelView copy = view;  // shares the long shapes
        CHECK(shape(copy.tensors()[2]) == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
    });
}

TEST_CASE("a number of dimensions that the file cannot hold ends the header") {
    const TensorFile file(little_v3, {{.name = "a", .ne = {8}}, {.name = "b", .ne = {8}, .n_dims = 0xffffffff}}, 32);
    const ModelView view = prefix_of(file);
    CHECK_FALSE(view.complete());
    CHECK(view.tensors().size() == 1);
    REQUIRE(view.faults().size() == 2);
    CHECK(view.faults()[0].code == Errc::bad_ndims);
    CHECK(view.faults()[1].code == Errc::truncated);
}

TEST_CASE("what is read before a header's fault is there, wherever the file is cut") {
    in_every_encoding([](Encoding encoding) {
        Bytes file(encoding, 2, 2);
        std::vector<std::uint64_t> ends{file.size()};  // of records
        file.entry("general.name", "Cut");
        ends.push_back(file.size());
        file.entry("a.number", std::uint32_t{7});
        ends.push_back(file.size());
        for (const char* name : {"first", "second"}) {
            file.tensor({.name = name, .ne = {8}});
            ends.push_back(file.size());
        }
        for (std::uint64_t size = 8; size < file.size(); ++size) {
            CAPTURE(size);
            const Bytes cut = Bytes(file).cut(size);
            const ModelView view = prefix_of(cut);
            CHECK_FALSE(view.complete());
            const auto whole =
                static_cast<std::size_t>(std::ranges::count_if(ends, [&](std::uint64_t end) { return end <= size; }));
            CHECK(view.metadata().size() + view.tensors().size() == (whole == 0 ? 0 : whole - 1));
            CHECK(view.header_bytes() <= size);
            CHECK((view.find_key("general.name") != nullptr) == (whole >= 2));
            CHECK((view.find_tensor("first") != nullptr) == (whole >= 4));
            CHECK((whole == 0 || view.announced_tensors() == 2));
            for (const TensorInfo& tensor : view.tensors()) CHECK(view.data(tensor).error().code == Errc::not_found);
            CHECK(check_semantics(view).diagnostics.empty());
        }
    });
}

TEST_CASE("no more records are read than the reader's limit allows, whatever a header announces") {
    Bytes file(little_v3, 0, 1000);
    for (std::uint8_t i = 0; i < 100; ++i) file.entry("key." + std::to_string(i), i);
    const ModelView few = prefix_of(file, {.records = 10});
    CHECK(few.metadata().size() == 10);
    CHECK(few.announced_keys() == 1000);
    CHECK(few.faults().size() == 2);
    CHECK(prefix_of(file).metadata().size() == 100);
}

TEST_CASE("what is no GGUF file has no prefix") {
    for (const std::string_view start : {"", "GG", "GGUF", "GGML\3\0\0\0"}) {
        CHECK_FALSE(parse_prefix(std::as_bytes(std::span(start))));
    }
    CHECK(parse_prefix(Bytes({ByteOrder::little, 4}, 0, 0)).error().code == Errc::bad_version);
}

TEST_CASE("an alignment that cannot be used is one error: where tensors lie is not guessed") {
    for (const std::uint32_t wrong : {0u, 24u, 0x80000000u}) {
        Bytes file(little_v3, 2, 1);
        const KeyPlace key = file.entry("general.alignment", wrong);
        file.tensor({.name = "a", .ne = {8}});
        file.tensor({.name = "b", .ne = {8}, .offset = 24});
        file.pad(24).fill(48, 1);
        CHECK(findings(file) == error(Errc::bad_align, key.value));
        const auto view = parse(file);
        REQUIRE(view);
        CHECK_FALSE(view->placed());
        CHECK(view->data(view->tensors()[0]).error().code == Errc::not_found);
    }
}

TEST_CASE("a file that was cut short says how much of it is there, and which tensors are whole") {
    TensorFile file(little_v3,
                    {{.name = "a", .ne = {8}},
                     {.name = "c", .ne = {8}, .offset = 64},
                     {.name = "b", .ne = {8}, .offset = 32},
                     {.name = "d", .ne = {1000}, .offset = 96}},
                    4096);
    CHECK_FALSE(cut_short(*parse(file)));
    const std::uint64_t end = file.data + 96 + 4000;
    file.bytes.cut(file.data + 40);
    const auto view = parse(file);
    REQUIRE(view);
    const auto cut = cut_short(*view);
    REQUIRE(cut);
    CHECK(cut->bytes == end);
    CHECK(cut->whole == 1);
    CHECK(cut->first == view->find_tensor("b"));
    std::vector<std::string> past;
    for (const Diagnostic& found : check_structure(*view).diagnostics) {
        if (found.error.code == Errc::data_past_eof) past.push_back(found.error.detail);
    }
    REQUIRE(past.size() == 1);
    CHECK(past[0] == fmt::format("{} of 4,{} bytes are there, 1 of 4 tensors are whole, this is the first that is not",
                                 file.bytes.size(), end - 4000));
}

TEST_CASE("shards that are missing or broken do not hide the others") {
    const TemporaryFolder folder;
    SmallModel model;
    model.set("general.architecture", "llama");
    for (const char* name : {"a", "b", "c", "d"}) model.tensor(name, TensorType::F32, {8, 2});
    const std::string first_path = model.save_split(folder / "m", 4);
    const auto open = [&] { return Model::open(first_path, {.check_structure = false, .partial = true}); };
    auto whole = open();
    REQUIRE(whole);
    CHECK(whole->complete());
    CHECK(whole->split_count() == 4);
    CHECK(whole->faults().empty());

    std::filesystem::remove(folder / "m-00003-of-00004.gguf");
    CHECK_FALSE(Model::open(first_path));
    auto part = open();
    REQUIRE(part);
    CHECK_FALSE(part->complete());
    CHECK(part->split_count() == 4);
    REQUIRE(part->shard_count() == 3);
    CHECK(part->shard_number(1) == 1);
    CHECK(part->shard_number(2) == 3);
    CHECK(part->header().find_key("general.architecture") != nullptr);
    REQUIRE(part->faults().size() == 1);
    CHECK(part->faults()[0].subject == folder / "m-00003-of-00004.gguf");
    CHECK(part->faults()[0].rule == "GGUF-R043");
    CHECK(part->data(*part->find_tensor("d")));

    // A header that is cut counts as there, with what could be read of it.
    const auto file = read_bytes(folder / "m-00004-of-00004.gguf");
    const std::uint64_t header = parse(file)->header_bytes();
    write_file(folder / "m-00004-of-00004.gguf", std::span(file).first(header - 4));
    part = open();
    REQUIRE(part);
    CHECK(part->shard_count() == 3);
    CHECK_FALSE(part->shard(2).complete());
    CHECK(part->shard(2).find_key("split.no") != nullptr);

    // No more of the missing are looked for than anybody wants to hear of.
    std::filesystem::remove(folder / "m-00004-of-00004.gguf");
    SmallModel alone;
    alone.set("split.no", 0u).set("split.count", 4'000'000u).tensor("a", TensorType::F32, {8});
    alone.save(folder / "x-00001-of-4000000.gguf");
    const auto first = Model::open(folder / "x-00001-of-4000000.gguf", {.check_structure = false, .partial = true});
    REQUIRE(first);
    CHECK(first->shard_count() == 1);
    CHECK(first->faults().size() == 100);
}
