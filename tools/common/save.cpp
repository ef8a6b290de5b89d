#include "common/save.hpp"

#include <span>
#include <system_error>
#include <utility>

#include "io/output_file.hpp"
#include "requant/inputs.hpp"

namespace ggufkit::cli {

Result<void> save(const std::filesystem::path& path, std::string_view text, const Model& model, bool overwrite) {
    auto file =
        io::OutputFile::create(path, text.size(), {.overwrite = overwrite, .inputs = requant::inputs_of(model)});
    if (!file) return fail(std::move(file).error());
    if (auto written = file->write(0, std::as_bytes(std::span(text))); !written) return written;
    return file->commit();
}

Result<void> check_place(const std::filesystem::path& path, bool overwrite) {
    namespace fs = std::filesystem;
    const auto refuse = [&](Errc code, std::string_view why) {
        return fail({.code = code, .subject = path.string(), .detail = std::string(why)});
    };
    std::error_code error;
    if (!fs::is_directory(fs::absolute(path, error).parent_path(), error)) {
        return refuse(Errc::io_open, "its folder does not exist");
    }
    const fs::file_status there = fs::symlink_status(path, error);
    if (!fs::exists(there)) return {};
    if (!fs::is_regular_file(there)) return refuse(Errc::io_open, "is no regular file, which alone can be replaced");
    return overwrite ? Result<void>() : refuse(Errc::io_exists, "exists already");
}

}  // namespace ggufkit::cli
