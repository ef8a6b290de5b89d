#include "io/side_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <system_error>
#include <utility>

#include "core/hasher.hpp"
#include "core/try.hpp"
#include "io/file_kind.hpp"
#include "io/read_at.hpp"

namespace ggufkit::io {

namespace {

constexpr std::size_t longest_name = 255;

int flags_of(SideAccess access) {
    constexpr int always = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    switch (access) {
        case SideAccess::read: return always | O_RDONLY;
        case SideAccess::write: return always | O_RDWR;
        default: return always | O_RDWR | O_CREAT;
    }
}

tl::unexpected<Error> refuse(const std::filesystem::path& path, std::string detail, Errc code = Errc::io_open) {
    return fail({.code = code, .subject = path.string(), .detail = std::move(detail)});
}

tl::unexpected<Error> refuse_foreign(const std::filesystem::path& path, std::string_view reason) {
    return refuse(path, fmt::format("not made by ggufkit: it {}; remove or rename it", reason));
}

tl::unexpected<Error> system_error(const std::filesystem::path& path, std::string_view doing, int number,
                                   Errc code = Errc::io_open) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return refuse(path, fmt::format("cannot {}: {}", doing, std::generic_category().message(number)),
                  full ? Errc::io_no_space : code);
}

Result<void> check_ours(int fd, const std::filesystem::path& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return system_error(path, "open", errno);
    if (!S_ISREG(status.st_mode)) return refuse_foreign(path, fmt::format("is {}", file_kind(status.st_mode)));
    if (status.st_uid != ::geteuid()) return refuse_foreign(path, "belongs to another user");
    if (status.st_nlink > 1) return refuse_foreign(path, "has a second name (a hard link)");
    return {};
}

}  // namespace

std::string side_name(std::string_view name, std::string_view suffix) {
    if (name.size() + suffix.size() <= longest_name) return fmt::format("{}{}", name, suffix);
    const std::string hash = fmt::format("-{:016x}", hash64(std::as_bytes(std::span(name))));
    std::size_t kept = longest_name - std::min(longest_name, hash.size() + suffix.size());
    // Not within a character of UTF-8: some filesystems refuse such names.
    while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xC0) == 0x80) --kept;
    return fmt::format("{}{}{}", name.substr(0, kept), hash, suffix);
}

std::filesystem::path side_path(const std::filesystem::path& file, std::string_view suffix) {
    return file.parent_path() / side_name(file.filename().string(), suffix);
}

Result<FileHandle> open_side_file(const std::filesystem::path& path, SideAccess access, int folder) {
    int fd = -1;
    do {
        fd = ::openat(folder, path.c_str(), flags_of(access), 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0 && errno == ELOOP) return refuse_foreign(path, "is a symbolic link");
    if (fd < 0 && errno == EISDIR) return refuse_foreign(path, "is a folder");
    const bool create = access == SideAccess::create;
    if (fd < 0 && errno == ENOENT && !create) return system_error(path, "open", errno, Errc::not_found);
    if (fd < 0) return system_error(path, create ? "create" : "open", errno);
    FileHandle file(fd);
    TRY(check_ours(fd, path));
    return file;
}

Result<std::string> read_side_file(const std::filesystem::path& path, std::uint64_t most) {
    TRY_LET(const auto file, open_side_file(path, SideAccess::read));
    TRY_LET(const auto size, file_size(file.get()));
    std::string text(static_cast<std::size_t>(std::min(size, most)), '\0');
    if (auto read = read_at(file.get(), 0, std::as_writable_bytes(std::span(text))); !read) {
        read.error().subject = path.string();
        return fail(std::move(read).error());
    }
    return text;
}

}  // namespace ggufkit::io
