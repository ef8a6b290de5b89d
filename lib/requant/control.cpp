#include "requant/control.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/interprocess/exceptions.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <ranges>

#include "core/try.hpp"
#include "io/read_at.hpp"
#include "io/side_file.hpp"
#include "io/write_at.hpp"
#include "requant/fault.hpp"

namespace ggufkit::requant {

namespace {

namespace interprocess = boost::interprocess;

constexpr std::string_view magic = "ggufshm1";
constexpr std::size_t longest_name = 200;  // of the 255 bytes that a file name may have

// The beginning of the file; a byte for each piece follows.
struct Header {
    std::array<char, 8> magic;
    std::array<char, 32> run;
    boost::endian::little_uint64_t pieces;
    FileStamp data;
};
static_assert(sizeof(Header) == 80 && alignof(Header) == 1);

FileStamp stamp_of(const struct stat& status) {
    return {.inode = status.st_ino,
            .bytes = static_cast<std::uint64_t>(status.st_size),
            .seconds = static_cast<std::uint64_t>(status.st_mtim.tv_sec),
            .nanoseconds = static_cast<std::uint64_t>(status.st_mtim.tv_nsec)};
}

}  // namespace

Result<SharedNames> SharedNames::of(std::string_view name) {
    const bool plain = !name.empty() && name.size() <= longest_name && !name.starts_with('.') &&
                       name.find('/') == name.npos && name.find('\0') == name.npos && !name.ends_with(".ggufkit") &&
                       name.find(".ggufkit-") == name.npos;
    if (!plain) {
        return fail({.code = Errc::bad_argument,
                     .subject = fmt::format("'{}'", name),
                     .detail = "is no name for a file in /dev/shm: it has no slash, does not begin with a dot, and "
                               "leaves .ggufkit to others"});
    }
    const std::filesystem::path data = std::filesystem::path("/dev/shm") / name;
    return SharedNames{.data = data,
                       .partial = data.string() + ".ggufkit-partial",
                       .control = data.string() + ".ggufkit",
                       .new_control = data.string() + ".ggufkit-new"};
}

std::optional<FileStamp> stamp_of(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return std::nullopt;
    return stamp_of(status);
}

std::optional<FileStamp> stamp_of(const std::filesystem::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return stamp_of(status);
}

Result<Control> Control::open(const SharedNames& names, bool create) {
    TRY_LET(auto file, io::open_side_file(names.control, create ? io::SideAccess::create : io::SideAccess::write));
    Control control(names.control, std::move(file));
    TRY(control.map());
    return control;
}

Result<Control> Control::replace(const SharedNames& names, std::string_view run, std::uint64_t pieces,
                                 const FileStamp& data) {
    ::unlink(names.new_control.c_str());  // what a killed process left
    io::FileHandle file(::open(names.new_control.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.get() < 0) return system_fault(Errc::io_open, names.new_control, "create it");
    Header header{.magic = {}, .run = {}, .pieces = pieces, .data = data};
    magic.copy(header.magic.data(), header.magic.size());
    run.copy(header.run.data(), header.run.size());
    // Reserved, so that a store to the mapping always finds memory.
    if (::fallocate(file.get(), 0, 0, static_cast<off_t>(sizeof header + pieces)) != 0) {
        return system_fault(errno == ENOSPC ? Errc::io_no_space : Errc::io_write, names.new_control, "reserve it");
    }
    TRY(io::write_at(file.get(), 0, std::as_bytes(std::span(&header, 1))));
    Control control(names.control, std::move(file));
    TRY(control.map());
    if (!control.lock() || std::rename(names.new_control.c_str(), names.control.c_str()) != 0) {
        return system_fault(Errc::io_write, names.control, "put it in its place");
    }
    return control;
}

// Leaves it without a run where it is not as replace() makes it.
Result<void> Control::map() {
    const auto stamp = stamp_of(file_.get());
    Header header;
    if (!stamp || !io::read_at(file_.get(), 0, std::as_writable_bytes(std::span(&header, 1)))) return {};
    if (std::string_view(header.magic.data(), header.magic.size()) != magic) return {};
    if (stamp->bytes - sizeof header != header.pieces) return {};
    try {
        region_ = interprocess::mapped_region(file_, interprocess::read_write, 0, stamp->bytes);
    } catch (const interprocess::interprocess_exception& error) {
        return refuse(Errc::io_open, path_, fmt::format("cannot be mapped: {}", error.what()));
    }
    run_.assign(header.run.data(), header.run.size());
    ready_ = {static_cast<std::uint8_t*>(region_.get_address()) + sizeof header, header.pieces};
    return {};
}

bool Control::lock() const {
    int result = 0;
    do {
        result = ::flock(file_.get(), LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

bool Control::is_current() const {
    const auto named = stamp_of(path_), open = stamp_of(file_.get());
    return named && open && named->inode == open->inode;
}

FileStamp Control::data() const {
    FileStamp data;
    if (!io::read_at(file_.get(), offsetof(Header, data), std::as_writable_bytes(std::span(&data, 1)))) return {};
    return data;
}

Result<void> Control::set_data(const FileStamp& data) {
    return io::write_at(file_.get(), offsetof(Header, data), std::as_bytes(std::span(&data, 1)));
}

bool Control::is_ready(std::uint64_t piece) const {
    return std::atomic_ref(ready_[piece]).load(std::memory_order_acquire) == 1;
}

void Control::set_ready(std::uint64_t piece) {
    std::atomic_ref(ready_[piece]).store(std::uint8_t{1}, std::memory_order_release);
}

std::uint64_t Control::count_ready() const {
    const auto numbers = std::views::iota(std::uint64_t{0}, pieces());
    return static_cast<std::uint64_t>(std::ranges::count_if(numbers, [&](std::uint64_t n) { return is_ready(n); }));
}

}  // namespace ggufkit::requant
