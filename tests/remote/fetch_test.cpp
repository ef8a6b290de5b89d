// Model::fetch() from a server that does all that a server can do wrong.
#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/remote.hpp>
#include <thread>

#include "remote/big_model.hpp"
#include "remote/scripted_server.hpp"
#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

using Content = std::vector<std::byte>;

// Asks again at once.
RemoteOptions patient() {
    RemoteOptions options;
    options.retry_delay = std::chrono::milliseconds(1);
    return options;
}

Result<Model> fetch(const ScriptedServer& server, const OpenOptions& options = {.header_only = true},
                    const RemoteOptions& remote = patient()) {
    return Model::fetch(server.url(), remote, options);
}

Error refusal(const ScriptedServer& server, const OpenOptions& options = {.header_only = true},
              const RemoteOptions& remote = patient()) {
    const auto model = fetch(server, options, remote);
    REQUIRE_FALSE(model);
    CHECK(model.error().subject == server.url());
    return model.error();
}

Error refusal(const ScriptedServer::Script& script) { return refusal(ScriptedServer(script)); }

HttpReply good(const HttpRequestSeen& request) { return part_of(big_content(), request); }

// Whether a model's file is `content`, as far as it was fetched.
bool holds(const Result<Model>& model) {
    REQUIRE_MESSAGE(model, model.error().message());
    const auto file = model->header().file();
    if (model->header().whole()) return std::ranges::equal(file, big_content());
    const std::size_t header = model->header().data_offset();
    return file.size() == big_content().size() &&
           std::ranges::equal(file.first(header), std::span(big_content()).first(header));
}

std::uint64_t asked_bytes(const ScriptedServer& server) {
    std::uint64_t sum = 0;
    for (const HttpRequestSeen& request : server.requests()) {
        sum += std::min<std::uint64_t>(request.end, big_content().size()) - request.begin;
    }
    return sum;
}

}  // namespace

TEST_CASE("the header alone is fetched, in parts that grow, or all of it, at once") {
    const ScriptedServer server(good);
    const auto header = fetch(server);
    CHECK(holds(header));
    CHECK_FALSE(header->header().whole());
    CHECK(header->shard_path(0) == server.url());
    std::uint64_t there = 0;
    for (const HttpRequestSeen& request : server.requests()) {
        CHECK(request.begin == there);
        there = request.end;
        CHECK(request.header("accept-encoding") == "identity");
        CHECK(request.header("user-agent") == "ggufkit/0.1.0");
        CHECK(request.header("authorization") == "");
    }
    CHECK(server.requests().size() == 4);
    CHECK(there >= header->header().data_offset());
    CHECK(there == 512 << 10);

    const ScriptedServer other(good);
    std::uint64_t last = 0;
    const auto all = fetch(other, {.work = {.progress = [&](const Progress& now) {
                                       const auto [done, total] = now;
                                       CHECK(total == big_content().size());
                                       CHECK(done > last);
                                       last = done;
                                   }}});
    CHECK(holds(all));
    CHECK(all->header().whole());
    CHECK(last == big_content().size());
    CHECK(other.requests().size() == 1);
}

TEST_CASE("data of a tensor is fetched when it is asked for, once, by whichever thread") {
    const ScriptedServer server(good);
    const auto model = fetch(server);
    REQUIRE(model);
    const ModelTensor* tensor = model->find_tensor("large.weight");
    REQUIRE(tensor != nullptr);
    const auto refused = model->header().data(*tensor->info);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::not_found);

    const std::size_t before = server.requests().size();
    const SmallModel made = big_model();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                const auto data = model->data(*tensor);
                CHECK((data && std::ranges::equal(*data, big_model().at("large.weight").bytes)));
            });
        }
    }
    const auto requests = server.requests();
    REQUIRE(requests.size() == before + 1);
    const std::uint64_t begin = model->header().data_offset() + tensor->info->offset;
    CHECK(requests.back().begin == begin);
    CHECK(requests.back().end == begin + *tensor->info->bytes());

    // What reads from the file has it as well.
    Content bytes(1000);
    REQUIRE(::pread(model->shard_fd(0), bytes.data(), bytes.size(), static_cast<off_t>(begin)) == 1000);
    CHECK(std::ranges::equal(bytes, std::span(big_content()).subspan(begin, 1000)));
    CHECK(model->check_unchanged());
}

