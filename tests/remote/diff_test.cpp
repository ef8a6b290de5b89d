// gguf-diff with models on servers, on either side: what it says, what it asks for, and servers that cannot be believed.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "remote/big_model.hpp"
#include "remote/scripted_server.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// A server of `content`, and the model in a file.
struct Place {
    // `spoil`: makes an answer a bad one.
    using Spoil = std::function<void(const HttpRequestSeen&, HttpReply&)>;

    explicit Place(const SmallModel& model) : Place(model, model.bytes()) {}
    Place(const SmallModel& model, Spoil spoil) : Place(model, model.bytes(), std::move(spoil)) {}
    // `served`: what the server has instead.
    Place(
        const SmallModel& model, std::vector<std::byte> served, Spoil spoil = [](const auto&, auto&) {})
        : content(std::move(served)),
          file(model.save(folder / "m.gguf")),
          server([this, spoil = std::move(spoil)](const HttpRequestSeen& request) {
              HttpReply reply = part_of(content, request);
              spoil(request, reply);
              return reply;
          }) {}

    // How much was asked for behind the first half MiB, in which the header is.
    std::uint64_t data_asked_for() const {
        std::uint64_t sum = 0;
        for (const HttpRequestSeen& request : server.requests()) {
            if (request.begin >= 512 << 10) sum += request.end - request.begin;
        }
        return sum;
    }

    TemporaryFolder folder;
    const std::vector<std::byte> content;
    std::string file;
    ScriptedServer server;
};

CommandResult diff(std::vector<std::string> arguments) {
    return run_tool("gguf-diff", std::move(arguments), 100, {"GGUFKIT_CACHE=off", "no_proxy=127.0.0.1"});
}

void check_refused(const CommandResult& result, const std::string& name, std::string_view why) {
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.text() == "");
    CHECK(result.err.starts_with("gguf-diff: " + name));
    CHECK(result.err.find(why) != std::string::npos);
    CHECK(std::ranges::count(result.err, '\n') == 1);
}

// One byte of the large tensor.
SmallModel changed_model() {
    SmallModel model = big_model();
    model.at("large.weight").bytes[34 * 1000 + 5] ^= std::byte{1};
    return model;
}

}  // namespace

TEST_CASE("gguf-diff says of a URL what it says of the file, whichever side it is on") {
    const Place is(big_model()), other(changed_model());
    const std::string url = is.server.url(), other_url = other.server.url();
    for (const auto& [a, b] : {std::pair(url, is.file), std::pair(is.file, url), std::pair(url, url)}) {
        const CommandResult same = diff({a, b});
        CHECK_MESSAGE(same.exit_code == 0, same.err);
        CHECK(same.text() == "the same: 11 equal tensors\n");
    }
    const auto told = [&](const std::string& a, const std::string& b) {
        const CommandResult result = diff({a, b});
        CHECK_MESSAGE(result.exit_code == 1, result.err);
        const std::string text = result.text();
        return text.substr(text.find("\n\n"));  // behind the names
    };
    const std::string said = told(is.file, other.file);
    CHECK(said.find("~  large.weight") != said.npos);
    CHECK(told(url, other.file) == said);
    CHECK(told(is.file, other_url) == said);
    CHECK(told(url, other_url) == said);
    const std::string brief = diff({is.file, other.file, is.file, "--brief"}).text();
    CHECK(diff({url, other_url, is.file, "--brief"}).text() == brief);
    CHECK(brief.starts_with("B is nearer to the base: error 0 % against "));
}

