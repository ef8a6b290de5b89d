#include "common/open.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <ggufkit/remote.hpp>
#include <system_error>
#include <utility>

#include "common/progress.hpp"
#include "common/show.hpp"
#include "common/suggest.hpp"

namespace ggufkit::tool {

namespace {

// Waits for a writer.
Result<Model> read_fifo(const std::filesystem::path& file, const OpenOptions& options) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return fail({.code = Errc::io_open,
                     .subject = file.string(),
                     .detail = fmt::format("cannot be opened: {}", std::generic_category().message(errno))});
    }
    auto model = Model::read(fd, file, options);
    ::close(fd);
    return model;
}

}  // namespace

bool comes_once(const std::filesystem::path& file) {
    std::error_code unknown;
    return file == "-" || std::filesystem::is_fifo(file, unknown);
}

Result<Model> open_model(const std::filesystem::path& file, OpenOptions options) {
    ProgressBar bar;
    options.work.progress = [&](const Progress& now) { bar.update(now); };
    if (is_remote(file.string())) return Model::fetch(file.string(), remote_from_environment(), options);
    if (file != "-" && comes_once(file)) return read_fifo(file, options);
    if (file != "-") {
        return Model::open(file, options).map_error([&](Error error) {
            return with_near_file(file, std::move(error));
        });
    }
    if (::isatty(STDIN_FILENO) != 0) {
        return fail({.code = Errc::io_open,
                     .subject = shown(file),
                     .detail = "is a terminal: let it be a file or a pipe that a model comes from"});
    }
    return Model::read(STDIN_FILENO, shown(file), options);
}

}  // namespace ggufkit::tool
