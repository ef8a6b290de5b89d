// The version of the library.
//
//     #if GGUFKIT_VERSION_MAJOR == 0 && GGUFKIT_VERSION_MINOR < 2   // of these headers
//     ...
//     #endif
//     fmt::print("ggufkit {}\n", ggufkit::version());               // of the library that is linked: "0.1.0"
//
// Ownership: the text is static.
// Thread-safety: a pure function.
#pragma once

#include <string_view>

// CMakeLists.txt reads the version of the project from these lines.
#define GGUFKIT_VERSION_MAJOR 0
#define GGUFKIT_VERSION_MINOR 1
#define GGUFKIT_VERSION_PATCH 0

namespace ggufkit {

std::string_view version() noexcept;

}  // namespace ggufkit
