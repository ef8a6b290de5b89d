#include "requant/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <span>
#include <system_error>

#include "io/write_all.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit::requant {

namespace {

constexpr std::string_view title = "ggufkit-journal 1";
constexpr std::size_t longest_line = 128;

std::optional<std::uint64_t> number(std::string_view text, int base) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// "PIECES HASH CHECKSUM"; whoever reads a mark makes its line again and compares.
std::optional<Journal::Mark> parse_mark(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
    if (second == line.npos) return std::nullopt;
    const auto pieces = number(line.substr(0, first), 10);
    const auto hash = number(line.substr(first + 1, second - first - 1), 16);
    if (!pieces || !hash) return std::nullopt;
    return Journal::Mark{*pieces, *hash};
}

}  // namespace

std::string Journal::line(const Mark& mark) const {
    const std::string content = fmt::format("{} {:016x}", mark.pieces, mark.hash);
    const std::string bound = run_ + content;
    return fmt::format("{} {:016x}\n", content, XXH3_64bits(bound.data(), bound.size()));
}

std::vector<Journal::Mark> Journal::read() const {
    std::vector<Mark> marks;
    std::ifstream in(path_, std::ios::binary);
    std::array<char, longest_line> text{};
    const auto next_line = [&] {
        in.getline(text.data(), longest_line);  // fails where there is no end of line within so many bytes
        return in.good() ? std::optional(std::string_view(text.data())) : std::nullopt;
    };
    if (next_line() != fmt::format("{} {}", title, run_)) return marks;
    while (const auto found = next_line()) {
        const auto mark = parse_mark(*found);
        const bool rises = mark && mark->pieces > (marks.empty() ? 0 : marks.back().pieces);
        if (!rises || line(*mark) != fmt::format("{}\n", *found)) break;
        marks.push_back(*mark);
    }
    return marks;
}

Result<void> Journal::append(Mark mark) {
    std::string text;
    if (file_.get() < 0) {
        // Written whole under another name: there is never a moment without the marks that are kept.
        const std::string fresh = path_.string() + "-new";
        file_ = io::FileHandle(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
        if (file_.get() < 0) return fail(error("create"));
        text = fmt::format("{} {}\n", title, run_);
        for (const Mark& kept : kept_) text += line(kept);
        if (auto written = write(text + line(mark)); !written) return written;
        if (::rename(fresh.c_str(), path_.c_str()) != 0) return fail(error("name"));
        return {};
    }
    return write(line(mark));
}

Result<void> Journal::write(std::string_view text) {
    if (auto written = io::write_all(file_.get(), std::as_bytes(std::span(text))); !written) {
        written.error().subject = path_.string();
        return written;
    }
    if (::fdatasync(file_.get()) != 0) return fail(error("bring to disk"));
    return {};
}

void Journal::remove() const { ::unlink(path_.c_str()); }

Error Journal::error(std::string_view doing) const {
    return {.code = errno == ENOSPC || errno == EDQUOT ? Errc::io_no_space : Errc::io_write,
            .subject = path_.string(),
            .detail = fmt::format("cannot {}: {}", doing, std::generic_category().message(errno))};
}

}  // namespace ggufkit::requant
