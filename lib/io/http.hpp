// One GET over HTTP or HTTPS, of all of a resource or of a range of it. libcurl does the work.
//
// This is all that the library knows of libcurl, so that it can be built without (CMake option GGUFKIT_CURL): then each
// of these is UNSUPPORTED. What an answer means, and whether to ask again, remote_file.hpp decides.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

namespace ggufkit::io {

struct HttpOptions {
    std::string token{};      // a bearer token; empty: none
    std::string token_url{};  // who gets it: requests to the scheme, host and port of this URL, and nobody else
    std::string ca_file{};    // certificates to trust; empty: those of the system
    std::chrono::milliseconds connect_timeout{20'000};
    std::chrono::seconds silence{30};  // how long less than a kilobyte a second is waited for
    std::stop_token stop{};
};

struct HttpRequest {
    std::string url;
    std::uint64_t begin = 0;
    std::uint64_t end = std::numeric_limits<std::uint64_t>::max();  // one past the last byte
    std::string if_none_match{};                                    // an ETag
};

// The last answer where there were redirects; headers that it does not have are empty.
struct HttpAnswer {
    long status = 0;
    bool token_sent = false;  // at least in the first request
    std::string etag{};
    std::string last_modified{};
    std::string content_range{};
    std::string content_type{};
    std::string content_encoding{};
    std::chrono::seconds retry_after{0};
};

struct HttpFailure {
    Error error;
    bool passing = false;  // the same request may do better in a while
};

// A connection that is kept from request to request. Any number of threads may ask; one is served at a time.
class HttpClient {
  public:
    // Errors: UNSUPPORTED; BAD_ARGUMENT where the token is none.
    static Result<HttpClient> create(HttpOptions options);

    HttpClient(HttpClient&&) noexcept;
    HttpClient& operator=(HttpClient&&) noexcept;
    ~HttpClient();

    // The body of an answer of 2xx as it comes, with the answer's headers; an error ends the transfer.
    using Take = std::function<Result<void>(const HttpAnswer& answer, std::span<const std::byte> bytes)>;

    // Whatever the status is. Redirects are followed, from HTTPS to HTTPS only. Errors: those of `take`, CANCELLED, IO_OPEN where
    // no connection came about, IO_READ.
    tl::expected<HttpAnswer, HttpFailure> get(const HttpRequest& request, const Take& take);

    const HttpOptions& options() const;

  private:
    struct State;
    explicit HttpClient(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace ggufkit::io
