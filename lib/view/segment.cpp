#include "view/segment.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/interprocess/exceptions.hpp>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "core/bytes.hpp"
#include "io/read_at.hpp"
#include "io/side_file.hpp"
#include "io/write_at.hpp"
#include "requant/fault.hpp"

namespace ggufkit::requant {

namespace {

namespace interprocess = boost::interprocess;

// spec/shared.md: magic, run, number of pieces, stamp of the data; then a byte for each piece.
constexpr std::string_view magic = "ggufshm1";
constexpr std::size_t run_digits = 32;
constexpr std::size_t pieces_at = magic.size() + run_digits;
constexpr std::size_t data_at = pieces_at + sizeof(std::uint64_t);
constexpr std::size_t header_bytes = data_at + 4 * sizeof(std::uint64_t);

constexpr std::size_t longest_name = 200;  // of the 255 bytes that a file name may have

FileStamp stamp_of(const struct stat& status) {
    return {.inode = status.st_ino,
            .bytes = static_cast<std::uint64_t>(status.st_size),
            .seconds = static_cast<std::uint64_t>(status.st_mtim.tv_sec),
            .nanoseconds = static_cast<std::uint64_t>(status.st_mtim.tv_nsec)};
}

std::vector<std::byte> as_bytes(const FileStamp& stamp) {
    std::vector<std::byte> bytes;
    for (const std::uint64_t number : {stamp.inode, stamp.bytes, stamp.seconds, stamp.nanoseconds}) {
        append(bytes, number, ByteOrder::little);
    }
    return bytes;
}

std::string_view text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<SegmentNames> SegmentNames::of(std::string_view name) {
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
    return SegmentNames{.data = data,
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

Result<Segment> Segment::open(const SegmentNames& names, bool create) {
    auto file = io::open_side_file(names.control, create ? io::SideAccess::create : io::SideAccess::write);
    if (!file) return fail(std::move(file).error());
    Segment segment(names.control, *std::move(file));
    if (auto mapped = segment.map(); !mapped) return fail(std::move(mapped).error());
    return segment;
}

Result<Segment> Segment::replace(const SegmentNames& names, std::string_view run, std::uint64_t pieces,
                                 const FileStamp& data) {
    ::unlink(names.new_control.c_str());  // what a killed process left
    io::FileHandle file(::open(names.new_control.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.get() < 0) return system_fault(Errc::io_open, names.new_control, "create it");
    const int fd = file.get();
    std::vector<std::byte> header;
    for (const std::string_view part : {magic, run})
        std::ranges::copy(std::as_bytes(std::span(part)), std::back_inserter(header));
    append(header, pieces, ByteOrder::little);
    std::ranges::copy(as_bytes(data), std::back_inserter(header));
    // Reserved, so that a store to the mapping always finds memory.
    const auto size = static_cast<off_t>(header.size() + pieces);
    if (::fallocate(fd, 0, 0, size) != 0) {
        return system_fault(errno == ENOSPC ? Errc::io_no_space : Errc::io_write, names.new_control, "reserve it");
    }
    if (auto written = io::write_at(fd, 0, header); !written) return fail(std::move(written).error());
    Segment segment(names.control, std::move(file));
    if (auto mapped = segment.map(); !mapped) return fail(std::move(mapped).error());
    if (!segment.lock() || std::rename(names.new_control.c_str(), names.control.c_str()) != 0) {
        return system_fault(Errc::io_write, names.control, "put it in its place");
    }
    return segment;
}

// Leaves the segment without a run where it is not as replace() makes it.
Result<void> Segment::map() {
    const auto stamp = stamp_of(file_.get());
    if (!stamp || stamp->bytes < header_bytes) return {};
    std::vector<std::byte> header(header_bytes);
    if (!io::read_at(file_.get(), 0, header)) return {};
    const std::span bytes(header);
    const auto pieces = load<std::uint64_t>(&header[pieces_at], ByteOrder::little);
    if (text(bytes.first(magic.size())) != magic || pieces != stamp->bytes - header_bytes) return {};
    try {
        region_ = interprocess::mapped_region(file_, interprocess::read_write, 0, stamp->bytes);
    } catch (const interprocess::interprocess_exception& error) {
        return refuse(Errc::io_open, path_, fmt::format("cannot be mapped: {}", error.what()));
    }
    run_ = text(bytes.subspan(magic.size(), run_digits));
    ready_ = {static_cast<std::uint8_t*>(region_.get_address()) + header_bytes, pieces};
    return {};
}

bool Segment::lock() const {
    int result = 0;
    do {
        result = ::flock(file_.get(), LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

bool Segment::is_abandoned() const {
    if (::flock(file_.get(), LOCK_SH | LOCK_NB) != 0) return false;
    ::flock(file_.get(), LOCK_UN);
    return true;
}

bool Segment::is_current() const {
    const auto named = stamp_of(path_), open = stamp_of(file_.get());
    return named && open && named->inode == open->inode;
}

FileStamp Segment::data() const {
    std::vector<std::byte> bytes(header_bytes - data_at);
    if (!io::read_at(file_.get(), data_at, bytes)) return {};
    const auto number = [&](std::size_t index) {
        return load<std::uint64_t>(&bytes[index * sizeof(std::uint64_t)], ByteOrder::little);
    };
    return {.inode = number(0), .bytes = number(1), .seconds = number(2), .nanoseconds = number(3)};
}

Result<void> Segment::set_data(const FileStamp& data) { return io::write_at(file_.get(), data_at, as_bytes(data)); }

bool Segment::is_ready(std::uint64_t piece) const {
    return std::atomic_ref(ready_[piece]).load(std::memory_order_acquire) == 1;
}

void Segment::set_ready(std::uint64_t piece) {
    std::atomic_ref(ready_[piece]).store(std::uint8_t{1}, std::memory_order_release);
}

std::uint64_t Segment::count_ready() const {
    std::uint64_t count = 0;
    for (std::uint64_t piece = 0; piece < ready_.size(); ++piece) count += is_ready(piece) ? 1 : 0;
    return count;
}

}  // namespace ggufkit::requant
