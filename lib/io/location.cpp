// Names of models on servers: remote.hpp.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ggufkit/remote.hpp>
#include <optional>
#include <utility>

#include "core/ascii.hpp"

namespace ggufkit {

namespace {

constexpr std::string_view hf = "hf:";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_plain(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; }

// "https" of "https://host/path"; empty where there is none.
std::string_view scheme_of(std::string_view name) {
    const std::size_t size = std::min(name.find("://"), name.size());
    const std::string_view scheme = name.substr(0, size);
    const auto fits = [](char c) { return is_plain(c) || c == '+'; };
    const bool is_one = size < name.size() && size > 0 && is_letter(scheme[0]) && std::ranges::all_of(scheme, fits);
    return is_one ? scheme : std::string_view{};
}

// A URL without user, password, query and fragment.
std::string bare(std::string_view url) {
    const std::size_t begin = scheme_of(url).size() + 3;
    const std::size_t host_end = std::min(url.find_first_of("/?#", begin), url.size());
    const std::size_t at = url.substr(0, host_end).rfind('@');
    const std::size_t host = at == url.npos || at < begin ? begin : at + 1;
    const std::size_t end = std::min(url.find_first_of("?#", host_end), url.size());
    return std::string(url.substr(0, begin)).append(url.substr(host, end - host));
}

std::string percent_encoded(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        encoded += is_plain(c) || c == '~' ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

tl::unexpected<Error> misuse(std::string_view name, std::string detail) {
    return fail({.code = Errc::bad_argument, .subject = std::string(name), .detail = std::move(detail)});
}

bool is_repository_part(std::string_view text) {
    return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, is_plain);
}

// Takes what is before the next slash, and the slash.
std::optional<std::string_view> take_part(std::string_view& rest) {
    const std::size_t slash = rest.find('/');
    if (slash == rest.npos) return std::nullopt;
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    return part;
}

// refs/pr/7 and refs/convert/NAME are revisions too. Empty where there is none.
std::string take_revision(std::string_view revision, std::string_view& rest) {
    std::string whole(revision);
    for (int more = 0; revision == "refs" && more < 2; ++more) {
        const auto part = take_part(rest);
        if (!part) return {};
        whole.append("/").append(*part);
    }
    return whole;
}

Result<std::string> hf_url(std::string_view name, const RemoteOptions& options) {
    std::string_view rest = name.substr(hf.size());
    const auto owner = take_part(rest), repository = take_part(rest);
    if (!owner || !repository)
        return misuse(name, "is not hf:OWNER/REPO/FILE.gguf or hf:OWNER/REPO@REVISION/FILE.gguf");
    const std::size_t at = std::min(repository->find('@'), repository->size());
    const bool given = at < repository->size();
    const std::string revision = given ? take_revision(repository->substr(at + 1), rest) : "main";
    if (!is_repository_part(*owner) || !is_repository_part(repository->substr(0, at)) || revision.empty()) {
        return misuse(name, "names no OWNER/REPO or REVISION that Hugging Face could have");
    }
    std::string url = options.hf_endpoint;
    while (url.ends_with('/')) url.pop_back();
    const std::string scheme = lower_case(scheme_of(url));
    if (scheme != "http" && scheme != "https") return misuse("HF_ENDPOINT", "is no URL of http or https");
    url += fmt::format("/{}/{}/resolve/{}", *owner, repository->substr(0, at), percent_encoded(revision));
    if (rest.find(".gguf@") != rest.npos) {
        return misuse(name, "has its revision in the wrong place: hf:OWNER/REPO@REVISION/FILE.gguf");
    }
    for (bool more = true; more;) {
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        const std::string_view part = rest.substr(0, slash);
        if (part.empty() || part == "." || part == "..") {
            return misuse(name, "has no name of a file behind the repository");
        }
        url.append("/").append(percent_encoded(part));
        more = slash < rest.size();
        rest.remove_prefix(more ? slash + 1 : slash);
    }
    return url;
}

}  // namespace

RemoteOptions remote_from_environment() {
    RemoteOptions options;
    if (auto endpoint = environment("HF_ENDPOINT"); !endpoint.empty()) options.hf_endpoint = std::move(endpoint);
    options.hf_token = environment("HF_TOKEN");
    options.ca_file = environment("SSL_CERT_FILE");
    const std::string said = environment("GGUFKIT_CACHE"), home = environment("HOME");
    const std::filesystem::path shared = environment("XDG_CACHE_HOME");
    if (said == "off") return options;
    if (!said.empty()) {
        options.cache = said;
    } else if (shared.is_absolute()) {
        options.cache = shared / "ggufkit";
    } else if (!home.empty()) {
        options.cache = std::filesystem::path(home) / ".cache" / "ggufkit";
    }
    return options;
}

bool is_remote(std::string_view name) { return name.starts_with(hf) || !scheme_of(name).empty(); }

std::string shown_name(std::string_view name) { return scheme_of(name).empty() ? std::string(name) : bare(name); }

std::string file_name(std::string_view remote_name) {
    const std::string name = shown_name(remote_name);
    return name.substr(name.find_last_of("/:") + 1);
}

Result<std::string> url_of(std::string_view name, const RemoteOptions& options) {
    if (name.starts_with(hf)) return hf_url(name, options);
    const std::string scheme = lower_case(scheme_of(name));
    if (scheme == "http" || scheme == "https") return std::string(name.substr(0, name.find('#')));
    const std::string shown = shown_name(name);
    if (scheme.empty()) return misuse(shown, "is no URL");
    return fail({.code = Errc::unsupported,
                 .subject = shown,
                 .detail = fmt::format("{} is not understood: there are http, https and hf", scheme)});
}

}  // namespace ggufkit
