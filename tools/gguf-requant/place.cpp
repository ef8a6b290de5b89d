#include "place.hpp"

#include <system_error>

namespace ggufkit::requant {

namespace fs = std::filesystem;

bool same_name(const fs::path& a, const fs::path& b) {
    std::error_code ignored;
    return fs::absolute(a, ignored).lexically_normal() == fs::absolute(b, ignored).lexically_normal();
}

Result<void> check_place(const fs::path& path, bool overwrite) {
    std::error_code error;
    if (!fs::is_directory(fs::absolute(path, error).parent_path(), error)) {
        return fail({.code = Errc::io_open, .subject = path.string(), .detail = "its folder does not exist"});
    }
    if (!overwrite && fs::exists(fs::symlink_status(path, error))) {
        return fail({.code = Errc::io_exists, .subject = path.string(), .detail = "exists already"});
    }
    return {};
}

}  // namespace ggufkit::requant
