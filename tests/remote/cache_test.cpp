// The cache of headers, of a server that counts what it is asked.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ggufkit/model.hpp>
#include <ggufkit/remote.hpp>
#include <thread>

#include "io/header_cache.hpp"
#include "remote/big_model.hpp"
#include "remote/scripted_server.hpp"
#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

using Content = std::vector<std::byte>;

// Answers whom has the file's ETag with 304.
HttpReply conditional(const HttpRequestSeen& request, const Content& file = big_content(),
                      const std::string& etag = "\"1\"") {
    if (request.header("if-none-match") == etag) return HttpReply{.status = 304}.set("ETag", etag);
    return part_of(file, request, etag);
}

struct Cached {
    TemporaryFolder folder;
    RemoteOptions options;

    Cached() {
        options.cache = folder / "a/cache";
        options.retry_delay = std::chrono::milliseconds(1);
    }
    bool holds(const ScriptedServer& server, const Content& file = big_content(),
               const std::string& target = "/m.gguf") const {
        const auto model = Model::fetch(server.url(target), options, {.header_only = true});
        REQUIRE_MESSAGE(model, model.error().message());
        const std::size_t header = model->header().data_offset();
        return std::ranges::equal(model->header().file().first(header), std::span(file).first(header));
    }
    std::vector<fs::path> entries() const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(options.cache)) found.push_back(entry.path());
        return found;
    }
};

}  // namespace

TEST_CASE("a header that is known costs one request, which brings nothing") {
    const Cached cached;
    const ScriptedServer server([](const HttpRequestSeen& request) { return conditional(request); });
    CHECK(cached.holds(server));
    const std::size_t first = server.requests().size();
    CHECK(first > 2);
    for (const auto& request : server.requests()) CHECK(request.header("if-none-match") == "");
    CHECK(cached.holds(server));
    CHECK(server.requests().size() == first + 1);
    CHECK(server.requests().back().header("if-none-match") == "\"1\"");

    // Data is then fetched as ever.
    const auto model = Model::fetch(server.url(), cached.options, {.header_only = true});
    REQUIRE(model);
    const auto data = model->data(*model->find_tensor("other.weight"));
    CHECK((data && std::ranges::equal(*data, big_model().at("other.weight").bytes)));

    // Another URL is another file; the whole file does not come out of a cache.
    CHECK(cached.holds(server, big_content(), "/m.gguf?x"));
    CHECK(cached.entries().size() == 2);
    CHECK(Model::fetch(server.url(), cached.options)->header().whole());
    CHECK((fs::status(cached.options.cache).permissions() & fs::perms::all) == fs::perms::owner_all);
}

TEST_CASE("a header that is no longer true is replaced") {
    const Cached cached;
    SmallModel model = big_model();
    model.set("general.name", "Another");
    const Content later = model.bytes();
    bool changed = false;
    const ScriptedServer server([&](const HttpRequestSeen& request) {
        return changed ? conditional(request, later, "\"2\"") : conditional(request);
    });
    CHECK(cached.holds(server));
    changed = true;
    CHECK(cached.holds(server, later));
    const std::size_t before = server.requests().size();
    CHECK(cached.holds(server, later));
    CHECK(server.requests().size() == before + 1);
    CHECK(cached.entries().size() == 1);
}

TEST_CASE("without an ETag that promises the same bytes nothing is kept") {
    for (const char* etag : {"", "W/\"1\""}) {
        const Cached cached;
        const ScriptedServer server(
            [&](const HttpRequestSeen& request) { return part_of(big_content(), request, etag); });
        CHECK(cached.holds(server));
        CHECK_FALSE(fs::exists(cached.options.cache));
    }
}

TEST_CASE("a damaged entry is as good as none") {
    const Cached cached;
    const ScriptedServer server([](const HttpRequestSeen& request) { return conditional(request); });
    CHECK(cached.holds(server));
    const fs::path entry = cached.entries().front();
    const auto size = fs::file_size(entry);
    const auto request_count = [&] {
        const std::size_t before = server.requests().size();
        CHECK(cached.holds(server));
        return server.requests().size() - before;
    };
    const std::size_t all = server.requests().size();
    CHECK(request_count() == 1);
    for (const std::uintmax_t cut : {std::uintmax_t{0}, std::uintmax_t{5}, size / 2, size - 1, size + 1}) {
        fs::resize_file(entry, cut);
        CHECK(request_count() == all);
        CHECK(request_count() == 1);
    }
    for (const std::uintmax_t at : {std::uintmax_t{0}, std::uintmax_t{20}, size / 2, size - 1}) {
        std::fstream file(entry, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(at)).put('\xff').flush();
        CHECK(request_count() == all);
    }
    fs::remove(entry);
    fs::create_directory(entry);
    CHECK(request_count() == all);
    fs::remove(entry);
    fs::create_symlink("/etc/hostname", entry);
    CHECK(request_count() == all);
}

TEST_CASE("a folder that cannot be had is no error") {
    Cached cached;
    const ScriptedServer server([](const HttpRequestSeen& request) { return conditional(request); });
    write_file(cached.folder / "file", "x");
    cached.options.cache = cached.folder / "file/cache";
    CHECK(cached.holds(server));
    CHECK(cached.holds(server));
}