TEST_CASE("parts of a tensor are fetched alone, near ones in one, and none of them twice") {
    const ScriptedServer server(good);
    const auto model = fetch(server);
    REQUIRE_MESSAGE(model, model.error().message());
    const ModelTensor& tensor = *model->find_tensor("large.weight");  // 2.1 MiB
    const auto content = std::span(big_content()).subspan(model->header().data_offset() + tensor.info->offset);
    const std::size_t size = *tensor.info->bytes(), before = server.requests().size();
    const std::vector<DataPart> parts{{100, 34}, {1000, 34}, {size - 68, 68}};
    const auto data = model->data(tensor, parts);
    REQUIRE_MESSAGE(data, data.error().message());
    CHECK(data->size() == size);
    for (const auto& [begin, bytes] : parts) {
        CHECK(std::ranges::equal(data->subspan(begin, bytes), content.subspan(begin, bytes)));
    }
    const auto asked = [&] {
        std::vector<std::uint64_t> sizes;
        for (const HttpRequestSeen& request : server.requests()) sizes.push_back(request.end - request.begin);
        return std::vector(sizes.begin() + static_cast<std::ptrdiff_t>(before), sizes.end());
    };
    CHECK(asked() == std::vector<std::uint64_t>{934, 68});
    CHECK(model->data(tensor, parts));
    CHECK(asked().size() == 2);
    CHECK(model->data(tensor, {}));
    CHECK(asked().size() == 2);
    const auto all = model->data(tensor);
    REQUIRE(all);
    CHECK(std::ranges::equal(*all, content.first(size)));
    CHECK(asked() == std::vector<std::uint64_t>{934, 68, 100, size - 1034 - 68});
    for (const DataPart& part : {DataPart{size, 1}, DataPart{0, size + 1}, DataPart{1, ~0ull}, DataPart{~0ull, 1}}) {
        const auto beyond = model->data(tensor, std::array{part});
        REQUIRE_FALSE(beyond);
        CHECK(beyond.error().code == Errc::out_of_range);
    }
}

TEST_CASE("a comparison fetches the data that it compares, and sees what differs") {
    const TemporaryFolder folder;
    SmallModel mine = big_model();
    mine.at("other.weight").bytes[5] ^= std::byte{1};
    mine.remove("large.weight");
    const auto local = Model::open(mine.save(folder / "m.gguf"));
    const ScriptedServer server(good);
    const auto remote = fetch(server);
    REQUIRE((local && remote));
    const auto diff = compare_models(*local, *remote);
    REQUIRE_MESSAGE(diff, diff.error().message());
    REQUIRE(diff->tensors.size() == 2);
    CHECK(diff->tensors[0].name == "other.weight");
    CHECK(diff->tensors[0].bytes_differ);
    CHECK(diff->tensors[1].name == "large.weight");
    CHECK(asked_bytes(server) < big_content().size() - big_model().at("large.weight").bytes.size() / 2);
}

