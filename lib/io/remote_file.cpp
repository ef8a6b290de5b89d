#include "io/remote_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/try.hpp"

namespace ggufkit::io {

namespace {

// A server that sends less than was asked for sends at least so much; and who gets so far has not failed.
constexpr std::uint64_t least_part = 64 << 10;

struct ContentRange {
    std::uint64_t begin, end, total;  // `end` is one past the last byte
};

bool take_number(std::string_view& text, std::uint64_t& number) {
    const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(after - text.data()));
    return true;
}

bool take_text(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

// "bytes 0-499/1234".
std::optional<ContentRange> parse_content_range(std::string_view text) {
    std::uint64_t first = 0, last = 0, total = 0;
    const bool sound = take_text(text, "bytes ") && take_number(text, first) && take_text(text, "-") &&
                       take_number(text, last) && take_text(text, "/") && take_number(text, total) && text.empty() &&
                       first <= last && last < total;
    return sound ? std::optional(ContentRange{first, last + 1, total}) : std::nullopt;
}

Error sorry(Errc code, std::string detail) { return {.code = code, .detail = std::move(detail)}; }

Error no_parts(const HttpAnswer& answer) {
    if (answer.content_type.starts_with("text/html")) {
        return sorry(Errc::unsupported,
                     "is a page for browsers, not a file (of Hugging Face, hf:OWNER/REPO/FILE.gguf is the file)");
    }
    return sorry(
        Errc::unsupported,
        "the server cannot send parts of a file: download it, or give it on standard input (curl -s URL | … -)");
}

Error changed() { return sorry(Errc::io_changed, "became another file on the server while it was read"); }

// What a status that brings no bytes means to the person who asked.
Error error_of(const HttpAnswer& answer) {
    const auto sentence = [&](std::string_view words) {
        return sorry(Errc::io_open, fmt::format("{} (HTTP {})", words, answer.status));
    };
    switch (answer.status) {
        case 401:
            return sentence(
                answer.token_sent
                    ? "the server does not accept the token in HF_TOKEN"
                    : "is not public, or not there: HF_TOKEN may hold a token of Hugging Face, other servers "
                      "take https://USER:PASSWORD@HOST/…");
        case 403:
            return sentence(
                answer.token_sent
                    ? "the token in HF_TOKEN does not give access: of a gated model, accept the terms on its "
                      "page first"
                    : "access is refused: of a gated model, accept the terms on its page and set HF_TOKEN");
        case 404:
        case 410: return sentence("there is no such file on the server");
        case 429: return sentence("the server asks for fewer requests: try again later");
        default: break;
    }
    if (answer.status / 100 == 5) return sentence("the server is in trouble: try again later");
    return sentence("the server answers in a way that is not understood");
}

bool passes(long status) {
    constexpr std::array passing{408L, 429L, 500L, 502L, 503L, 504L};
    return std::ranges::find(passing, status) != passing.end();
}

}  // namespace

bool RemoteIdentity::agrees(const RemoteIdentity& other) const {
    if (size != other.size) return false;
    if (!etag.empty() && !other.etag.empty()) return etag == other.etag;
    return modified.empty() || other.modified.empty() || modified == other.modified;
}

std::optional<std::uint64_t> RemoteIdentity::digest() const {
    if (etag.empty() && modified.empty()) return std::nullopt;
    const std::string_view says = etag.empty() ? modified : etag;
    return XXH3_64bits_withSeed(says.data(), says.size(), size);
}

RemoteFile::RemoteFile(std::shared_ptr<HttpClient> client, std::string url, std::string name, Retries retries)
    : client_(std::move(client)), url_(std::move(url)), name_(std::move(name)), retries_(retries) {}

// One request for what is still wanted.
class RemoteFile::Attempt {
  public:
    Attempt(RemoteFile& file, std::uint64_t begin, std::uint64_t end, const RemoteIdentity* known, const Take& take)
        : file_(file), at_(begin), end_(end), known_(known), take_(take) {}

    std::uint64_t at() const { return at_; }  // where the next byte belongs
    std::chrono::seconds asked_to_wait() const { return asked_to_wait_; }

