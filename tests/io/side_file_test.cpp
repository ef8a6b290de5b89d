#include "io/side_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include "support/files.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;
using io::open_side_file;
using io::read_side_file;
using io::side_name;
using io::SideAccess;
using test::TemporaryFolder;

TEST_CASE("side files: what this program cannot have made is refused at once, and stays as it is") {
    TemporaryFolder folder;
    write_file(folder / "victim", "precious");
    const fs::path path = folder / "side";
    std::string reason;
    SUBCASE("a hard link") {
        fs::create_hard_link(folder / "victim", path);
        reason = "it has a second name (a hard link)";
    }
    SUBCASE("a symbolic link") {
        fs::create_symlink(folder / "victim", path);
        reason = "it is a symbolic link";
    }
    SUBCASE("a symbolic link to nothing") {
        fs::create_symlink(folder / "nothing", path);
        reason = "it is a symbolic link";
    }
    SUBCASE("a FIFO") {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        reason = "it is a FIFO";
    }
    SUBCASE("a folder") {
        fs::create_directory(path);
        reason = "it is a folder";
    }
    SUBCASE("another user's file") {
        write_file(path, "theirs");
        if (::chown(path.c_str(), 12345, 12345) != 0) return;  // only root can make one
        reason = "it belongs to another user";
    }
    for (const SideAccess access : {SideAccess::read, SideAccess::write, SideAccess::create}) {
        const auto file = open_side_file(path, access);
        REQUIRE_FALSE(file);
        CHECK(file.error().code == Errc::io_open);
        CHECK(file.error().subject == path);
        CHECK(file.error().detail == "not made by ggufkit: " + reason + "; remove or rename it");
    }
    CHECK_FALSE(read_side_file(path, 100));
    CHECK(read_text(folder / "victim") == "precious");
    CHECK(fs::exists(fs::symlink_status(path)));
    CHECK_FALSE(fs::exists(folder / "nothing"));
}

TEST_CASE("side files: opened as they are, made only where that was asked for") {
    TemporaryFolder folder;
    const std::string path = folder / "side";
    for (const SideAccess access : {SideAccess::read, SideAccess::write}) {
        const auto file = open_side_file(path, access);
        REQUIRE_FALSE(file);
        CHECK(file.error().code == Errc::not_found);
    }
    CHECK(open_side_file(path, SideAccess::create));
    CHECK(fs::file_size(path) == 0);
    write_file(path, "content");
    CHECK(open_side_file(path, SideAccess::create));
    CHECK(read_side_file(path, 100) == "content");
    CHECK(read_side_file(path, 3) == "con");
    const auto unreachable = open_side_file(folder / "missing/side", SideAccess::create);
    REQUIRE_FALSE(unreachable);
    CHECK(unreachable.error().code == Errc::io_open);
}

TEST_CASE("side files: a name for every file, however long, and none twice") {
    CHECK(side_name("out.gguf", ".note") == "out.gguf.note");
    CHECK(side_name(std::string(250, 'n'), ".note") == std::string(250, 'n') + ".note");
    std::set<std::string> names;
    for (const std::size_t size : {251, 254, 255}) {
        for (const char last : {'a', 'b'}) {
            const std::string name = side_name(std::string(size - 1, 'n') + last, ".note");
            CHECK(name.size() == 255);
            CHECK(name.ends_with(".note"));
            names.insert(name);
        }
    }
    CHECK(names.size() == 6);

    std::string umlauts;
    while (umlauts.size() < 254) umlauts += "\u00fc";
    for (const std::string& name : {umlauts, "x" + umlauts}) {
        const std::string cut = side_name(name, ".note");
        CHECK(cut.size() <= 255);
        CHECK(name.starts_with(cut.substr(0, cut.rfind('-'))));
        CHECK(static_cast<unsigned char>(name[cut.rfind('-')]) == 0xC3);  // a character begins where the cut is
    }
    CHECK(io::side_path("folder/out.gguf", ".note") == "folder/out.gguf.note");
    CHECK(io::side_path("out.gguf", ".note") == "out.gguf.note");
}
