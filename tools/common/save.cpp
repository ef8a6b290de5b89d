#include "common/save.hpp"

#include <span>
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

}  // namespace ggufkit::cli