TEST_CASE("what passes is tried again, where it had come to, what does not is told") {
    for (const int status : {408, 429, 500, 502, 503, 504}) {
        const ScriptedServer server([&](const HttpRequestSeen& request) {
            return request.number < 4 ? HttpReply{.status = status} : good(request);
        });
        CHECK(holds(fetch(server)));
    }
    for (const int status : {400, 401, 403, 404, 410, 451, 501}) {
        const ScriptedServer server([&](const HttpRequestSeen&) { return HttpReply{.status = status}; });
        const Error error = refusal(server);
        CHECK(error.code == Errc::io_open);
        CHECK(error.detail.ends_with("(HTTP " + std::to_string(status) + ")"));
        CHECK(server.requests().size() == 1);
    }
    const ScriptedServer down([](const HttpRequestSeen&) { return HttpReply{.status = 503}; });
    CHECK(refusal(down).detail == "the server is in trouble: try again later (HTTP 503)");
    CHECK(down.requests().size() == 5);

    // Cut again and again, a file arrives whole, and no byte comes twice.
    const ScriptedServer cutting([](const HttpRequestSeen& request) {
        HttpReply reply = good(request);
        reply.body.resize(std::min<std::size_t>(reply.body.size(), 300'000));
        return reply;
    });
    CHECK(holds(fetch(cutting, {})));
    std::uint64_t next = 0;
    for (const HttpRequestSeen& request : cutting.requests()) {
        CHECK(request.begin == next);
        next += 300'000;
    }
    CHECK(cutting.requests().size() == (big_content().size() + 299'999) / 300'000);
    const ScriptedServer silent([](const HttpRequestSeen& request) {
        HttpReply reply = good(request);
        reply.body.resize(std::min<std::size_t>(reply.body.size(), 10));
        return reply;
    });
    CHECK(refusal(silent).code == Errc::io_read);
    CHECK(silent.requests().size() == 5);
}

TEST_CASE("a server that asks for time gets it, up to a limit") {
    const auto asking = [](const std::string& time) {
        return [time](const HttpRequestSeen& request) {
            return request.number == 0 ? HttpReply{.status = 429}.set("Retry-After", time) : good(request);
        };
    };
    CHECK(holds(fetch(ScriptedServer(asking("1")))));
    CHECK(refusal(asking("3600")).detail == "the server asks to come back in 3600 seconds");
}

TEST_CASE("a server that lies about what it sends is not believed") {
    const auto with = [](const std::string& name, const std::string& value) {
        return [=](const HttpRequestSeen& request) { return good(request).set(name, value); };
    };
    const std::string size = std::to_string(big_content().size());
    for (const std::string& range :
         {std::string(), std::string("bytes"), std::string("bytes 0-65535/*"), std::string("bytes 0-65535/65535"),
          "bytes 1-65536/" + size, "bytes 0-65536/" + size, "bytes 9-5/" + size, "bytes 0-99999999999999999999/" + size,
          "bytes 0-65535/" + size + "x", "lines 0-65535/" + size}) {
        CAPTURE(range);
        const Error error = refusal(with("Content-Range", range));
        CHECK(error.code == Errc::io_read);
        CHECK(error.detail.find("which part") != std::string::npos);
    }
    // A length that does not fit the range: too short, and in chunks that go on.
    CHECK(refusal(with("Content-Length", "100")).detail.starts_with("the server sends 100 of the "));
    const Error more = refusal([](const HttpRequestSeen& request) {
        HttpReply reply = good(request);
        reply.set("Content-Length", "").set("Transfer-Encoding", "chunked");
        reply.body = "10010\r\n" + reply.body + std::string(16, 'x') + "\r\n0\r\n\r\n";
        return reply;
    });
    CHECK(more.detail == "the server sends more than it says");
    CHECK(refusal(with("Content-Encoding", "gzip")).code == Errc::unsupported);

    // A part of a part, for ever.
    const Error less = refusal([](const HttpRequestSeen& request) {
        HttpRequestSeen small = request;
        small.end = request.begin + 1;
        return part_of(big_content(), small);
    });
    CHECK(less.detail == "the server sends less than it is asked for");
    CHECK(refusal([](const HttpRequestSeen&) { return HttpReply{.status = 304}; }).code == Errc::io_open);
}

TEST_CASE("a file of a size that no disk has") {
    for (const bool header_only : {true, false}) {
        for (const char* size : {"9223372036854775807", "1152921504606846976"}) {
            const ScriptedServer server([&](const HttpRequestSeen& request) {
                const std::string end = std::to_string(std::min<std::uint64_t>(request.end, big_content().size()) - 1);
                return good(request).set("Content-Range", "bytes 0-" + end + "/" + size);
            });
            const Error error = refusal(server, {.header_only = header_only});
            CHECK((error.code == Errc::io_no_space || error.code == Errc::io_read));
        }
    }
}

TEST_CASE("servers without ranges, pages, other schemes") {
    const auto whole = [](const std::string& type) {
        return [=](const HttpRequestSeen&) {
            return HttpReply{.status = 200, .body = std::string(100, 'x')}.set("Content-Type", type);
        };
    };
    CHECK(refusal(whole("application/octet-stream")).code == Errc::unsupported);
    CHECK(refusal(whole("application/octet-stream")).detail.starts_with("the server cannot send parts of a file"));
    CHECK(refusal(whole("text/html; charset=utf-8")).detail.starts_with("is a page for browsers"));
    for (const char* where : {"ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1:1/x"}) {
        const Error error =
            refusal([&](const HttpRequestSeen&) { return HttpReply{.status = 302}.set("Location", where); });
        CHECK(error.code == Errc::unsupported);
    }
    const ScriptedServer around(
        [](const HttpRequestSeen&) { return HttpReply{.status = 302}.set("Location", "/m.gguf"); });
    CHECK(refusal(around).detail == "redirects more than 8 times");
    CHECK(around.requests().size() == 9);
}

TEST_CASE("a file that changes between two requests is never mixed with what it was") {
    const auto changing = [](auto change) {
        return [=](const HttpRequestSeen& request) {
            HttpReply reply = good(request);
            if (request.number > 0) change(reply, request);
            return reply;
        };
    };
    const auto another = [&](auto change) { return refusal(changing(change)).code; };
    CHECK(another([](HttpReply& reply, const HttpRequestSeen&) { reply.set("ETag", "\"2\""); }) == Errc::io_changed);
    CHECK(another([](HttpReply& reply, const HttpRequestSeen& request) {
              reply = part_of(std::span(big_content()).first(big_content().size() - 1), request);
          }) == Errc::io_changed);
    CHECK(another([](HttpReply& reply, const HttpRequestSeen&) {
              reply = HttpReply{.status = 416}.set("Content-Range", "bytes */10");
          }) == Errc::io_changed);
    // Without an ETag, by the time of the last change.
    const ScriptedServer dated([](const HttpRequestSeen& request) {
        return good(request)
            .set("ETag", "")
            .set("Last-Modified", "Mon, 0" + std::to_string(1 + request.number / 2) + " Jan 2024 00:00:00 GMT");
    });
    CHECK(refusal(dated).code == Errc::io_changed);
    CHECK(dated.requests().size() == 3);

    // In data that is asked for later, too.
    bool changed = false;
    const ScriptedServer server(
        [&](const HttpRequestSeen& request) { return part_of(big_content(), request, changed ? "\"2\"" : "\"1\""); });
    const auto model = fetch(server);
    REQUIRE(model);
    changed = true;
    const auto data = model->data(*model->find_tensor("large.weight"));
    REQUIRE_FALSE(data);
    CHECK(data.error().code == Errc::io_changed);
}

TEST_CASE("what is no model, or a broken one, ends early") {
    const Content text(10 << 20, std::byte{'x'});
    for (const bool header_only : {true, false}) {
        const ScriptedServer server([&](const HttpRequestSeen& request) { return part_of(text, request); });
        CHECK(fetch(server, {.header_only = header_only}).error().code == Errc::bad_magic);
        CHECK(server.requests().size() == 1);
    }
    const ScriptedServer empty([](const HttpRequestSeen& request) { return part_of({}, request); });
    CHECK(fetch(empty).error().code == Errc::truncated);
    CHECK(fetch(empty, {}).error().code == Errc::truncated);

    // A fault that more bytes would not cure, and one that they might.
    Content version = big_content();
    version[4] = std::byte{9};
    const ScriptedServer wrong([&](const HttpRequestSeen& request) { return part_of(version, request); });
    CHECK(fetch(wrong).error().code == Errc::bad_version);
    CHECK(wrong.requests().size() == 1);
    const ScriptedServer cut(
        [&](const HttpRequestSeen& request) { return part_of(std::span(big_content()).first(300'000), request); });
    CHECK(fetch(cut).error().code == Errc::length_past_eof);
}

TEST_CASE("a header without an end is not fetched without an end") {
    // Strings of no length, as far as the eye reaches, in an array of as many as the file could hold.
    SmallModel model = small_llama();
    model.set("tokenizer.ggml.tokens", Value::of_strings(std::vector<std::string>(1, "")));
    Content endless = model.bytes();
    endless.resize(64 << 20);
    const std::string key = "tokenizer.ggml.tokens";
    const auto as_bytes = std::as_bytes(std::span(key));
    const auto at =
        std::ranges::search(endless, as_bytes).begin() - endless.begin() + static_cast<long>(key.size()) + 8;
    for (std::size_t i = 0; i < 8; ++i) endless[static_cast<std::size_t>(at) + i] = std::byte(i == 2 ? 0x7f : 0);
    std::fill(endless.begin() + at + 8, endless.end(), std::byte{0});
    const ScriptedServer server([&](const HttpRequestSeen& request) { return part_of(endless, request); });
    RemoteOptions options = patient();
    options.header_limit = 3 << 20;
    const Error error = refusal(server, {.header_only = true}, options);
    CHECK(error.code == Errc::unsupported);
    CHECK(error.detail == "its header does not end in the first 3 MiB, and more is not fetched for one");
    for (const HttpRequestSeen& request : server.requests()) CHECK(request.end <= 3 << 20);
}

TEST_CASE("a request to stop ends what is under way") {
    std::stop_source stop;
    std::atomic<bool> over = false;
    {
        const ScriptedServer server([&](const HttpRequestSeen&) {
            stop.request_stop();
            while (!over) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            return HttpReply{};
        });
        const auto model = fetch(server, {.work = {.stop = stop.get_token()}});
        over = true;
        REQUIRE_FALSE(model);
        CHECK(model.error().code == Errc::cancelled);
    }
    // And a wait.
    stop = {};
    const ScriptedServer busy([&](const HttpRequestSeen&) {
        std::thread([&stop] { stop.request_stop(); }).detach();
        return HttpReply{.status = 503}.set("Retry-After", "50");
    });
    CHECK(fetch(busy, {.work = {.stop = stop.get_token()}}).error().code == Errc::cancelled);
}

TEST_CASE("the token goes to the endpoint's scheme, host and port, and to nobody else") {
    const auto accepting = [](const HttpRequestSeen& request) { return good(request); };
    const ScriptedServer other(accepting), endpoint([&](const HttpRequestSeen& request) {
        if (request.target.starts_with("/here")) return HttpReply{.status = 302}.set("Location", "/m.gguf");
        if (request.target.starts_with("/owner"))
            return HttpReply{.status = 302}.set("Location", other.url("/cdn?sig=1"));
        return good(request);
    });
    RemoteOptions options = patient();
    options.hf_endpoint = endpoint.url("/");
    options.hf_token = "hf_secret";
    const auto tokens = [](const ScriptedServer& server, std::size_t from) {
        std::vector<std::string> seen;
        for (const auto& request : server.requests()) seen.push_back(request.header("authorization"));
        return std::vector(seen.begin() + static_cast<std::ptrdiff_t>(from), seen.end());
    };
    const auto all = [](const std::vector<std::string>& seen, const std::string& token) {
        return !seen.empty() && std::ranges::all_of(seen, [&](const auto& one) { return one == token; });
    };
    const OpenOptions header{.header_only = true};
    CHECK(holds(Model::fetch("hf:owner/repo/m.gguf", options, header)));
    CHECK(all(tokens(endpoint, 0), "Bearer hf_secret"));
    CHECK(all(tokens(other, 0), ""));
    CHECK(endpoint.requests().front().target == "/owner/repo/resolve/main/m.gguf");
    CHECK(other.requests().front().target == "/cdn?sig=1");

    std::size_t seen = endpoint.requests().size();
    CHECK(holds(Model::fetch(endpoint.url("/here"), options, header)));
    CHECK(all(tokens(endpoint, seen), "Bearer hf_secret"));
    CHECK(holds(Model::fetch(other.url(), options, header)));
    CHECK(all(tokens(other, 0), ""));
    // A redirect from elsewhere to the endpoint does not get it for them.
    const ScriptedServer referring(
        [&](const HttpRequestSeen&) { return HttpReply{.status = 302}.set("Location", endpoint.url()); });
    seen = endpoint.requests().size();
    CHECK(holds(Model::fetch(referring.url(), options, header)));
    CHECK(all(tokens(endpoint, seen), ""));
    CHECK(all(tokens(referring, 0), ""));

    options.hf_token = "hf_secret\r\nX-Injected: 1";
    const auto refused = Model::fetch(other.url(), options, header);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::bad_argument);
    CHECK(refused.error().message().find("secret") == std::string::npos);
}
