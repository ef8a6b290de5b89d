// A server that answers as a test says, with every fault that HTTP allows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace ggufkit::test {

struct HttpRequestSeen {
    std::string target;                          // "/m.gguf?x"
    std::map<std::string, std::string> headers;  // names in lower case
    std::size_t number = 0;                      // from 0
    std::uint64_t begin = 0, end = ~0ull;        // of its range, one past the last byte

    std::string header(const std::string& name) const {
        const auto found = headers.find(name);
        return found == headers.end() ? "" : found->second;
    }
};

// An answer as it goes over the wire; the connection is closed behind it.
struct HttpReply {
    int status = 206;
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};

    // The last header of that name is replaced, or removed where the value is empty.
    HttpReply& set(const std::string& name, const std::string& value);
};

// The range of `content` that was asked for, as a server should send it.
HttpReply part_of(std::span<const std::byte> content, const HttpRequestSeen& request,
                  const std::string& etag = "\"1\"");

class ScriptedServer {
  public:
    // Called for each request, one at a time.
    using Script = std::function<HttpReply(const HttpRequestSeen&)>;
    explicit ScriptedServer(Script script);
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;
    ~ScriptedServer();

    std::string url(const std::string& target = "/m.gguf") const;
    std::vector<HttpRequestSeen> requests() const;

  private:
    void serve();
    void answer(int connection);

    Script script_;
    int listening_ = -1;
    int port_ = 0;
    mutable std::mutex mutex_;
    std::vector<HttpRequestSeen> requests_;
    std::jthread thread_;
};

// A port of the loopback that nobody listens at now.
int free_port();

}  // namespace ggufkit::test
