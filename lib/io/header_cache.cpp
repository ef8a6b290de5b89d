#include "io/header_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "core/bytes.hpp"
#include "core/cursor.hpp"
#include "io/mapped_file.hpp"
#include "io/read_at.hpp"
#include "io/write_at.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit::io {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view magic = "ggufkit header 1";
constexpr std::string_view suffix = ".header";
constexpr std::string_view unfinished = ".tmp-";
constexpr std::size_t checksum_size = 16;
constexpr std::uint64_t least_entries = 8;  // that have room: none may take more than this part of the cache
constexpr std::size_t longest_etag = 1024;

Encoding encoding() { return {ByteOrder::little, 3}; }

XXH128_canonical_t hash(const void* bytes, std::size_t size) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    return canonical;
}

void append(std::vector<std::byte>& to, std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    to.insert(to.end(), bytes.begin(), bytes.end());
}

std::vector<std::byte> encode(const RemoteIdentity& identity, std::span<const std::byte> header) {
    std::vector<std::byte> bytes;
    append(bytes, magic);
    append(bytes, identity.size, ByteOrder::little);
    append(bytes, std::uint64_t{identity.etag.size()}, ByteOrder::little);
    append(bytes, identity.etag);
    bytes.insert(bytes.end(), header.begin(), header.end());
    const auto checksum = hash(bytes.data(), bytes.size());
    append(bytes, std::string_view(reinterpret_cast<const char*>(checksum.digest), checksum_size));
    return bytes;
}

std::optional<HeaderCache::Entry> decode(std::span<const std::byte> bytes) {
    if (bytes.size() < checksum_size) return std::nullopt;
    const auto content = bytes.first(bytes.size() - checksum_size);
    const auto checksum = hash(content.data(), content.size());
    if (std::memcmp(checksum.digest, content.data() + content.size(), checksum_size) != 0) return std::nullopt;
    Cursor cursor(content, encoding());
    HeaderCache::Entry entry;
    std::string_view said, etag;
    std::uint64_t etag_size = 0;
    if (!cursor.read_text(magic.size(), said) || said != magic || !cursor.read(entry.identity.size) ||
        !cursor.read(etag_size) || !cursor.read_text(etag_size, etag)) {
        return std::nullopt;
    }
    entry.identity.etag = etag;
    const auto header = content.subspan(cursor.at());
    if (header.empty() || header.size() > entry.identity.size) return std::nullopt;
    entry.header.assign(header.begin(), header.end());
    return entry;
}

// Nothing else in the folder is ever touched.
bool is_ours(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.ends_with(suffix) || name.starts_with(unfinished);
}

}  // namespace

HeaderCache::HeaderCache(fs::path folder, std::uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}

// The URL itself may hold a password.
fs::path HeaderCache::path_of(std::string_view url) const {
    std::string name;
    for (const unsigned char byte : hash(url.data(), url.size()).digest) name += fmt::format("{:02x}", byte);
    return folder_ / name.append(suffix);
}

std::optional<HeaderCache::Entry> HeaderCache::find(std::string_view url) const {
    if (folder_.empty()) return std::nullopt;
    const FileHandle file(::open(path_of(url).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > limit_) return std::nullopt;
    std::vector<std::byte> bytes(size);
    if (!read_at(file.get(), 0, bytes)) return std::nullopt;
    ::futimens(file.get(), nullptr);  // used now
    return decode(bytes);
}

void HeaderCache::keep(std::string_view url, const RemoteIdentity& identity, std::span<const std::byte> header) const {
    const bool fits = header.size() <= limit_ / least_entries && identity.etag.size() <= longest_etag;
    if (folder_.empty() || !identity.strong() || !fits) return;
    std::error_code failed;
    if (!fs::is_directory(folder_, failed)) {
        fs::create_directories(folder_.parent_path(), failed);
        ::mkdir(folder_.c_str(), 0700);  // headers may be of models that are not public
    }
    std::string name = (folder_ / fmt::format("{}XXXXXX", unfinished)).string();
    const FileHandle file(::mkostemp(name.data(), O_CLOEXEC));
    if (file.get() < 0) return;
    const bool written = write_at(file.get(), 0, encode(identity, header)).has_value();
    if (!written || ::rename(name.c_str(), path_of(url).c_str()) != 0) ::unlink(name.c_str());
    make_room();
}

// Others may do the same at the same time: a file that is gone already is what was wanted.
void HeaderCache::make_room() const {
    struct File {
        fs::file_time_type used;
        std::uint64_t size;
        fs::path path;
    };
    std::vector<File> files;
    std::error_code failed;
    for (fs::directory_iterator entry(folder_, failed), end; !failed && entry != end; entry.increment(failed)) {
        std::error_code gone;
        const auto size = entry->file_size(gone);
        if (!is_ours(entry->path()) || gone) continue;
        const auto used = entry->last_write_time(gone);
        if (!gone) files.push_back({used, size, entry->path()});
    }
    std::ranges::sort(files, std::ranges::greater(), &File::used);
    std::uint64_t sum = 0;
    for (const File& file : files) {
        sum += file.size;
        if (sum > limit_) fs::remove(file.path, failed);
    }
}

}  // namespace ggufkit::io
