#include "common/save.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ggufkit/remote.hpp>
#include <span>
#include <utility>

#include "io/output_file.hpp"
#include "io/same_file.hpp"
#include "io/write_all.hpp"
#include "requant/inputs.hpp"

namespace ggufkit::tool {

void Inputs::add(const std::filesystem::path& file) {
    if (file.empty() || file == "-" || is_remote(file.string())) return;
    // Reads nothing, and so waits for no writer of a FIFO.
    io::FileHandle opened(::open(file.c_str(), O_PATH | O_CLOEXEC));
    if (opened.get() < 0) return;
    files_.push_back(opened.get());
    named_.push_back(std::move(opened));
}

void Inputs::add(const Model& model) {
    for (const int file : requant::inputs_of(model)) files_.push_back(file);
}

Result<void> save(Console& console, const std::filesystem::path& path, std::string_view text, const Inputs& inputs,
                  bool overwrite) {
    if (is_standard_output(path)) {
        console.out.write_raw(text);
        return {};
    }
    auto file = io::OutputFile::create(path, text.size(), {.overwrite = overwrite, .inputs = inputs.files()});
    if (!file) return fail(std::move(file).error());
    if (auto written = file->write(0, std::as_bytes(std::span(text))); !written) return written;
    return file->commit();
}

Result<void> write_standard_output(std::span<const std::byte> bytes) {
    auto written = io::write_all(STDOUT_FILENO, bytes);
    if (!written) written.error().subject = "standard output";
    return written;
}

Result<void> check_place(const std::filesystem::path& path, bool overwrite, const Inputs& inputs) {
    if (is_standard_output(path)) return {};
    return io::OutputFile::check(path, {.overwrite = overwrite, .inputs = inputs.files()});
}

Result<void> check_no_input(const std::filesystem::path& path, const Inputs& inputs) {
    struct stat output {};
    if (is_standard_output(path) || ::stat(path.c_str(), &output) != 0) return {};
    if (!io::is_one_of(output, inputs.files())) return {};
    return fail({.code = Errc::io_same_file, .subject = path.string(), .detail = "is an input of the same command"});
}

}  // namespace ggufkit::tool