TEST_CASE("gguf-diff asks a server for the tensors that have to be compared, once, and for no others") {
    SmallModel other = big_model();
    const std::uint64_t compared = other.at("other.weight").bytes.size();
    other.remove("large.weight");                  // A's has no like in B that it could be
    other.at("token_embd.weight").ne = {2560, 1};  // another shape
    const Place is(big_model()), file(other);
    CHECK(diff({is.server.url(), file.file}).exit_code == 1);
    CHECK(is.data_asked_for() >= compared);
    const std::uint64_t large = big_model().at("large.weight").bytes.size();
    CHECK(is.data_asked_for() < large);

    // A header that says enough.
    SmallModel retyped;
    retyped.metadata = big_model().metadata;
    for (const auto& tensor : big_model().tensors) retyped.tensor(tensor.name, TensorType::F32, tensor.ne);
    const Place target(retyped);
    SmallModel no_floats = big_model();
    std::erase_if(no_floats.tensors, [](const auto& tensor) { return tensor.type == TensorType::F32; });
    const Place without(no_floats);
    CHECK(diff({without.server.url(), target.file, "--brief"}).exit_code == 1);
    CHECK(without.server.requests().size() % 4 == 0);  // those of the header
    CHECK(without.data_asked_for() == 0);
    CHECK(diff({target.file, without.server.url(), "--brief"}).exit_code == 1);
    CHECK(without.server.requests().size() % 4 == 0);  // those of the header
    CHECK(without.data_asked_for() == 0);
}

TEST_CASE("gguf-diff --sample asks a server for parts of large tensors, once") {
    SmallModel base = big_model();
    base.tensor("huge.weight", TensorType::Q8_0, {4096, 4096});  // 17 MiB
    SmallModel other = base;
    for (std::size_t i = 40; i < other.at("huge.weight").bytes.size(); i += 34) {
        other.at("huge.weight").bytes[i] ^= std::byte{1};
    }
    const Place is(base), changed(other);
    const std::uint64_t small =
        big_model().at("large.weight").bytes.size() + big_model().at("other.weight").bytes.size();
    const auto told = [](const CommandResult& result) {
        CHECK_MESSAGE(result.exit_code == 1, result.err);
        const std::string text = result.text();
        return text.substr(text.find("\n\n"));
    };
    const std::string said = told(diff({is.file, changed.file, "--sample", "4"}));
    CHECK(told(diff({is.server.url(), changed.file, "--sample", "4"})) == said);
    CHECK(is.data_asked_for() > 4 * 2048 / 32 * 34);
    CHECK(is.data_asked_for() < small + (2 << 20));
    CHECK(told(diff({is.file, changed.server.url(), "--sample", "4"})) == said);
    CHECK(changed.data_asked_for() == is.data_asked_for());

    // All of it, in one part.
    const Place all(base);
    CHECK(diff({all.server.url(), all.file, "--sample", "100000"}).exit_code == 0);
    CHECK(all.data_asked_for() > small + base.at("huge.weight").bytes.size());
    CHECK(all.data_asked_for() <= all.content.size());
}

TEST_CASE("gguf-diff does not believe a server that cuts, changes or invents what it sends") {
    const Place good(big_model());
    const auto everywhere = [&](const Place& bad, std::string_view why) {
        check_refused(diff({bad.server.url(), good.file}), bad.server.url(), why);
        check_refused(diff({good.file, bad.server.url(), "--json"}), bad.server.url(), why);
        check_refused(diff({good.file, good.file, bad.server.url(), "--brief"}), bad.server.url(), why);
    };
    std::vector<std::byte> content = big_content();
    // Of which the end is missing.
    content.resize(content.size() - 5000);
    const Place cut(big_model(), content);
    everywhere(cut, "DATA_PAST_EOF");
    // Within the header.
    content.resize(100'000);
    const Place short_one(big_model(), content);
    everywhere(short_one, "LENGTH_PAST_EOF");
    // That is no model.
    std::ranges::fill(content, std::byte{'x'});
    const Place other(big_model(), content);
    everywhere(other, "BAD_MAGIC");
    // Another file from the first data on.
    const Place changing(big_model(), [](const HttpRequestSeen& request, HttpReply& reply) {
        if (request.begin >= 512 << 10) reply.set("ETag", "\"2\"");
    });
    everywhere(changing, "became another file on the server while it was read");
    // Another part than the one that was asked for.
    const Place lying(big_model(), [](const HttpRequestSeen& request, HttpReply& reply) {
        if (request.begin >= 512 << 10) reply.set("Content-Range", "bytes 0-9/" + std::to_string(4'000'000));
    });
    everywhere(lying, "the server does not say which part of the file it sends, or another than");
    // Gone.
    const Place gone(big_model(), [](const HttpRequestSeen&, HttpReply& reply) { reply = {.status = 404}; });
    everywhere(gone, "HTTP 404");
}
