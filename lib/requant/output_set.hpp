// The files that one run writes, of all plans, shards counted one by one: the destination that takes segments
// in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/requant/execute.hpp>
#include <span>
#include <vector>

#include "io/output_file.hpp"
#include "requant/assembly.hpp"
#include "requant/read_back.hpp"

namespace ggufkit::requant {

// What to continue of a run that was killed: nothing, unfinished files, or finished ones under their names as well.
enum class Continue : std::uint8_t { nothing, unfinished, all };

class OutputSet {
  public:
    // Errors: those of OutputFile::create(); BAD_ARGUMENT where two outputs have one name. Borrows `assembly`.
    static Result<OutputSet> create(const Model& model, const Assembly& assembly, std::span<const Output> outputs,
                                    bool overwrite, Continue what);

    // `bytes` are the segment's. Copies within the kernel, or shares blocks, where they are those of the source.
    Result<void> write(const Segment& segment, std::span<const std::byte> bytes);
    Result<void> read(const Segment& segment, std::span<std::byte> into) const;

    std::size_t count() const { return files_.size(); }
    const std::filesystem::path* published() const;  // the first that has its name already, if there is one
    void keep(bool wanted);
    Result<void> sync() { return each(&io::OutputFile::sync); }
    // Writes headers and padding of every file that has not its name yet.
    Result<void> write_frames();
    // Whether each file that has its name already has the header and padding that write_frames() would give it.
    Result<bool> published_frames_match() const;
    // Forgets what the run before left in every file. Not where one is published.
    Result<void> clear() { return each(&io::OutputFile::clear); }
    std::vector<WrittenFile> written() const;
    // All of them to disk, then each under its name.
    Result<void> commit();

  private:
    explicit OutputSet(const Assembly& assembly) : assembly_(&assembly) {}
    Result<void> each(Result<void> (io::OutputFile::*step)());

    const Assembly* assembly_;
    std::vector<io::OutputFile> files_;
};

}  // namespace ggufkit::requant
