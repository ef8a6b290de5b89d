// A file on a server, read by ranges of its bytes.
//
// What the first answer says of the file, its size and its ETag (or else the time of its last change), every later one
// has to agree with: parts of two files are never taken for one. Ranges that are cut short are gone on with where they ended.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "io/http.hpp"

namespace ggufkit::io {

struct Retries {
    unsigned attempts = 5;                  // in a row without getting on
    std::chrono::milliseconds delay{500};   // before the second one, and twice as long before each that follows
    std::chrono::seconds longest_wait{60};  // that a server may ask for
};

struct RemoteIdentity {
    std::uint64_t size = 0;
    std::string etag{};
    std::string modified{};

    // Whether it can be the same file: what both know agrees.
    bool agrees(const RemoteIdentity& other) const;
    // Whether the same ETag means the same bytes.
    bool strong() const { return !etag.empty() && !etag.starts_with("W/"); }
    // A number that stands for it; nothing where the server says too little.
    std::optional<std::uint64_t> digest() const;
};

class RemoteFile {
  public:
    // `name` is what errors call it: the URL may hold a password.
    RemoteFile(std::shared_ptr<HttpClient> client, std::string url, std::string name, Retries retries);

    using Take = std::function<Result<void>(std::uint64_t offset, std::span<const std::byte> bytes)>;

    // The bytes from `begin` on, up to `end` or to the end of the file, in order and each once. After the first call any
    // number of threads may read. Errors, about `name`: IO_OPEN, IO_READ, IO_CHANGED, UNSUPPORTED (a server that sends no
    // parts of files; compressed answers), CANCELLED, and those of `take`.
    Result<void> read(std::uint64_t begin, std::uint64_t end, const Take& take);

    // read(0, end), but where the file is still that of `known` nothing is read, and the answer is true: its size and
    // ETag are then those.
    Result<bool> read_unless(const RemoteIdentity& known, std::uint64_t end, const Take& take);

    // Of the first answer; nothing before.
    const std::optional<RemoteIdentity>& identity() const { return identity_; }
    std::uint64_t size() const { return identity_ ? identity_->size : 0; }
    const std::string& name() const { return name_; }
    const std::string& url() const { return url_; }

  private:
    class Attempt;
    Result<void> wait(std::chrono::milliseconds time) const;
    Result<bool> read(std::uint64_t begin, std::uint64_t end, const RemoteIdentity* known, const Take& take);

    std::shared_ptr<HttpClient> client_;
    std::string url_, name_;
    Retries retries_;
    std::optional<RemoteIdentity> identity_;
};

}  // namespace ggufkit::io
