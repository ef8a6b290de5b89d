// A patch, open.
#pragma once

#include <filesystem>
#include <functional>
#include <ggufkit/diff/patch.hpp>

#include "io/mapped_file.hpp"
#include "patch/format.hpp"

namespace ggufkit::patch {

class Opened {
  public:
    // Errors: those of read_patch().
    static Result<Opened> open(const std::filesystem::path& path);

    const Patch& patch() const { return patch_; }
    int fd() const { return file_.fd(); }
    PatchSummary summary() const { return summary_of(patch_, file_.bytes().size()); }

    // Calls take(at, step, content) -> Result<void> for every step, in order; `at` is the place in the new file. The
    // content of a copy is that of the old file. Errors: BAD_PATCH, those of take().
    using Take = std::function<Result<void>(std::uint64_t at, const Step& step, std::span<const std::byte> content)>;
    Result<void> carry_out(std::span<const std::byte> old_file, const Take& take) const;

    // An error about the patch, by its name.
    Error error(std::string detail) const;

  private:
    Opened(io::MappedFile file, Patch patch) : file_(std::move(file)), patch_(std::move(patch)) {}

    io::MappedFile file_;
    Patch patch_;
};

}  // namespace ggufkit::patch
