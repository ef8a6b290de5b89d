// All the files that one run writes: those of every plan, shards counted one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/requant.hpp>
#include <span>
#include <vector>

#include "io/output_file.hpp"
#include "requant/job.hpp"

namespace ggufkit::requant {

// What is taken over of a run that was killed: nothing, unfinished files, or finished ones under their names as well.
enum class Take : std::uint8_t { nothing, unfinished, all };

class OutputSet {
  public:
    // Errors: those of OutputFile::create(); BAD_ARGUMENT where two outputs have one name. Borrows `outputs`.
    static Result<OutputSet> create(const Model& model, std::span<const Output> outputs, bool overwrite, Take take);

    io::OutputFile& of(const Target& target) { return files_[first_[target.plan] + target.tensor->file]; }

    std::size_t count() const { return files_.size(); }
    const std::filesystem::path* published() const;  // the first that has its name already, if there is one
    void keep(bool wanted);
    Result<void> sync();
    // All that is not a tensor: the header and the padding, of every file that has not its name yet.
    Result<void> write_frames();
    // Whether each file that has its name already has the header and padding that write_frames() would give it.
    Result<bool> published_frames_match() const;
    // Forgets what the run before left in every file. Not where one is published.
    Result<void> clear();
    // Reads back what was written, as anyone else would, and finds the tensors where the plans put them.
    Result<void> verify() const;
    // All of them to disk, then each under its name.
    Result<void> commit();

  private:
    explicit OutputSet(std::span<const Output> outputs) : outputs_(outputs) {}
    Result<void> each(Result<void> (io::OutputFile::*step)());
    // Calls take(file, offset, bytes) for the header and all padding, of one file after the other.
    using Frame = std::function<Result<void>(std::size_t file, std::uint64_t offset, std::span<const std::byte> bytes)>;
    Result<void> each_frame(const Frame& take) const;

    std::span<const Output> outputs_;
    std::vector<std::size_t> first_;  // file of each output
    std::vector<io::OutputFile> files_;
};

}  // namespace ggufkit::requant
