#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <ggufkit/requant/plan.hpp>
#include <set>
#include <string>

#include "support/files.hpp"
#include "support/shapes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

TEST_CASE("file types: found by id, by name in any case, and by alias") {
    std::set<std::string_view> names;
    for (const FileType& file_type : file_types()) {
        CHECK(find_file_type(file_type.id) == &file_type);
        CHECK(find_file_type(file_type.name) == &file_type);
        CHECK_FALSE(file_type.summary.empty());
        names.insert(file_type.name);
    }
    CHECK(names.size() == file_types().size());
    CHECK(find_file_type("q4_k_m")->id == 15);
    CHECK(find_file_type("iq2_Xxs")->id == 19);
    CHECK(find_file_type("Q3_K") == find_file_type("Q3_K_M"));
    CHECK(find_file_type("q4_k") == find_file_type("Q4_K_M"));
    CHECK(find_file_type("Q5_K") == find_file_type("Q5_K_M"));
    CHECK(find_file_type("ALL_F32") == find_file_type("F32"));
    for (const auto* unknown : {"", "Q4_2", "Q4_K_", "COPY"}) CHECK(find_file_type(unknown) == nullptr);
    for (const std::uint32_t removed : {4U, 5U, 6U, 33U, 34U, 35U, 42U, 1024U, ~0U})
        CHECK(find_file_type(removed) == nullptr);
}

TEST_CASE("file types: the table of spec/recipes.md is this program's") {
    const TemporaryFolder folder;
    make_shape("llama-3-8b").save(folder / "model.gguf");
    const auto model = Model::open(folder / "model.gguf");
    REQUIRE(model);
    std::string expected;
    for (const FileType& file_type : file_types()) {
        const auto plan = make_plan(*model, {Mix{.file_type = &file_type}});
        REQUIRE(plan);
        expected += fmt::format("| {} | {} | {} | {:.2f} |\n", file_type.id, file_type.name,
                                format_of(file_type.default_type).name, plan->bpw());
    }
    std::string documented;
    std::ifstream document(GGUFKIT_SOURCE_DIR "/spec/recipes.md");
    for (std::string line; std::getline(document, line);)
        if (line.starts_with("| ") && line[2] >= '0' && line[2] <= '9') documented += line + "\n";
    CHECK(documented == expected);
}
