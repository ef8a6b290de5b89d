// Errors as values. Nothing in this library throws, prints, exits or aborts because of what a file holds. The one
// exception that can leave it is std::bad_alloc, on a machine without the little memory that the work takes.
//
// Purpose: one closed set of error kinds (Errc), one carrier (Error) that names the rule of spec/gguf.md, the byte
//   offset and the thing at fault, and Result<T> to return either.
//
//     const ggufkit::Result<ggufkit::Model> model = ggufkit::Model::open("m.gguf");
//     if (!model) {
//         fmt::print(stderr, "{}\n", model.error().message());
//         return model.error().code == ggufkit::Errc::io_open ? 2 : 1;
//     }
//
// Ownership: an Error owns its text; `rule` points at a string literal.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ggufkit {

// The kinds of error. The names printed to users (TRUNCATED, BAD_MAGIC, …) come from name(Errc).
enum class Errc : std::uint8_t {
    // What a file can get wrong: see spec/gguf.md.
    truncated,
    bad_magic,
    bad_version,
    wrong_endian,
    count_impossible,
    length_past_eof,
    bad_key,
    dup_key,
    bad_kv_type,
    bad_bool,
    bad_utf8,
    depth,
    bad_align,
    bad_align_type,
    name_too_long,
    bad_name,
    dup_tensor,
    bad_ndims,
    bad_dim,
    size_overflow,
    bad_tensor_type,
    bad_row,
    misaligned,
    offset_overflow,
    overlap,
    not_contiguous,
    data_past_eof,
    trailing_data,
    bad_padding,
    bad_quant,
    bad_semantics,
    bad_split,
    bad_zstd,
    bad_compressed,  // gzip, bzip2 or xz
    bad_patch,
    // What a caller can ask for in vain.
    not_found,
    wrong_type,
    out_of_range,
    unsupported,
    bad_argument,
    cancelled,
    // What a system can refuse.
    no_memory,
    io_open,
    io_read,
    io_write,
    io_no_space,
    io_exists,      // what may be replaced, if the caller says so
    io_unfinished,  // what an interrupted run left, which the caller may resume or replace
    io_same_file,
    io_changed,
    io_busy,  // another run is at work on it
};

// "TRUNCATED", "BAD_MAGIC", …: stable, upper case, what --json prints as "code".
std::string_view name(Errc code) noexcept;

struct Error {
    Errc code{};
    std::string_view rule{};                // "GGUF-R017" of spec/gguf.md; empty where no rule of the format is broken
    std::optional<std::uint64_t> offset{};  // byte position in the file, where there is one
    std::string subject{};  // the thing: "tensor 'blk.0.attn_k.weight'", "key 'general.alignment'", a path
    std::string detail{};   // what is wrong with it, in words and numbers

    // One line for people: `tensor 'blk.0.attn_k.weight' @0x1a40: SIZE_OVERFLOW GGUF-R017 dimension product overflows`.
    // Control characters that came out of a file are escaped.
    std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;

// Shorthand for `return fail({...})` out of a function that returns any Result.
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace ggufkit
