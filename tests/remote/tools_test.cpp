// The three tools on a real nginx: what they print, and what it cost according to its log.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <ggufkit/model.hpp>

#include "remote/big_model.hpp"
#include "remote/nginx.hpp"
#include "support/files.hpp"
#include "support/foreign_files.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

class Site {
  public:
    Site() {
        require_nginx();
        nginx_.emplace();
        big_model().save(nginx().file("m-F16.gguf"));
    }
    Nginx& nginx() { return *nginx_; }
    std::string url(const std::string& path = "/files/m-F16.gguf") { return nginx().url(path); }
    std::string file() { return nginx().file("m-F16.gguf"); }
    std::string hf(const std::string& name) const { return "hf:owner/repo/" + name; }
    std::string operator/(const std::string& name) const { return folder_ / name; }
    fs::path cache() const { return folder_.path() / "cache" / "ggufkit"; }

    // With a cache of its own, and without a proxy.
    CommandResult run(const char* tool, std::vector<std::string> arguments, std::vector<std::string> more = {}) {
        more.insert(more.end(), {"XDG_CACHE_HOME=" + folder_ / "cache", "HF_ENDPOINT=" + nginx().url(""),
                                 "HF_TOKEN=", "GGUFKIT_CACHE=", "no_proxy=127.0.0.1"});
        return run_tool(tool, std::move(arguments), 80, more);
    }
    CommandResult info(std::vector<std::string> arguments, std::vector<std::string> more = {}) {
        return run("gguf-info", std::move(arguments), std::move(more));
    }
    // One line that says why it failed.
    std::string refusal(const std::string& name, std::vector<std::string> more = {}) {
        const CommandResult result = info({name}, std::move(more));
        CHECK(result.exit_code == 1);
        CHECK(result.text() == "");
        CHECK(std::ranges::count(result.err, '\n') == 1);
        return result.err;
    }

  private:
    TemporaryFolder folder_;
    std::optional<Nginx> nginx_;
};

std::uint64_t bytes_of(const std::vector<Served>& served) {
    std::uint64_t sum = 0;
    for (const Served& one : served) sum += one.bytes;
    return sum;
}

}  // namespace

TEST_CASE("gguf-info says of a URL what it says of the file, and fetches the header, the second time nothing") {
    Site site;
    for (const char* flag : {"--tensors", "--metadata", "--json", "--layers"}) {
        CHECK(site.info({site.url(), flag}).text() == site.info({site.file(), flag}).text());
    }
    const auto served = site.nginx().served(7);
    REQUIRE(served.size() == 7);
    const std::vector<std::string> ranges{"bytes=0-65535", "bytes=65536-131071", "bytes=131072-262143",
                                          "bytes=262144-524287"};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(served[i].status == 206);
        CHECK(served[i].range == ranges[i]);
    }
    CHECK(bytes_of(served) == 524'288);
    for (std::size_t i = 4; i < 7; ++i) {
        CHECK(served[i].status == 304);
        CHECK(served[i].if_none_match != "");
    }

    // The summary, but for its first line.
    const std::string remote = site.info({site.url()}).text();
    std::string local = site.info({site.file()}).text();
    CHECK(remote.starts_with(site.url() + "\n"));
    const std::string none = "none\n";
    REQUIRE(local.ends_with(none));
    local.replace(local.size() - none.size(), none.size(), "none in the header; --check looks at the rest\n");
    CHECK(remote.substr(remote.find('\n')) == local.substr(local.find('\n')));
    CHECK(site.nginx().served(1).size() == 1);

    // The file becomes another. (nginx makes ETags of size and time in seconds.)
    SmallModel other = big_model();
    other.set("general.name", "Another").save(site.file());
    fs::last_write_time(site.file(), fs::last_write_time(site.file()) + std::chrono::seconds(10));
    CHECK(site.info({site.url(), "--get", "general.name"}).text() == "Another\n");
    CHECK(site.nginx().served(4).size() == 4);
    CHECK(site.info({site.url(), "--get", "general.name"}).text() == "Another\n");
    CHECK(site.nginx().served(1).size() == 1);

    CHECK(!fs::is_empty(site.cache()));
    fs::remove_all(site.cache());
    CHECK(site.info({site.url()}, {"GGUFKIT_CACHE=off"}).exit_code == 0);
    CHECK(!fs::exists(site.cache()));
    CHECK(site.nginx().served(4).size() == 4);
    CHECK(site.info({site.url()}, {"GGUFKIT_CACHE=" + site / "elsewhere"}).exit_code == 0);
    CHECK(!fs::is_empty(site / "elsewhere"));
}

