#include "io/header_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "core/bytes.hpp"
#include "core/cursor.hpp"
#include "io/mapped_file.hpp"
#include "io/read_at.hpp"
#include "io/side_file.hpp"
#include "io/write_at.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit::io {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view magic = "ggufkit header 1";
constexpr std::string_view suffix = ".header";
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

constexpr std::size_t digits = 2 * sizeof(XXH128_canonical_t::digest);  // in a name

std::string name_of(std::span<const unsigned char, digits / 2> bytes) {
    std::string name;
    for (const unsigned char byte : bytes) name += fmt::format("{:02x}", byte);
    return name.append(suffix);
}

// The name of no URL's entry, for an entry that is not complete yet. A run that is killed leaves an entry that nobody asks
// for; it goes when room is needed.
std::optional<std::string> unused_name() {
    std::array<unsigned char, digits / 2> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return std::nullopt;
    return name_of(bytes);
}

// Nothing else in the folder is ever touched: 32 hexadecimal digits and ".header", as name_of() makes them.
bool is_name_of_entry(std::string_view name) {
    return name.size() == digits + suffix.size() && name.ends_with(suffix) &&
           name.find_first_not_of("0123456789abcdef") == digits;
}

}  // namespace

HeaderCache::HeaderCache(fs::path folder, std::uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}

// The URL itself may hold a password.
std::string HeaderCache::entry_of(std::string_view url) { return name_of(hash(url.data(), url.size()).digest); }

// Whoever else may write there could put any header into the cache.
FileHandle HeaderCache::open_folder() const {
    FileHandle folder(folder_.empty() ? -1 : ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    const bool private_one = folder.get() >= 0 && ::fstat(folder.get(), &status) == 0 && status.st_uid == ::geteuid() &&
                             (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    return private_one ? std::move(folder) : FileHandle();
}

std::optional<HeaderCache::Entry> HeaderCache::find(std::string_view url) const {
    const FileHandle folder = open_folder();
    if (folder.get() < 0) return std::nullopt;
    const auto file = open_side_file(entry_of(url), SideAccess::read, folder.get());
    if (!file) return std::nullopt;
    const auto size = file_size(file->get());
    if (!size || *size > limit_) return std::nullopt;
    std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
    if (!read_at(file->get(), 0, bytes)) return std::nullopt;
    ::futimens(file->get(), nullptr);  // used now
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
    const FileHandle folder = open_folder();
    const auto name = unused_name();
    if (folder.get() < 0 || !name) return;
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const FileHandle file(::openat(folder.get(), name->c_str(), flags, 0600));
    if (file.get() < 0) return;
    const bool written = write_at(file.get(), 0, encode(identity, header)).has_value();
    if (!written || ::renameat(folder.get(), name->c_str(), folder.get(), entry_of(url).c_str()) != 0) {
        ::unlinkat(folder.get(), name->c_str(), 0);
    }
    make_room(folder.get());
}

// Others may do the same at the same time: a file that is gone already is what was wanted.
void HeaderCache::make_room(int folder) const {
    struct File {
        std::pair<std::int64_t, std::int64_t> used;  // seconds, nanoseconds
        std::uint64_t size;
        std::string name;
    };
    std::vector<File> files;
    std::error_code failed;
    for (fs::directory_iterator entry(folder_, failed), end; !failed && entry != end; entry.increment(failed)) {
        const std::string name = entry->path().filename().string();
        struct stat status {};
        if (!is_name_of_entry(name) || ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) continue;
        files.push_back(
            {{status.st_mtim.tv_sec, status.st_mtim.tv_nsec}, static_cast<std::uint64_t>(status.st_size), name});
    }
    std::ranges::sort(files, std::ranges::greater(), &File::used);
    std::uint64_t sum = 0;
    for (const File& file : files) {
        sum += file.size;
        if (sum > limit_) ::unlinkat(folder, file.name.c_str(), 0);
    }
}

}  // namespace ggufkit::io
