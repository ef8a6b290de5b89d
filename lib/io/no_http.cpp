// What http.hpp promises, in a library that was built without libcurl.
#include "io/http.hpp"

namespace ggufkit::io {

struct HttpClient::State {
    HttpOptions options;
};

// NOLINTNEXTLINE(performance-unnecessary-value-param): the one with libcurl keeps them
Result<HttpClient> HttpClient::create(HttpOptions) {
    return fail({.code = Errc::unsupported, .detail = "is on a server, and this library was built without libcurl"});
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;
const HttpOptions& HttpClient::options() const { return state_->options; }

tl::expected<HttpAnswer, HttpFailure> HttpClient::get(const HttpRequest&, const Take&) {
    return tl::unexpected(HttpFailure{create({}).error()});
}

}  // namespace ggufkit::io
