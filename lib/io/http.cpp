#include "io/http.hpp"

#define CURL_DISABLE_TYPECHECK  // it wraps functions in macros of their names
#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <pthread.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <exception>
#include <ggufkit/version.hpp>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace ggufkit::io {

namespace {

constexpr long most_redirects = 8;
constexpr long slow = 1000;  // bytes a second

// libcurl, loaded with the first URL: it brings some thirty libraries along, and loading those takes longer than all that
// gguf-info does for a file on disk.
struct Curl {
    decltype(&curl_global_init) global_init;
    decltype(&curl_easy_init) easy_init;
    decltype(&curl_easy_cleanup) easy_cleanup;
    decltype(&curl_easy_reset) easy_reset;
    decltype(&curl_easy_setopt) easy_setopt;
    decltype(&curl_easy_perform) easy_perform;
    decltype(&curl_easy_getinfo) easy_getinfo;
    decltype(&curl_easy_header) easy_header;
    decltype(&curl_easy_strerror) easy_strerror;
    decltype(&curl_slist_append) slist_append;
    decltype(&curl_slist_free_all) slist_free_all;
    decltype(&curl_url) url;
    decltype(&curl_url_set) url_set;
    decltype(&curl_url_get) url_get;
    decltype(&curl_url_cleanup) url_cleanup;
    decltype(&curl_free) free;

