#include "common/open.hpp"

#include <unistd.h>

#include <ggufkit/remote.hpp>

#include "common/progress.hpp"
#include "common/show.hpp"

namespace ggufkit::cli {

Result<Model> open_model(const std::filesystem::path& file, OpenOptions options) {
    ProgressBar bar;
    options.progress = [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); };
    if (is_remote(file.string())) return Model::fetch(file.string(), remote_from_environment(), options);
    if (file != "-") return Model::open(file, options);
    if (::isatty(STDIN_FILENO) != 0) {
        return fail({.code = Errc::io_open,
                     .subject = shown(file),
                     .detail = "is a terminal: let it be a file or a pipe that a model comes from"});
    }
    return Model::read(STDIN_FILENO, shown(file), options);
}

}  // namespace ggufkit::cli
