// The last look at outputs before they get their names.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/writer.hpp>
#include <span>
#include <stop_token>

namespace ggufkit::requant {

struct WrittenFile {
    std::filesystem::path path;  // plain or compressed
    const Layout* planned;
};

// Errors: IO_CHANGED where the source changed while it was read; IO_WRITE where a file does not read, as for
// anyone else, with the planned header and size; CANCELLED where that was requested meanwhile.
Result<void> check_written(const Model& source, std::span<const WrittenFile> files, const std::stop_token& stop);

}  // namespace ggufkit::requant