    // Once and for all; false where it is not installed, or too old.
    bool load() {
        void* library = nullptr;
        for (const char* const name : {"libcurl.so.4", "libcurl-gnutls.so.4"}) {
            if (library == nullptr) library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
        }
        const auto find = [library](auto& function, const char* name) {
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
            return function != nullptr;
        };
        return library != nullptr && find(global_init, "curl_global_init") && find(easy_init, "curl_easy_init") &&
               find(easy_cleanup, "curl_easy_cleanup") && find(easy_reset, "curl_easy_reset") &&
               find(easy_setopt, "curl_easy_setopt") && find(easy_perform, "curl_easy_perform") &&
               find(easy_getinfo, "curl_easy_getinfo") && find(easy_header, "curl_easy_header") &&
               find(easy_strerror, "curl_easy_strerror") && find(slist_append, "curl_slist_append") &&
               find(slist_free_all, "curl_slist_free_all") && find(url, "curl_url") && find(url_set, "curl_url_set") &&
               find(url_get, "curl_url_get") && find(url_cleanup, "curl_url_cleanup") && find(free, "curl_free") &&
               global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    }
};

// Nothing else here is used before create() has seen that it is there.
const Curl* library() {
    static const std::optional<Curl> loaded = [] {
        Curl curl{};
        return curl.load() ? std::optional(curl) : std::nullopt;
    }();
    return loaded ? &*loaded : nullptr;
}
const Curl& curl() { return *library(); }

struct Free {
    void operator()(CURL* handle) const { curl().easy_cleanup(handle); }
    void operator()(CURLU* url) const { curl().url_cleanup(url); }
    void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, Free>;
using Headers = std::unique_ptr<curl_slist, Free>;

// A URL, taken apart.
class Url {
  public:
    explicit Url(const std::string& text) : url_(curl().url()) {
        good_ = url_ && curl().url_set(url_.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
    }
    std::string part(CURLUPart which) const {
        char* text = nullptr;
        if (!good_ || curl().url_get(url_.get(), which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
        std::string part = text;
        curl().free(text);
        return part;
    }
    // Schemes and hosts are compared in any case.
    bool same_origin(const Url& other) const {
        return good_ && other.good_ &&
               std::ranges::all_of(std::array{CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}, [&](CURLUPart which) {
                   return ::strcasecmp(part(which).c_str(), other.part(which).c_str()) == 0;
               });
    }

  private:
    std::unique_ptr<CURLU, Free> url_;
    bool good_ = false;
};

// While one lives, writing to a connection that the other side has closed raises no signal in this thread: TLS libraries
// write without saying so, and the program may not ignore SIGPIPE.
class NoPipeSignal {
  public:
    NoPipeSignal() {
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        sigset_t waiting;
        ::sigpending(&waiting);
        was_waiting_ = ::sigismember(&waiting, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    NoPipeSignal(const NoPipeSignal&) = delete;
    NoPipeSignal& operator=(const NoPipeSignal&) = delete;
    ~NoPipeSignal() {
        constexpr timespec at_once{};
        while (!was_waiting_ && ::sigtimedwait(&pipe_, nullptr, &at_once) == SIGPIPE) {
        }
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }

  private:
    sigset_t pipe_{}, before_{};
    bool was_waiting_ = false;
};

bool is_token(const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

// What went wrong below HTTP, in words. Never libcurl's message buffer: it may quote the URL.
HttpFailure failure_of(CURLcode code, const std::string& host, bool connected) {
    const auto failure = [&](Errc kind, std::string detail, bool passing = false) {
        return HttpFailure{{.code = kind, .detail = std::move(detail)}, passing};
    };
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST: return failure(Errc::io_open, fmt::format("no address is known of {}", host));
        case CURLE_COULDNT_RESOLVE_PROXY: return failure(Errc::io_open, "no address is known of the proxy");
        case CURLE_COULDNT_CONNECT: return failure(Errc::io_open, fmt::format("{} cannot be connected to", host));
        case CURLE_URL_MALFORMAT: return failure(Errc::bad_argument, "is no valid URL");
        case CURLE_UNSUPPORTED_PROTOCOL:
            return failure(Errc::unsupported, "leads to a scheme other than https (or http, from http)");
        case CURLE_TOO_MANY_REDIRECTS:
            return failure(Errc::io_open, fmt::format("redirects more than {} times", most_redirects));
        case CURLE_PEER_FAILED_VERIFICATION:
            return failure(
                Errc::io_open,
                fmt::format("the certificate of {} cannot be trusted: it is expired, of another host, or of an "
                            "authority that is not known here (SSL_CERT_FILE names a file of those to trust)",
                            host));
        case CURLE_SSL_CACERT_BADFILE:
            return failure(Errc::io_open,
                           "the certificates to trust cannot be read: they are in the file that SSL_CERT_FILE names, "
                           "or come with the package ca-certificates");
        case CURLE_OPERATION_TIMEDOUT:
            return failure(Errc::io_read, fmt::format("{} does not answer", host), connected);
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM: return failure(Errc::io_read, "the connection was cut", true);
        case CURLE_SSL_CONNECT_ERROR: return failure(Errc::io_open, "no secure connection comes about");
        default: return failure(Errc::io_read, fmt::format("cannot be read: {}", curl().easy_strerror(code)));
    }
}

}  // namespace

struct HttpClient::State {
    HttpOptions options;
    Handle handle;
    std::mutex mutex;
};

namespace {

// One GET under way.
class Transfer {
  public:
    Transfer(CURL* handle, const HttpOptions& options, const HttpRequest& request, const HttpClient::Take& take)
        : handle_(handle), options_(options), request_(request), take_(take) {}

    tl::expected<HttpAnswer, HttpFailure> run() {
        curl().easy_reset(handle_);  // connections stay
        set_limits();
        const Headers headers = set_request();
        CURLcode code = CURLE_OK;
        {
            const NoPipeSignal quiet;
            code = curl().easy_perform(handle_);
        }
        curl().easy_setopt(handle_, CURLOPT_HTTPHEADER, nullptr);  // it goes now
        if (thrown_) std::rethrow_exception(thrown_);
        if (options_.stop.stop_requested()) {
            return tl::unexpected(HttpFailure{{.code = Errc::cancelled, .detail = "stopped on request"}});
        }
        if (refused_) return tl::unexpected(HttpFailure{std::move(*refused_)});
        // Of what is no success the body does not matter.
        if (code != CURLE_OK && (code != CURLE_WRITE_ERROR || success()))
            return tl::unexpected(failure_of(code, host(), connected()));
        return answer();
    }

  private:
    void set_limits() {
        curl().easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
        curl().easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
        curl().easy_setopt(handle_, CURLOPT_LOW_SPEED_LIMIT, slow);
        curl().easy_setopt(handle_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.silence.count()));
        curl().easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
        const bool secure = ::strncasecmp(request_.url.c_str(), "https:", 6) == 0;
        curl().easy_setopt(handle_, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
        curl().easy_setopt(handle_, CURLOPT_FOLLOWLOCATION, 1L);
        curl().easy_setopt(handle_, CURLOPT_MAXREDIRS, most_redirects);
        if (!options_.ca_file.empty()) curl().easy_setopt(handle_, CURLOPT_CAINFO, options_.ca_file.c_str());
        curl().easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
        curl().easy_setopt(handle_, CURLOPT_XFERINFODATA, this);
        curl().easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
        curl().easy_setopt(handle_, CURLOPT_WRITEDATA, this);
        curl().easy_setopt(handle_, CURLOPT_WRITEFUNCTION, &Transfer::on_bytes);
    }

    // The headers have to live as long as the transfer.
    Headers set_request() {
        curl().easy_setopt(handle_, CURLOPT_URL, request_.url.c_str());
        curl().easy_setopt(handle_, CURLOPT_USERAGENT, fmt::format("ggufkit/{}", version()).c_str());
        const bool open_end = request_.end == HttpRequest{}.end;
        const std::string range =
            open_end ? fmt::format("{}-", request_.begin) : fmt::format("{}-{}", request_.begin, request_.end - 1);
        curl().easy_setopt(handle_, CURLOPT_RANGE, range.c_str());
        // libcurl gives either to no other host, port or scheme that a redirect leads to.
        const Url url(request_.url);
        token_sent_ =
            !options_.token.empty() && url.part(CURLUPART_USER).empty() && url.same_origin(Url(options_.token_url));
        if (token_sent_) {
            curl().easy_setopt(handle_, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
            curl().easy_setopt(handle_, CURLOPT_XOAUTH2_BEARER, options_.token.c_str());
        }
        // A range of compressed bytes would be of no use.
        Headers headers(curl().slist_append(nullptr, "Accept-Encoding: identity"));
        if (!request_.if_none_match.empty()) {
            curl().slist_append(headers.get(), ("If-None-Match: " + request_.if_none_match).c_str());
        }
        curl().easy_setopt(handle_, CURLOPT_HTTPHEADER, headers.get());
        return headers;
    }

    HttpAnswer answer() const {
        HttpAnswer answer{.status = status(), .token_sent = token_sent_};
        answer.etag = header("ETag");
        answer.last_modified = header("Last-Modified");
        answer.content_range = header("Content-Range");
        answer.content_type = header("Content-Type");
        answer.content_encoding = header("Content-Encoding");
        curl_off_t seconds = 0;
        if (curl().easy_getinfo(handle_, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
            answer.retry_after = std::chrono::seconds(seconds);
        }
        return answer;
    }
    std::string header(const char* name) const {
        curl_header* found = nullptr;
        constexpr int last_request = -1;
        if (curl().easy_header(handle_, name, 0, CURLH_HEADER, last_request, &found) != CURLHE_OK) return {};
        return found->value;
    }
    long status() const {
        long status = 0;
        curl().easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
        return status;
    }
    std::string host() const {
        const char* url = nullptr;
        curl().easy_getinfo(handle_, CURLINFO_EFFECTIVE_URL, &url);
        return Url(url == nullptr ? request_.url : url).part(CURLUPART_HOST);
    }
    bool connected() const {
        curl_off_t microseconds = 0;
        curl().easy_getinfo(handle_, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
        return microseconds != 0;
    }
    bool success() const { return status() / 100 == 2; }

    bool take(std::span<const std::byte> bytes) {
        if (!success()) return false;
        if (!answer_) answer_ = answer();
        const auto taken = take_(*answer_, bytes);
        if (!taken) refused_ = taken.error();
        return taken.has_value();
    }

    // No exception may pass through libcurl, which is C.
    static std::size_t on_bytes(char* bytes, std::size_t one, std::size_t count, void* self) noexcept {
        const std::span given(reinterpret_cast<const std::byte*>(bytes), one * count);
        auto& transfer = *static_cast<Transfer*>(self);
        try {
            return transfer.take(given) ? given.size() : 0;
        } catch (...) {
            transfer.thrown_ = std::current_exception();
            return 0;
        }
    }
    static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<Transfer*>(self)->options_.stop.stop_requested() ? 1 : 0;
    }

    CURL* const handle_;
    const HttpOptions& options_;
    const HttpRequest& request_;
    const HttpClient::Take& take_;
    bool token_sent_ = false;
    std::optional<HttpAnswer> answer_;
    std::optional<Error> refused_;
    std::exception_ptr thrown_;  // by take_
};

}  // namespace

Result<HttpClient> HttpClient::create(HttpOptions options) {
    if (!is_token(options.token)) {
        return fail({.code = Errc::bad_argument, .detail = "the token (HF_TOKEN) has characters that no token has"});
    }
    if (library() == nullptr) {
        return fail(
            {.code = Errc::unsupported, .detail = "is on a server, and libcurl (7.85 or later) is not installed here"});
    }
    auto state = std::make_unique<State>();
    state->options = std::move(options);
    state->handle.reset(curl().easy_init());
    if (!state->handle) return fail({.code = Errc::unsupported, .detail = "libcurl cannot be used here"});
    return HttpClient(std::move(state));
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;
const HttpOptions& HttpClient::options() const { return state_->options; }

tl::expected<HttpAnswer, HttpFailure> HttpClient::get(const HttpRequest& request, const Take& take) {
    const std::lock_guard lock(state_->mutex);
    return Transfer(state_->handle.get(), state_->options, request, take).run();
}

}  // namespace ggufkit::io
