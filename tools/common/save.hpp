// Files that a tool writes beside models: reports, pages, recipes, manifests.
//
// Nothing that exists is replaced without --force, and with it no file that the same command reads. The name "-" is
// standard output.
#pragma once

#include <cstddef>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "common/console.hpp"
#include "io/mapped_file.hpp"

namespace ggufkit::tool {

// The files that a command reads. They are compared by device and inode, so under any name.
class Inputs {
  public:
    // A file as it was named on the command line. "-", URLs, and files that cannot be opened are left out: opening them to
    // be read reports why.
    void add(const std::filesystem::path& file);

    // All shards of a model, which must live longer.
    void add(const Model& model);

    const std::vector<int>& files() const { return files_; }

  private:
    std::vector<io::FileHandle> named_;
    std::vector<int> files_;
};

// Whether standard output is meant.
inline bool is_standard_output(const std::filesystem::path& path) { return path == "-"; }

// Writes a file complete or not at all. Errors: those of io::OutputFile; IO_EXISTS if there is a file and `overwrite` is
// false, IO_SAME_FILE if it is an input. Standard output is written by console.finish().
Result<void> save(Console& console, const std::filesystem::path& path, std::string_view text, const Inputs& inputs,
                  bool overwrite);

// Writes to standard output at once. The error names it.
Result<void> write_standard_output(std::span<const std::byte> bytes);

// Reports those of save()'s errors that can be known before the work.
Result<void> check_place(const std::filesystem::path& path, bool overwrite, const Inputs& inputs);

// IO_SAME_FILE if `path` is one of `inputs`.
Result<void> check_no_input(const std::filesystem::path& path, const Inputs& inputs);

}  // namespace ggufkit::tool
