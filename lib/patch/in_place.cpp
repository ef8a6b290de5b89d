#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/try.hpp"
#include "patch/rebuild.hpp"
#include "patch/redo.hpp"

namespace ggufkit {

namespace {

using patch::Edit;
using patch::Opened;
using patch::Rebuild;

// Of what differs: it is kept in memory and written twice.
constexpr std::uint64_t most_bytes = 64 << 20;

// Locked for as long as it is open. Links are not followed, and a file with several names is refused: others may use what
// is behind them.
Result<io::FileHandle> open_to_write(const std::filesystem::path& path) {
    const auto refuse = [&](Errc code, std::string detail) {
        return fail({.code = code, .subject = path.string(), .detail = std::move(detail)});
    };
    io::FileHandle file(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.get() < 0 && errno == ELOOP) return refuse(Errc::io_open, "is a symbolic link: name the file itself");
    if (file.get() < 0) return refuse(Errc::io_open, "cannot open to write: " + std::generic_category().message(errno));
    struct stat status {};
    if (::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink > 1) {
        return refuse(
            Errc::io_open,
            fmt::format("has {} names (hard links), and all would change: copy it, or name a new file instead "
                        "of --in-place",
                        status.st_nlink));
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return refuse(Errc::io_busy, "another run is at work on it");
    return file;
}

Result<void> check_possible(const Opened& opened, const std::filesystem::path& path) {
    const auto refuse = [&](std::string detail) {
        return fail({.code = Errc::unsupported,
                     .subject = path.string(),
                     .detail = "cannot be patched in place: " + std::move(detail)});
    };
    if (!opened.patch().in_place()) return refuse("bytes that both files have would have to move");
    const std::uint64_t bytes = opened.patch().head.new_file.bytes - opened.patch().copied();
    if (bytes > most_bytes) return refuse(fmt::format("{} MiB differ, more than {}", bytes >> 20, most_bytes >> 20));
    return {};
}

// The bytes that differ, and no others.
void add_edit(std::vector<Edit>& edits, std::uint64_t offset, std::span<const std::byte> was,
              std::span<const std::byte> is) {
    const auto [first, same] = std::ranges::mismatch(is, was);
    if (first == is.end()) return;
    std::size_t end = is.size();
    while (is[end - 1] == was[end - 1]) --end;
    const auto begin = static_cast<std::size_t>(first - is.begin());
    const auto bytes = is.subspan(begin, end - begin);
    edits.push_back({offset + begin, {bytes.begin(), bytes.end()}});
}

}  // namespace

Result<PatchSummary> apply_in_place(const std::filesystem::path& patch, const std::filesystem::path& file,
                                    const PatchOptions& options) {
    TRY_LET(const auto opened, Opened::open(patch));
    TRY_LET(auto handle, open_to_write(file));
    const patch::Redo redo(handle.get(), file);
    TRY(redo.recover());
    TRY_LET(const auto mapped, io::MappedFile::adopt(std::move(handle), file));

    Rebuild rebuild(opened, mapped, options);
    TRY_LET(const auto found, rebuild.identify());
    if (found == Rebuild::Found::new_one) return opened.summary();
    TRY(check_possible(opened, file));
    std::vector<Edit> edits;
    auto done = rebuild.run([&](const Rebuild::Part& part) -> Result<void> {
        if (!part.source)
            add_edit(edits, part.offset, mapped.bytes().subspan(part.offset, part.bytes.size()), part.bytes);
        return {};
    });
    if (done) done = redo.perform(edits);
    if (!done) return fail(std::move(done).error());
    return opened.summary();
}

}  // namespace ggufkit
