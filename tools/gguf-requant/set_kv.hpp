// --set-kv: values of any type that GGUF has.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/requant/plan.hpp>
#include <optional>
#include <string_view>

namespace ggufkit::tool::requant {

// Reads KEY=TYPE:VALUE. TYPE is u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool, str, token (VALUE is the text of a
// token, the key gets its id) or [TYPE], an array that VALUE gives as JSON. VALUE may be @FILE: for str, [u8] and [i8] the
// file's bytes are the value, else its text is read like VALUE. "@@" stands for an "@" at the start. Errors: BAD_ARGUMENT;
// IO_OPEN, IO_READ of the file.
Result<KeyOverride> read_set_kv(std::string_view text);

// The FILE of KEY=TYPE:@FILE, where it is a regular file.
std::optional<std::filesystem::path> file_of_set_kv(std::string_view text);

}  // namespace ggufkit::tool::requant
