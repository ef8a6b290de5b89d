// Making the new file from the old one: what apply_patch() and apply_in_place() have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <ggufkit/diff/patch.hpp>

#include "io/mapped_file.hpp"
#include "patch/opened.hpp"

namespace ggufkit::patch {

class Rebuild {
  public:
    Rebuild(const Opened& opened, const io::MappedFile& old_file, const PatchOptions& options)
        : opened_(opened), head_(opened.patch().head), old_(old_file), options_(options) {}

    // Which of the two files the patch knows this one is. BAD_PATCH where it is neither; CANCELLED.
    enum class Found : std::uint8_t { old_one, new_one };
    Result<Found> identify();

    // Some of the next bytes of the new file. `source` is where the old one has them, or nothing where it has not.
    struct Part {
        std::uint64_t offset;
        std::span<const std::byte> bytes;
        std::optional<std::uint64_t> source;
    };
    // Takes every part, in order. What was taken is the new file where it ends well. Errors: BAD_PATCH, IO_CHANGED,
    // CANCELLED, those of take().
    Result<void> run(const std::function<Result<void>(const Part&)>& take);

  private:
    Result<void> advance(std::uint64_t bytes);

    const Opened& opened_;
    const Head& head_;
    const io::MappedFile& old_;
    const PatchOptions& options_;
    std::uint64_t done_ = 0;
};

}  // namespace ggufkit::patch
