#include <fmt/format.h>

#include <ggufkit/zstd_level.hpp>

namespace ggufkit {

Result<void> check_zstd_level(int level) {
    if (level >= 1 && level <= most_zstd_level) return {};
    return fail({.code = Errc::bad_argument,
                 .detail = fmt::format("{} is no zstd level: they go from 1 to {}", level, most_zstd_level)});
}

}  // namespace ggufkit
