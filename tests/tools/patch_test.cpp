// gguf-diff --patch and --apply as a user has them.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <filesystem>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

struct Files {
    TemporaryFolder folder;
    std::string old_file, new_file, patch = folder / "fix.ggufpatch", made = folder / "made.gguf";

    explicit Files(std::string_view name) {
        SmallModel is = small_llama();
        is.set("general.name", name);
        old_file = small_llama().save(folder / "old.gguf");
        new_file = is.save(folder / "new.gguf");
    }
    CommandResult diff(std::vector<std::string> arguments) const { return run_tool("gguf-diff", arguments, 100); }
    void make() const { REQUIRE(diff({old_file, new_file, "--patch", patch}).exit_code == 0); }
    bool same(const std::string& a, const std::string& b) const { return diff({a, b}).exit_code == 0; }
    // Without the folder's name, which is another one each time.
    std::string short_text(std::string text) const {
        const std::string prefix = folder.path().string() + "/";
        for (std::size_t at; (at = text.find(prefix)) != text.npos;) text.erase(at, prefix.size());
        return text;
    }
};

constexpr std::string_view as_long = "Small Llamb", longer = "A model with a longer name than it had before";

}  // namespace

TEST_CASE("gguf-diff --patch writes what --apply makes the new file of") {
    const Files files(longer);
    const auto made = files.diff({files.old_file, files.new_file, "--patch", files.patch, "--zstd-level", "19"});
    CHECK(made.exit_code == 0);
    const std::string text = files.short_text(made.text());
    CHECK(text.starts_with("fix.ggufpatch: "));
    CHECK(text.ends_with("B, which makes new.gguf (255.5 KiB) from old.gguf\n"));

    const auto applied = files.diff({"--apply", files.patch, files.old_file, files.made});
    CHECK(applied.exit_code == 0);
    CHECK(files.short_text(applied.text()) == "made.gguf: 255.5 KiB, as the patch says it must be\n");
    CHECK(files.same(files.made, files.new_file));

    const auto again = files.diff({"--apply", files.patch, files.old_file, files.made});
    CHECK(again.exit_code == 2);
    CHECK(files.short_text(again.err) == "gguf-diff: made.gguf: exists already; --force replaces a finished file\n");
    CHECK(files.diff({"--apply", files.patch, files.old_file, files.made, "--force"}).exit_code == 0);
}

TEST_CASE("gguf-diff --apply refuses a patch for another file, and what is no patch") {
    const Files files(longer);
    files.make();
    const auto wrong = files.diff({"--apply", files.patch, files.new_file, files.made});
    CHECK(wrong.exit_code == 2);
    CHECK(files.short_text(wrong.err) == "gguf-diff: new.gguf: is what the patch makes, not what it was made for\n");
    const auto none = files.diff({"--apply", files.old_file, files.old_file, files.made});
    CHECK(none.exit_code == 2);
    CHECK(files.short_text(none.err) == "gguf-diff: old.gguf: is no ggufpatch\n");
    CHECK_FALSE(fs::exists(files.made));
    const auto whole = read_bytes(files.old_file);
    write_file(files.old_file, std::span(whole).first(300));
    const auto cut = files.diff({files.old_file, files.new_file, "--patch", files.made});
    CHECK(cut.exit_code == 2);
    CHECK(files.short_text(cut.err).starts_with("gguf-diff: old.gguf: "));
    CHECK_FALSE(fs::exists(files.made));
}

TEST_CASE("gguf-diff --apply --in-place changes the file itself where nothing moves") {
    const Files files(as_long);
    const auto made = files.diff({files.old_file, files.new_file, "--patch", files.patch});
    CHECK(made.text().ends_with(", in place too\n"));
    const auto applied = files.diff({"--apply", files.patch, files.old_file, "--in-place"});
    CHECK(applied.exit_code == 0);
    CHECK(applied.err == "");
    CHECK(files.same(files.old_file, files.new_file));

    const Files moves(longer);
    moves.make();
    const auto refused = moves.diff({"--apply", moves.patch, moves.old_file, "--in-place"});
    CHECK(refused.exit_code == 2);
    CHECK(moves.short_text(refused.err) ==
          "gguf-diff: old.gguf: cannot be patched in place: bytes that both files have would have to move\n");
}

