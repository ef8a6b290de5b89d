#include "requant/journal.hpp"

#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <system_error>

#include "core/hasher.hpp"
#include "core/try.hpp"
#include "io/output_file.hpp"
#include "io/side_file.hpp"
#include "io/write_all.hpp"

namespace ggufkit::requant {

namespace {

constexpr std::string_view title = "ggufkit-journal 1";
constexpr std::size_t longest_line = 128;
constexpr std::uint64_t most_bytes = 64 << 20;  // marks of weeks; those behind are done again

// "PIECES HASH CHECKSUM"; whoever reads a mark makes its line again and compares.
Journal::Mark parse_mark(std::string_view line) {
    Journal::Mark mark{};
    const char* const end = line.data() + line.size();
    const char* const blank = std::from_chars(line.data(), end, mark.pieces).ptr;
    if (blank != end) std::from_chars(blank + 1, end, mark.hash, 16);
    return mark;
}

// What a journal is called until it has its first line.
std::filesystem::path fresh_path(const std::filesystem::path& journal) { return io::side_path(journal, "-new"); }

// IO_OPEN where this program cannot have made what has this name.
Result<void> check_ours(const std::filesystem::path& path) {
    auto found = io::open_side_file(path, io::SideAccess::read);
    if (found || found.error().code == Errc::not_found) return {};
    return fail(std::move(found).error());
}

}  // namespace

std::string Journal::line(const Mark& mark) const {
    const std::string content = fmt::format("{} {:016x}", mark.pieces, mark.hash);
    const std::string bound = run_ + content;
    return fmt::format("{} {:016x}\n", content, hash64(std::as_bytes(std::span(bound))));
}

std::filesystem::path Journal::path_of(const std::filesystem::path& output) {
    return io::side_path(output, ".ggufkit-journal");
}

bool Journal::has_marks(const std::filesystem::path& path) {
    const auto text = io::read_side_file(path, longest_line);
    if (!text || !text->starts_with(title) || text->size() <= title.size()) return false;
    const std::size_t begin = title.size() + 1, end = text->find('\n');
    if (end == text->npos || end < begin) return false;
    const auto marks = Journal(path, text->substr(begin, end - begin)).read();
    return marks && !marks->empty();
}

Result<std::vector<Journal::Mark>> Journal::read() const {
    std::vector<Mark> marks;
    TRY(check_ours(fresh_path(path_)));
    for (const auto& copy : copies_) {
        TRY(check_ours(copy).and_then([&] { return check_ours(fresh_path(copy)); }));
    }
    const auto text = io::read_side_file(path_, most_bytes);
    if (!text && text.error().code == Errc::not_found) return marks;
    if (!text) return fail(text.error());
    std::string_view left = *text;
    const auto next_line = [&]() -> std::optional<std::string_view> {
        const std::size_t end = left.find('\n');
        if (end == left.npos) return std::nullopt;
        const std::string_view found = left.substr(0, end);
        left.remove_prefix(end + 1);
        return found;
    };
    if (next_line() != fmt::format("{} {}", title, run_)) return marks;
    while (const auto found = next_line()) {
        const auto mark = parse_mark(*found);
        const bool rises = mark.pieces > (marks.empty() ? 0 : marks.back().pieces);
        if (!rises || line(mark) != fmt::format("{}\n", *found)) break;
        marks.push_back(mark);
    }
    return marks;
}

Result<void> Journal::append(Mark mark) {
    if (file_.get() >= 0) return write(file_, line(mark));
    std::string text = fmt::format("{} {}\n", title, run_);
    for (const Mark& kept : kept_) text += line(kept);
    text += line(mark);
    TRY_LET(file_, create(path_, text));
    for (const auto& copy : copies_) {
        TRY(create(copy, text));
    }
    return {};
}

// Written whole under another name: there is never a moment without the marks that are kept.
Result<io::FileHandle> Journal::create(const std::filesystem::path& path, std::string_view text) const {
    const std::filesystem::path fresh = fresh_path(path);
    auto file = io::open_side_file(fresh, io::SideAccess::create);
    if (!file) return file;
    if (::ftruncate(file->get(), 0) != 0) return fail(error("empty"));
    TRY(write(*file, text));
    if (::rename(fresh.c_str(), path.c_str()) != 0) return fail(error("name"));
    return file;
}

Result<void> Journal::write(const io::FileHandle& file, std::string_view text) const {
    if (auto written = io::write_all(file.get(), std::as_bytes(std::span(text))); !written) {
        written.error().subject = path_.string();
        return written;
    }
    if (::fdatasync(file.get()) != 0) return fail(error("bring to disk"));
    return {};
}

void Journal::remove() const {
    const auto remove = [](const std::filesystem::path& journal) {
        ::unlink(fresh_path(journal).c_str());
        ::unlink(journal.c_str());
    };
    // The one that is read goes last: a copy alone would look like the work of another run.
    std::ranges::for_each(copies_, remove);
    remove(path_);
}

Error Journal::error(std::string_view doing) const {
    return {.code = errno == ENOSPC || errno == EDQUOT ? Errc::io_no_space : Errc::io_write,
            .subject = path_.string(),
            .detail = fmt::format("cannot {}: {}", doing, std::generic_category().message(errno))};
}

Result<void> check_nothing_kept(const std::filesystem::path& output) {
    const auto path = io::OutputFile::partial_path_of(output);
    const auto partial = io::open_side_file(path, io::SideAccess::read);
    if (!partial || !Journal::has_marks(Journal::path_of(output))) return {};
    if (::flock(partial->get(), LOCK_SH | LOCK_NB) != 0) return {};  // another run is at work, which is another error
    return fail(
        {.code = Errc::io_unfinished, .subject = path.string(), .detail = "holds unfinished work of an earlier run"});
}

}  // namespace ggufkit::requant
