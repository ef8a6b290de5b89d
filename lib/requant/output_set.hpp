// All the files that one run writes: those of every plan, shards counted one by one.
#pragma once

#include <cstddef>
#include <cstdint>
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
    void keep();
    Result<void> sync();
    // Padding is not written: what nobody writes reads as zeros.
    Result<void> write_headers();
    // Reads back what was written, as anyone else would, and finds the tensors where the plans put them.
    Result<void> verify() const;
    // All of them to disk, then each under its name.
    Result<void> commit();

  private:
    explicit OutputSet(std::span<const Output> outputs) : outputs_(outputs) {}
    Result<void> each(Result<void> (io::OutputFile::*step)());

    std::span<const Output> outputs_;
    std::vector<std::size_t> first_;  // file of each output
    std::vector<io::OutputFile> files_;
};

}  // namespace ggufkit::requant