TEST_CASE("--check fetches all, and finds what is wrong behind the header") {
    Site site;
    const auto size = fs::file_size(site.file());
    CHECK(site.info({site.url(), "--check"}).exit_code == 0);
    const auto served = site.nginx().served(1);
    CHECK(served.size() == 1);
    CHECK(bytes_of(served) == size);
    std::ofstream(site.file(), std::ios::app) << "more";
    CHECK(site.info({site.url(), "--check", "--strict"}).text() != "");
    CHECK(site.info({site.url(), "--check", "--strict"}).exit_code == 1);
    fs::resize_file(site.file(), size - 1000);
    const CommandResult cut = site.info({site.url(), "--check"});
    CHECK(cut.exit_code == 1);
    CHECK(cut.text().find("DATA_PAST_EOF") != std::string::npos);
    CHECK(cut.text().find(site.url() + ": invalid, 1 error") != std::string::npos);
}

TEST_CASE("gguf-requant of a URL writes what it writes of the file, here where nothing else is said") {
    Site site;
    REQUIRE(site.run("gguf-requant", {site.file(), site / "local.gguf", "Q8_0"}).exit_code == 0);
    const CommandResult plan = site.run("gguf-requant", {site.url(), "Q8_0", "--dry-run", "--json"});
    CHECK(plan.exit_code == 0);
    CHECK(text_of(json_of(plan).at("input")) == site.url());
    CHECK(text_of(json_of(plan).at("output")) == "m-Q8_0.gguf");
    CHECK(bytes_of(site.nginx().served(4)) == 524'288);

    const std::string command = "cd '" + site / "" +
                                "' && no_proxy=127.0.0.1 GGUFKIT_CACHE=off \"$BIN/gguf-requant\" '" +
                                site.url("/moved/m-F16.gguf?download=true") + "' Q8_0";
    const CommandResult made = run_shell(command);
    CHECK_MESSAGE(made.exit_code == 0, made.err);
    CHECK(read_text(site / "m-Q8_0.gguf") == read_text(site / "local.gguf"));
    const auto served = site.nginx().served(2);
    CHECK(bytes_of(served) - served.front().bytes == fs::file_size(site.file()));

    // In memory, a file that has not changed is the same input.
    const std::string name = "ggufkit-test-" + std::to_string(::getpid());
    for (const char* said : {"bits a weight", "is there already"}) {
        const CommandResult shared = site.run("gguf-requant", {site.url(), "Q8_0", "--shm", name});
        CHECK_MESSAGE(shared.exit_code == 0, shared.err);
        CHECK_MESSAGE(shared.text().find(said) != std::string::npos, shared.text());
    }
    CHECK(site.run("gguf-requant", {"--shm-remove", name}).exit_code == 0);
}

TEST_CASE("gguf-diff fetches what it compares") {
    Site site;
    const CommandResult same = site.run("gguf-diff", {site.url(), site.file()});
    CHECK_MESSAGE(same.exit_code == 0, same.err);
    site.nginx().served(1);
    REQUIRE(site.run("gguf-requant", {site.file(), site / "q4.gguf", "Q4_0", "--pure"}).exit_code == 0);
    CHECK(site.run("gguf-diff", {site.url(), site / "q4.gguf", "--brief"}).exit_code == 1);
    CHECK(bytes_of(site.nginx().served(1)) < 50'000);  // norms: the others have another type, which says enough
    const CommandResult other = site.run("gguf-diff", {site.url(), site / "q4.gguf"});
    CHECK(other.exit_code == 1);
    CHECK(other.text().find("large.weight") != std::string::npos);
    CHECK(bytes_of(site.nginx().served(1)) > 1'000'000);  // weights, for how far they are apart
}

TEST_CASE("shards are followed, whichever is named") {
    Site site;
    big_model().save_split(site.nginx().file("s"), 3);
    for (const char* name : {"s-00001-of-00003.gguf", "s-00002-of-00003.gguf"}) {
        const CommandResult remote =
            site.info({site.url(std::string("/files/") + name + "?download=true"), "--tensors"});
        CHECK_MESSAGE(remote.exit_code == 0, remote.err);
        CHECK(remote.text() == site.info({site.nginx().file(name), "--tensors"}).text());
    }
    const auto token = std::string("HF_TOKEN=hf_secret");
    CHECK(site.info({site.hf("s-00003-of-00003.gguf"), "--tensors"}, {token}).text() ==
          site.info({site.nginx().file("s-00003-of-00003.gguf"), "--tensors"}).text());
    const CommandResult whole =
        site.run("gguf-requant", {site.hf("s-00001-of-00003.gguf"), site / "whole.gguf", "COPY"}, {token});
    CHECK_MESSAGE(whole.exit_code == 0, whole.err);
    CHECK(site.run("gguf-diff", {site / "whole.gguf", site.file()}).exit_code == 0);

    fs::remove(site.nginx().file("s-00003-of-00003.gguf"));
    const CommandResult missing = site.run("gguf-diff", {site.url("/files/s-00001-of-00003.gguf"), site.file()});
    CHECK(missing.exit_code == 2);
    CHECK(missing.err.find("s-00003-of-00003.gguf: BAD_SPLIT") != std::string::npos);
    CHECK(missing.err.find("shard 3 of 3: there is no such file on the server (HTTP 404)") != std::string::npos);
    const CommandResult alone = site.info({site.url("/files/s-00001-of-00003.gguf")});
    CHECK(alone.exit_code == 1);
    CHECK(alone.text().find("1 error") != std::string::npos);
}

TEST_CASE("Hugging Face: the token opens it, and goes no further") {
    Site site;
    const std::string name = site.hf("m-F16.gguf");
    CHECK(site.refusal(name) ==
          "gguf-info: " + name +
              ": is not public, or not there: HF_TOKEN may hold a token of Hugging Face, other servers take "
              "https://USER:PASSWORD@HOST/… (HTTP 401)\n");
    CHECK(site.refusal(name, {"HF_TOKEN=wrong"}) ==
          "gguf-info: " + name + ": the server does not accept the token in HF_TOKEN (HTTP 401)\n");
    CHECK(site.nginx().served(2).size() == 2);

    const CommandResult result = site.info({name, "--tensors"}, {"HF_TOKEN=hf_secret"});
    CHECK(result.text() == site.info({site.file(), "--tensors"}).text());
    std::size_t elsewhere = 0;
    for (const Served& one : site.nginx().served(8)) {
        const bool there = one.port == site.nginx().other_port();
        CHECK(one.authorization == (there ? "" : "Bearer hf_secret"));
        elsewhere += there ? 1 : 0;
    }
    CHECK(elsewhere == 4);
    CHECK(site.info({site.url("/away/m-F16.gguf")}, {"HF_TOKEN=hf_secret"}).exit_code == 0);
    for (const Served& one : site.nginx().served(2)) {
        CHECK((one.port != site.nginx().other_port() || one.authorization.empty()));
    }
    CHECK(site.refusal(site.hf("m.gguf@v1")).find("hf:OWNER/REPO@REVISION/FILE.gguf") != std::string::npos);
    CHECK(site.refusal(name, {"HF_TOKEN=hf secret"}).find("secret") == std::string::npos);
}

TEST_CASE("a password in a URL opens, and is never printed") {
    Site site;
    const std::string clean = site.url("/password/m-F16.gguf");
    const auto with = [&](std::string what) {
        std::string url = clean;
        return url.insert(7, what + "@") + "?key=pass%20word";
    };
    const auto never = [](const CommandResult& result) {
        for (const std::string& text : {result.text(), result.err}) {
            CHECK(text.find("pass%20") == std::string::npos);
            CHECK(text.find("pass word") == std::string::npos);
        }
    };
    const std::string url = with("user:pass%20word");
    for (const char* flag : {"--tensors", "--json", "--check", "--header-hex"}) {
        const CommandResult result = site.info({url, flag});
        CHECK(result.exit_code == 0);
        never(result);
    }
    const CommandResult summary = site.info({url});
    CHECK(summary.text().starts_with(clean + "\n"));
    never(summary);
    never(site.info({url, "--get", "no.such.key"}));
    never(site.info({with("user:pass%20word%21")}));
    never(site.info({site.url("/files/none.gguf?pass%20word")}));
    never(site.run("gguf-requant", {url, "Q8_0", "--dry-run", "--json"}));
    never(site.run("gguf-requant", {url, site / "x.gguf", "Q8_0", "--report", site / "x.json"}));
    CHECK(read_text(site / "x.json").find("pass%20") == std::string::npos);
    never(site.run("gguf-diff", {url, site / "x.gguf"}));
    never(site.info({site / "x.gguf", "--verify", url}));
    for (const auto& entry : fs::recursive_directory_iterator(site.cache())) {
        CHECK(entry.path().string().find("pass") == std::string::npos);
        CHECK(read_text(entry.path()).find("pass%20") == std::string::npos);
    }
}

TEST_CASE("what a server refuses is told in words") {
    Site site;
    const auto about = [&](const std::string& path) {
        const std::string start = "gguf-info: " + site.url(path) + ": ";
        const std::string text = site.refusal(site.url(path));
        REQUIRE(text.starts_with(start));
        return text.substr(start.size());
    };
    CHECK(about("/files/none.gguf") == "there is no such file on the server (HTTP 404)\n");
    CHECK(about("/forbidden/m-F16.gguf") ==
          "access is refused: of a gated model, accept the terms on its page and set HF_TOKEN (HTTP 403)\n");
    CHECK(about("/whole/m-F16.gguf") ==
          "the server cannot send parts of a file: download it, or give it on standard input (curl -s URL | … -)\n");
    CHECK(about("/page/m-F16.gguf") ==
          "is a page for browsers, not a file (of Hugging Face, hf:OWNER/REPO/FILE.gguf is the file)\n");
    CHECK(about("/around/m-F16.gguf") == "redirects more than 8 times\n");
    CHECK(site.nginx().served(13).size() == 13);  // none of them twice
    CHECK(site.refusal("ftp://127.0.0.1/m.gguf") ==
          "gguf-info: ftp://127.0.0.1/m.gguf: ftp is not understood: there are http, https and hf\n");
    const CommandResult closed = site.info({"http://127.0.0.1:1/m.gguf"});
    CHECK(closed.err == "gguf-info: http://127.0.0.1:1/m.gguf: 127.0.0.1 cannot be connected to\n");
    CHECK(site.info({site.url("/slow/m-F16.gguf"), "--types"}).exit_code == 0);
}

TEST_CASE("what a server has in place of a model is called what it is") {
    Site site;
    for (const ForeignFile& file : foreign_files()) {
        if (file.bytes.empty()) continue;
        CAPTURE(file.name);
        write_file(site.nginx().file("what.gguf"), file.bytes);
        const std::string what = "this is " + std::string(file.what) + ", not a GGUF file; ";
        const std::string header = file.compressed ? "is compressed without a seek table" : what;
        CHECK(site.refusal(site.url("/files/what.gguf")).find(header) != std::string::npos);
        const CommandResult whole = site.run("gguf-requant", {site.url("/files/what.gguf"), site / "out.gguf", "COPY"});
        CHECK(whole.exit_code == 1);
        CHECK(whole.err.find(file.compressed ? "TRUNCATED ends within " : what) != std::string::npos);
    }
}

TEST_CASE("TLS: certificates count, and a redirect does not leave it") {
    Site site;
    const std::string url = site.nginx().secure_url("/files/m-F16.gguf");
    CHECK(site.refusal(url, {"SSL_CERT_FILE=" + site.nginx().stranger()})
              .find(": the certificate of 127.0.0.1 cannot be trusted: ") != std::string::npos);
    const std::string trust = "SSL_CERT_FILE=" + site.nginx().certificate();
    CHECK(site.info({url, "--tensors"}, {trust}).text() == site.info({site.file(), "--tensors"}).text());
    CHECK(site.refusal(site.nginx().secure_url("/plain/m-F16.gguf"), {trust})
              .find("leads to a scheme other than https") != std::string::npos);
    CHECK(site.refusal(url, {"SSL_CERT_FILE=/no/such/file"}).find("that SSL_CERT_FILE names") != std::string::npos);
}

TEST_CASE("compressed: the header by the seek table, all of it where it is wanted") {
    Site site;
    const std::string compressed = site.nginx().file("m.gguf.zst");
    const CommandResult made = site.run("gguf-requant", {site.file(), compressed, "COPY"});
    if (made.err.find("built without zstd") != std::string::npos) return;
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    const std::string url = site.url("/files/m.gguf.zst");
    CHECK(site.info({url, "--tensors"}).text() == site.info({compressed, "--tensors"}).text());
    CHECK(bytes_of(site.nginx().served(4)) < fs::file_size(compressed) / 4);
    CHECK(site.info({url, "--check"}).exit_code == 0);
    CHECK(bytes_of(site.nginx().served(1)) == fs::file_size(compressed));
    const CommandResult same = site.run("gguf-diff", {url, site.file()});  // tensor by tensor
    CHECK_MESSAGE(same.exit_code == 0, same.err);

    // Without the table the header has no place that is known.
    fs::resize_file(compressed, fs::file_size(compressed) - 1);
    CHECK(site.refusal(url).find("is compressed without a seek table") != std::string::npos);
}

TEST_CASE("compressed with gzip: all of it where it is wanted") {
    Site site;
    const std::string packed = site.nginx().file("m.gguf.gz"), url = site.url("/files/m.gguf.gz");
    REQUIRE(run_shell("gzip -c '" + site.file() + "' > '" + packed + "'").exit_code == 0);
    const CommandResult check = site.info({url, "--check"});
    if (check.text().find("built without Boost.Iostreams") != std::string::npos) return;
    CHECK_MESSAGE(check.exit_code == 0, check.text());
    CHECK(bytes_of(site.nginx().served(1)) == fs::file_size(packed));
    CHECK(site.run("gguf-requant", {url, site / "out.gguf", "COPY"}).exit_code == 0);
    CHECK(run_tool("gguf-diff", {site / "out.gguf", site.file()}).exit_code == 0);
    CHECK(site.refusal(url).find("is compressed without a seek table") != std::string::npos);
}
