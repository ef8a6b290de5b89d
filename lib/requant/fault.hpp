// Errors of files that the caller knows by name.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace ggufkit::requant {

inline tl::unexpected<Error> refuse(Errc code, const std::filesystem::path& path, std::string detail) {
    return fail({.code = code, .subject = path.string(), .detail = std::move(detail)});
}

// By errno.
inline tl::unexpected<Error> system_fault(Errc code, const std::filesystem::path& path, std::string_view doing) {
    return refuse(code, path, fmt::format("cannot {}: {}", doing, std::generic_category().message(errno)));
}

}  // namespace ggufkit::requant