TEST_CASE("any number of writers at the same time") {
    const Cached cached;
    const ScriptedServer server([](const HttpRequestSeen& request) { return conditional(request); });
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                const io::HeaderCache cache(cached.options.cache, 64 << 20);
                const io::RemoteIdentity identity{big_content().size(), "\"1\"", ""};
                for (int n = 0; n < 20; ++n) {
                    cache.keep(server.url(), identity, std::span(big_content()).first(500'000));
                    const auto entry = cache.find(server.url());
                    CHECK((entry && entry->header.size() == 500'000));
                }
            });
        }
    }
    CHECK(cached.entries().size() == 1);
    CHECK(cached.holds(server));
    CHECK(server.requests().size() == 1);
}

TEST_CASE("the cache stays within its size, what was used last stays, and nothing else in its folder is touched") {
    const TemporaryFolder folder;
    const io::HeaderCache cache(folder.path(), 100'000);
    const Content header(10'000, std::byte{7});
    const io::RemoteIdentity identity{1 << 20, "\"1\"", ""};
    write_file(folder / "mine", std::string(200'000, 'x'));
    cache.keep("first", identity, header);
    const auto age = [&] {  // of all that is there
        for (const auto& entry : fs::directory_iterator(folder.path())) {
            fs::last_write_time(entry, fs::last_write_time(entry) - std::chrono::hours(1));
        }
    };
    for (int i = 0; i < 20; ++i) {
        age();
        CHECK(cache.find("first"));
        cache.keep(std::to_string(i), identity, header);
    }
    std::uintmax_t size = 0;
    for (const auto& entry : fs::directory_iterator(folder.path())) size += entry.file_size();
    CHECK(size <= 200'000 + 100'000);
    CHECK(size >= 200'000 + 80'000);
    CHECK(cache.find("19"));
    CHECK_FALSE(cache.find("0"));
    CHECK(fs::exists(folder / "mine"));
    cache.keep("large", identity, Content(50'000));
    CHECK_FALSE(cache.find("large"));
}

TEST_CASE("a header that came with one request is not kept") {
    const Cached cached;
    const Content small = small_llama().tensor("large.weight", TensorType::Q8_0, {1024, 2048}).bytes();
    const ScriptedServer server([&](const HttpRequestSeen& request) { return part_of(small, request, "\"1\""); });
    CHECK(cached.holds(server, small));
    CHECK_FALSE(fs::exists(cached.options.cache));
}

TEST_CASE("the cache removes entries, and never a file that only looks like one") {
    const TemporaryFolder folder;
    const io::HeaderCache cache(folder.path(), 100'000);
    const io::RemoteIdentity identity{1 << 20, "\"1\"", ""};
    const std::string digits(32, '0');
    const std::vector<std::string> names = {"notes.header",      ".tmp-mine",
                                            ".header",           "x" + digits + ".header",
                                            digits + "0.header", digits.substr(1) + "g.header"};
    const auto leave = [&](const std::string& name) {
        write_file(folder / name, std::string(200'000, 'x'));
        fs::last_write_time(folder / name, fs::file_time_type::clock::now() - std::chrono::hours(1000));
    };
    for (const std::string& name : names) leave(name);
    leave(digits + ".header");  // what a killed run left
    for (int i = 0; i < 3; ++i) cache.keep(std::to_string(i), identity, Content(10'000, std::byte{7}));
    for (const std::string& name : names) {
        CAPTURE(name);
        CHECK(fs::exists(folder / name));
    }
    CHECK_FALSE(fs::exists(folder / (digits + ".header")));
    CHECK(cache.find("2"));
}

TEST_CASE("an entry that another user can have made is not believed") {
    const TemporaryFolder folder;
    const io::HeaderCache cache(folder.path(), 100'000);
    const io::RemoteIdentity identity{1 << 20, "\"1\"", ""};
    cache.keep("url", identity, Content(10'000, std::byte{7}));
    REQUIRE(cache.find("url"));
    const fs::path entry = fs::directory_iterator(folder.path())->path();

    for (const fs::perms open : {fs::perms::group_write, fs::perms::others_write}) {
        fs::permissions(folder.path(), open, fs::perm_options::add);
        CHECK_FALSE(cache.find("url"));
        cache.keep("other", identity, Content(10'000, std::byte{7}));
        fs::permissions(folder.path(), open, fs::perm_options::remove);
        CHECK_FALSE(cache.find("other"));
    }
    CHECK(cache.find("url"));

    fs::create_hard_link(entry, folder / "second");
    CHECK_FALSE(cache.find("url"));
    fs::remove(entry);
    fs::create_symlink(folder / "second", entry);
    CHECK_FALSE(cache.find("url"));
    fs::remove(entry);
    fs::rename(folder / "second", entry);
    CHECK(cache.find("url"));
    if (::geteuid() != 0) return;
    REQUIRE(::chown(entry.c_str(), 65534, 65534) == 0);
    CHECK_FALSE(cache.find("url"));
    REQUIRE(::chown(entry.c_str(), 0, 0) == 0);
    REQUIRE(::chown(folder.path().c_str(), 65534, 65534) == 0);
    CHECK_FALSE(cache.find("url"));
}