TEST_CASE("gguf-diff --patch --json says what spec/json.md promises") {
    const Files files(as_long);
    const auto made = files.diff({files.old_file, files.new_file, "--patch", files.patch, "--json"});
    const json::object object = json::parse(made.text()).as_object();
    CHECK(object.at("patch").as_string() == files.patch);
    CHECK(object.at("bytes").to_number<std::uint64_t>() == fs::file_size(files.patch));
    CHECK(object.at("old").at("bytes").to_number<std::uint64_t>() == fs::file_size(files.old_file));
    CHECK(object.at("new").at("xxh3_128").as_string().size() == 32);
    CHECK(object.at("copied_bytes").to_number<std::uint64_t>() > 100'000);
    CHECK(object.at("in_place").as_bool());
    const auto applied = files.diff({"--apply", files.patch, files.old_file, files.made, "--json"});
    CHECK(json::parse(applied.text()).as_object() == object);
}

TEST_CASE("gguf-diff tells the misuse of its flags for patches") {
    const Files files(as_long);
    files.make();
    const auto refuses = [&](std::vector<std::string> arguments, std::string_view sentence) {
        const auto result = files.diff(std::move(arguments));
        CHECK(result.exit_code == 2);
        CAPTURE(result.err);
        CHECK(result.err.find(sentence) != std::string::npos);
    };
    refuses({files.old_file, "--patch", files.made}, "--patch takes OLD and NEW");
    refuses({"--apply", files.patch, files.old_file}, "--apply takes OLD and NEW, or --in-place and one FILE");
    refuses({"--apply", files.patch, files.old_file, files.new_file, "--in-place"}, "--in-place takes one FILE");
    refuses({files.old_file, files.new_file, "--in-place"}, "--in-place is for --apply");
    refuses({files.old_file, files.new_file, "--patch", files.made, "--in-place"}, "--in-place is for --apply");
    refuses({"-", files.new_file, "--patch", files.made}, "not of standard input");
    refuses({files.old_file, files.new_file, "--patch", files.made, "--apply", files.patch}, "excludes");
    refuses({files.old_file, files.new_file, "--patch", files.made, "--zstd-level", "20"}, "--zstd-level");
    refuses({files.old_file}, "B is missing");
    CHECK_FALSE(fs::exists(files.made));
}

TEST_CASE("gguf-diff --apply of a file that a run in place left half rewritten says what to do") {
    const Files files(as_long);
    files.make();
    // What a run that was killed leaves: a file between the two, and a note.
    auto bytes = read_bytes(files.old_file);
    bytes.back() ^= std::byte{1};
    write_file(files.old_file, bytes);
    const auto without = files.diff({"--apply", files.patch, files.old_file, files.made});
    CHECK(without.exit_code == 2);
    CHECK(without.err.find("--in-place") == std::string::npos);
    write_file(files.old_file + ".ggufkit-redo", bytes);
    const auto with = files.diff({"--apply", files.patch, files.old_file, files.made});
    CHECK(with.exit_code == 2);
    CHECK(files.short_text(with.err).find("old.gguf: is not the file that the patch was made for: its bytes differ; "
                                          "old.gguf.ggufkit-redo says that a run in place was interrupted: finish that "
                                          "one first, with --apply PATCH old.gguf --in-place\n") != std::string::npos);
    CHECK(!fs::exists(files.made));
}

TEST_CASE("gguf-diff --patch and --apply refuse flags of a comparison") {
    const Files files(longer);
    for (const auto& flags : std::vector<std::vector<std::string>>{
             {"--brief"}, {"--ignore", "x"}, {"--html", files.made}, {"--sample", "4"}, {"--fail-above", "max=1"}}) {
        std::vector<std::string> arguments{files.old_file, files.new_file, "--patch", files.patch};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        CHECK(files.diff(arguments).exit_code == 2);
        CHECK(!fs::exists(files.patch));
    }
}
