// Bytes that come and go in order.
#pragma once

#include <cstddef>
#include <functional>
#include <ggufkit/error.hpp>
#include <span>

namespace ggufkit::io {

// Fills the span as far as there are bytes. Returns how many it got: 0 at the end.
using Source = std::function<Result<std::size_t>(std::span<std::byte>)>;
// Takes the next bytes.
using Sink = std::function<Result<void>(std::span<const std::byte>)>;

}  // namespace ggufkit::io
