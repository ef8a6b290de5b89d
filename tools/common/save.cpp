#include "common/save.hpp"

#include <span>
#include <utility>
#include <vector>

#include "io/output_file.hpp"
#include "requant/inputs.hpp"

namespace ggufkit::cli {

namespace {

io::OutputFile::Options options_for(const Model* model, bool overwrite) {
    return {.overwrite = overwrite, .inputs = model == nullptr ? std::vector<int>() : requant::inputs_of(*model)};
}

}  // namespace

Result<void> save(const std::filesystem::path& path, std::string_view text, const Model& model, bool overwrite) {
    auto file = io::OutputFile::create(path, text.size(), options_for(&model, overwrite));
    if (!file) return fail(std::move(file).error());
    if (auto written = file->write(0, std::as_bytes(std::span(text))); !written) return written;
    return file->commit();
}

Result<void> check_place(const std::filesystem::path& path, bool overwrite, const Model* model) {
    return io::OutputFile::check(path, options_for(model, overwrite));
}

}  // namespace ggufkit::cli
