// Models on servers: what Model::fetch() needs to know.
//
// Purpose: names of remote models (URLs, and hf:OWNER/REPO/FILE for Hugging Face), who gets the token, the cache of
//   headers, how patient to be.
//
//     const ggufkit::RemoteOptions remote = ggufkit::remote_from_environment();
//     const auto model = ggufkit::Model::fetch("hf:OWNER/REPO/m.gguf", remote, {.header_only = true});
//     if (!model) return complain(model.error());  // without passwords and tokens
//     fmt::print("{} tensors\n", model->tensors().size());
//
// Ownership: plain values.
// Thread-safety: pure functions; remote_from_environment() reads the environment, which nobody may change meanwhile.
// Source: spec/remote.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <ggufkit/error.hpp>

namespace ggufkit {

struct RemoteOptions {
    std::string hf_endpoint = "https://huggingface.co";
    // Sent to the scheme, host and port of the endpoint, whether they were named as hf: or as a URL, and to nobody else.
    std::string hf_token{};
    std::string ca_file{};  // certificates to trust, in PEM; empty: those of the system

    std::filesystem::path cache{};              // a folder for headers; empty: none are kept
    std::uint64_t cache_limit = 256ull << 20;   // bytes in it
    std::uint64_t header_limit = 128ull << 20;  // bytes that are fetched in search of a header's end

    unsigned attempts = 5;                       // in a row that bring nothing, where what failed may pass
    std::chrono::milliseconds retry_delay{500};  // before the second, then twice as long each time
    std::chrono::seconds longest_wait{60};       // that a server may ask for (Retry-After)
    std::chrono::milliseconds connect_timeout{20'000};
    std::chrono::seconds silence{30};  // how long a server may send next to nothing
};

// HF_ENDPOINT, HF_TOKEN, SSL_CERT_FILE; the cache in $XDG_CACHE_HOME/ggufkit, or else ~/.cache/ggufkit, unless
// GGUFKIT_CACHE names another folder or is "off". Proxies are those of http_proxy, https_proxy and no_proxy.
RemoteOptions remote_from_environment();

// Whether this names something on a server, rather than a file: SCHEME://… or hf:….
bool is_remote(std::string_view name);

// The name without what nobody should see: user, password and query. Other names are given back as they are.
std::string shown_name(std::string_view name);

// The last part of the path: a name for a file to be made from it.
std::string file_name(std::string_view remote_name);

// Where a remote name leads: hf:OWNER/REPO/PATH or hf:OWNER/REPO@REVISION/PATH to the endpoint's file; URLs of http and
// https as they are. Errors: BAD_ARGUMENT; UNSUPPORTED for other schemes.
Result<std::string> url_of(std::string_view name, const RemoteOptions& options);

}  // namespace ggufkit
