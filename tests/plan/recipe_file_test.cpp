#include <doctest/doctest.h>

#include <regex>

#include <ggufkit/requant/recipe_file.hpp>
#include <string>
#include <vector>

#include "plan/exact_pattern.hpp"
#include "plan/overrides.hpp"
#include "plan/recipe_line.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using plan::exact_name;
using plan::exact_pattern;
using plan::recipe_line;

namespace {

// "REGEX=TYPE", each on its own.
std::string text_of(const RecipeFile& recipe) {
    std::string text = recipe.file_type != nullptr ? recipe_line(*recipe.file_type) : "";
    for (const TypeOverride& row : recipe.overrides) text += recipe_line(row);
    return text;
}

std::string fault(std::string_view text) {
    const auto recipe = parse_recipe_file(text);
    REQUIRE_FALSE(recipe);
    CHECK(recipe.error().code == Errc::bad_argument);
    return recipe.error().subject + ": " + recipe.error().detail;
}

}  // namespace

TEST_CASE("recipe file: entries are parted by blanks and lines, comments and blanks around = do not count") {
    const auto recipe = parse_recipe_file(
        "# all of it\r\nffn_down = q6_k   # every layer\n\n\tattn_[kq]=Q4_K attn_v= Q5_K\nfile_type =q4_k_m\n"
        "a#b=F16\n(?=x)y=IQ4_XS");
    REQUIRE(recipe);
    CHECK(text_of(*recipe) ==
          "file_type = Q4_K_M\nffn_down=Q6_K\nattn_[kq]=Q4_K\nattn_v=Q5_K\na#b=F16\n(?=x)y=IQ4_XS\n");
    const auto again = parse_recipe_file(text_of(*recipe));
    REQUIRE(again);
    CHECK(text_of(*again) == text_of(*recipe));
    CHECK(text_of(parse_recipe_file("").value()).empty());
    CHECK(recipe_line(recipe->overrides[0], "why") == "ffn_down=Q6_K  # why\n");
}

TEST_CASE("recipe file: as an editor on Windows saves it") {
    const auto recipe = parse_recipe_file(
        "\xef\xbb\xbf"
        "file_type = Q4_K_M\r\nffn_down=Q6_K\r\n");
    REQUIRE_MESSAGE(recipe, recipe.error().message());
    CHECK(recipe->file_type == find_file_type("Q4_K_M"));
    REQUIRE(recipe->overrides.size() == 1);
    CHECK(recipe->overrides[0].pattern() == "ffn_down");
}

TEST_CASE("recipe file: a fault names its line") {
    CHECK(fault("a=F16\nffn_down\n") == "line 2: 'ffn_down' is not REGEX=TYPE");
    CHECK(fault("\n\n=F16") == "line 3: '=F16' is not REGEX=TYPE");
    CHECK(fault("a=Q4_K_M") == "line 1: 'Q4_K_M' is no tensor type but a file type, a mix of them: mostly Q4_K");
    CHECK(fault("a=Q8_K") == "line 1: 'Q8_K' is no tensor type that weights can have");
    CHECK(fault("file_type = Q9") == "line 1: 'Q9' is no file type");
    CHECK(fault("file_type=F16\nfile_type=F16") == "line 2: file_type is given a second time");
    CHECK(fault("a=") == "line 1: '' is no tensor type that weights can have");
}

TEST_CASE("recipe file: read from disk, a fault names the file too") {
    const TemporaryFolder folder;
    const std::string path = folder / "mine.recipe";
    CHECK(read_recipe_file(path).error().code == Errc::io_open);
    const std::string_view good = "a=F16", bad = "a=F17";
    write_file(path, good);
    CHECK(text_of(read_recipe_file(path).value()) == "a=F16\n");
    write_file(path, bad);
    CHECK(read_recipe_file(path).error().subject == path + ", line 1");
}

TEST_CASE("recipe file: an exact pattern is found in its own name, and survives the file") {
    const std::vector<std::string> names{"blk.1.attn_q.weight", "v.BLK-0 (a|b)#=[x].weight", "blk.1.\xc3\xa9",
                                         "a\nb\\x41", std::string(5000, 'N')};
    for (const std::string& name : names) {
        CHECK(exact_name(exact_pattern(name)) == name);
        const auto recipe = parse_recipe_file(recipe_line({TensorName(name), TensorType::Q4_K}, "note"));
        REQUIRE(recipe);
        const auto overrides = plan::Overrides::compile(recipe->overrides);
        REQUIRE(overrides);
        CHECK(overrides->find(name).value() == recipe->overrides.data());
        CHECK(overrides->find(name + "x").value() == nullptr);
        CHECK(overrides->find("blk.11.attn_q.weight").value() == nullptr);
        CHECK(overrides->find("blk.1xattn_q.weight").value() == nullptr);
        // As a regular expression it says the same, for other programs that read it.
        const auto found = [&](const std::string& text) {
            return std::regex_search(text, std::regex(exact_pattern(name)));
        };
        if (name.size() > 100) continue;
        CHECK(found(name));
        CHECK_FALSE(found(name + "x"));
        CHECK_FALSE(found("x" + name));
    }
    for (const char* other :
         {"^blk.0$", "^blk\\.0", "blk\\.0$", "^BLK$", "^a|b$", "^\\x4A$", "^\\x61$", "^\\x6$", "^$x", "$^", "^"}) {
        CAPTURE(other);
        CHECK_FALSE(exact_name(other));
    }
    CHECK(exact_name("^$") == "");
}
