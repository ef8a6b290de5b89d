#include <fmt/format.h>

#include <array>
#include <ggufkit/error.hpp>

#include "core/text.hpp"

namespace ggufkit {

std::string_view name(Errc code) noexcept {
    static constexpr std::array names{
        "TRUNCATED",     "BAD_MAGIC",      "BAD_VERSION",     "WRONG_ENDIAN",   "COUNT_IMPOSSIBLE", "LENGTH_PAST_EOF",
        "BAD_KEY",       "DUP_KEY",        "BAD_KV_TYPE",     "BAD_BOOL",       "BAD_UTF8",         "DEPTH",
        "BAD_ALIGN",     "BAD_ALIGN_TYPE", "NAME_TOO_LONG",   "BAD_NAME",       "DUP_TENSOR",       "BAD_NDIMS",
        "BAD_DIM",       "SIZE_OVERFLOW",  "BAD_TENSOR_TYPE", "BAD_ROW",        "MISALIGNED",       "OFFSET_OVERFLOW",
        "OVERLAP",       "NOT_CONTIGUOUS", "DATA_PAST_EOF",   "TRAILING_DATA",  "BAD_PADDING",      "BAD_QUANT",
        "BAD_SEMANTICS", "BAD_SPLIT",      "BAD_ZSTD",        "BAD_COMPRESSED", "BAD_PATCH",        "NOT_FOUND",
        "WRONG_TYPE",    "OUT_OF_RANGE",   "UNSUPPORTED",     "BAD_ARGUMENT",   "CANCELLED",        "NO_MEMORY",
        "IO_OPEN",       "IO_READ",        "IO_WRITE",        "IO_NO_SPACE",    "IO_EXISTS",        "IO_UNFINISHED",
        "IO_SAME_FILE",  "IO_CHANGED",     "IO_BUSY",
    };
    static_assert(names.size() == static_cast<std::size_t>(Errc::io_busy) + 1);
    return names[static_cast<std::size_t>(code)];
}

std::string Error::message() const {
    std::string line = printable(subject);
    if (offset) line += fmt::format("{}@0x{:x}", line.empty() ? "" : " ", *offset);
    if (!line.empty()) line += ": ";
    line += name(code);
    if (!rule.empty()) line += fmt::format(" {}", rule);
    if (!detail.empty()) line.append(" ").append(printable(detail));
    return line;
}

}  // namespace ggufkit
