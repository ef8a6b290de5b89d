// Assembly: the segments of each output are the whole file, and any of them can be made alone.
#include "requant/assembly.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <ggufkit/requant/execute.hpp>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using enum TensorType;
using requant::Assembly;
using requant::FileSegments;
using requant::Segment;

namespace {

// What the segments give, made from the last one to the first, as if by many processes.
std::vector<std::byte> made_backwards(const FileSegments& file, std::size_t size) {
    std::vector<std::byte> bytes(size, std::byte{0xa5});
    for (std::uint64_t number = file.count(); number-- > 0;) {
        requant::Workspace workspace;
        const Segment segment = file.at(number);
        const auto made = must(requant::make(segment, workspace));
        REQUIRE(made.size() == segment.bytes);
        std::ranges::copy(made, bytes.begin() + static_cast<std::ptrdiff_t>(segment.offset));
    }
    return bytes;
}

}  // namespace

TEST_CASE("assembly: segments lie one after the other, and made alone in any order they are the files of execute()") {
    const TemporaryFolder folder;
    for (const std::uint32_t alignment : {32u, 4096u, 4u << 20}) {
        write_file(folder / "in.gguf", mixed_model(ByteOrder::little, alignment).bytes());
        const Model model = must(Model::open(folder / "in.gguf"));
        const Plan plan = plan_for(model, mixed_types), copy = plan_for(model, {}, ByteOrder::big);
        const std::vector<Output> outputs{{&plan, folder / "out.gguf"}, {&copy, folder / "copy.gguf"}};
        REQUIRE(execute(model, outputs, {.overwrite = true}));
        const Assembly assembly = must(Assembly::make(model, {&plan, &copy}));
        REQUIRE(assembly.files().size() == 2);
        CHECK(assembly.source_bytes() == plan.bytes_in());
        for (std::size_t i = 0; i < 2; ++i) {
            CAPTURE(i);
            const FileSegments& file = assembly.files()[i];
            std::uint64_t end = 0;
            for (std::uint64_t number = 0; number < file.count(); ++number) {
                const Segment segment = file.at(number);
                REQUIRE(segment.file == i);
                REQUIRE(segment.offset == end);
                REQUIRE(segment.bytes > 0);
                end += segment.bytes;
                CHECK(file.find(segment.offset) == number);
                CHECK(file.find(end - 1) == number);
            }
            CHECK(file.find(end) == file.count());
            const auto expected = read_bytes(outputs[i].path);
            REQUIRE(end == expected.size());
            CHECK((made_backwards(file, end) == expected));
        }
    }
}

TEST_CASE("assembly: a plan is taken with the model that it was made from, and with no other") {
    const TemporaryFolder folder;
    const SmallModel source = bare_llama().weights("t", F16, {64, 4});
    SmallModel other = source;
    other.set("general.name", "other");
    write_file(folder / "in.gguf", source.bytes());
    write_file(folder / "same.gguf", source.bytes());
    write_file(folder / "other.gguf", other.bytes());
    const Model model = must(Model::open(folder / "in.gguf")), same = must(Model::open(folder / "same.gguf"));
    const Plan plan = plan_for(model, {{"t", Q8_0}});
    CHECK(Assembly::make(model, {&plan}));
    CHECK(Assembly::make(same, {&plan}));
    const auto refused = Assembly::make(must(Model::open(folder / "other.gguf")), {&plan});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::bad_argument);
    CHECK(refused.error().detail == "the plan was not made from this model");
}
