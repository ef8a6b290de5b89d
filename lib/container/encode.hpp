// Values laid down anew: any version and byte order in, version 3 out.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <ggufkit/value.hpp>

#include "core/bytes.hpp"

namespace ggufkit::container {

// A string as version 3 writes it: u64 length, bytes.
void append_string(std::vector<std::byte>& out, std::string_view text, ByteOrder order);

// The value, without its type id.
void append_value(std::vector<std::byte>& out, const ValueView& value, ByteOrder order);

}  // namespace ggufkit::container