    // Whether the file is the known one. What passes is no error of take's.
    tl::expected<bool, HttpFailure> run() {
        const std::uint64_t begin = at_;
        const auto answer = file_.client_->get(
            {.url = file_.url_, .begin = at_, .end = end_, .if_none_match = known_ == nullptr ? "" : known_->etag},
            [this](const HttpAnswer& headers, std::span<const std::byte> bytes) { return take(headers, bytes); });
        if (!answer) return tl::unexpected(answer.error());
        if (answer->status == 304 && known_ != nullptr) {
            file_.identity_ = *known_;
            return true;
        }
        if (answer->status == 416) return beyond(*answer);
        asked_to_wait_ = answer->retry_after;
        if (answer->status / 100 != 2) return tl::unexpected(HttpFailure{error_of(*answer), passes(answer->status)});
        if (auto fine = examine(*answer); !fine)
            return tl::unexpected(HttpFailure{std::move(fine).error()});  // no body
        if (at_ < part_end_) {
            return tl::unexpected(
                HttpFailure{sorry(Errc::io_read, fmt::format("the server sends {} of the {} bytes that it promises",
                                                             at_ - begin, part_end_ - begin)),
                            true});
        }
        if (at_ < std::min(end_, file_.size()) && at_ - begin < least_part) {
            return tl::unexpected(HttpFailure{sorry(Errc::io_read, "the server sends less than it is asked for")});
        }
        return false;
    }

  private:
    Result<void> take(const HttpAnswer& answer, std::span<const std::byte> bytes) {
        TRY(examine(answer));
        if (bytes.size() > part_end_ - at_) return fail(sorry(Errc::io_read, "the server sends more than it says"));
        auto taken = take_(at_, bytes);
        if (taken) at_ += bytes.size();
        return taken;
    }

    // The headers, once: which part of which file this is.
    Result<void> examine(const HttpAnswer& answer) {
        if (std::exchange(examined_, true)) return {};
        if (!answer.content_encoding.empty() && answer.content_encoding != "identity") {
            return fail(sorry(Errc::unsupported, "the server sends it encoded, which was not asked for"));
        }
        if (answer.status != 206) return fail(no_parts(answer));
        const auto range = parse_content_range(answer.content_range);
        if (!range || range->begin != at_ || range->end > end_) {
            return fail(sorry(Errc::io_read,
                              "the server does not say which part of the file it sends, or another than "
                              "it was asked for"));
        }
        part_end_ = range->end;
        return identify({range->total, answer.etag, answer.last_modified});
    }

    Result<void> identify(RemoteIdentity identity) {
        if (!file_.identity_) {
            file_.identity_ = std::move(identity);
        } else if (!file_.identity_->agrees(identity)) {
            return fail(changed());
        }
        return {};
    }

    // Nothing where something was asked for: of an empty file, or one that is shorter than it was.
    tl::expected<bool, HttpFailure> beyond(const HttpAnswer& answer) {
        if (at_ != 0 || answer.content_range != "bytes */0") return tl::unexpected(HttpFailure{changed()});
        if (auto same = identify({0, answer.etag, answer.last_modified}); !same) {
            return tl::unexpected(HttpFailure{std::move(same).error()});
        }
        return false;
    }

    RemoteFile& file_;
    std::uint64_t at_;
    const std::uint64_t end_;
    const RemoteIdentity* const known_;
    const Take& take_;
    bool examined_ = false;
    std::uint64_t part_end_ = 0;
    std::chrono::seconds asked_to_wait_{0};
};

Result<void> RemoteFile::wait(std::chrono::milliseconds time) const {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    const std::stop_token& stop = client_->options().stop;
    never.wait_for(lock, stop, time, [] { return false; });
    if (stop.stop_requested()) return fail(sorry(Errc::cancelled, "stopped on request"));
    return {};
}

Result<bool> RemoteFile::read(std::uint64_t begin, std::uint64_t end, const RemoteIdentity* known, const Take& take) {
    const auto about = [this](Error error) {
        error.subject = name_;
        return fail(std::move(error));
    };
    unsigned failures = 0;
    while (begin < (identity_ ? std::min(end, identity_->size) : end)) {
        Attempt attempt(*this, begin, end, begin == 0 ? known : nullptr, take);
        const auto outcome = attempt.run();
        if (outcome && *outcome) return true;
        const std::uint64_t got = attempt.at() - begin;
        begin += got;
        if (outcome && identity_->size == 0) break;
        if (outcome || got >= least_part) failures = 0;
        if (outcome) continue;
        if (!outcome.error().passing || ++failures >= retries_.attempts) return about(outcome.error().error);
        const auto asked = attempt.asked_to_wait();
        if (asked > retries_.longest_wait) {
            return about(
                sorry(Errc::io_open, fmt::format("the server asks to come back in {} seconds", asked.count())));
        }
        const auto delay = retries_.delay * (1u << std::min(failures - 1, 16u));
        if (auto waited = wait(std::max<std::chrono::milliseconds>(delay, asked)); !waited)
            return about(waited.error());
    }
    return false;
}

Result<void> RemoteFile::read(std::uint64_t begin, std::uint64_t end, const Take& take) {
    return read(begin, end, nullptr, take).map([](bool) {});
}

Result<bool> RemoteFile::read_unless(const RemoteIdentity& known, std::uint64_t end, const Take& take) {
    return read(0, end, &known, take);
}

}  // namespace ggufkit::io
