// A tensor's share of one or more plans, in pieces that can be made one by one, in any order and by any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/plan.hpp>
#include <ggufkit/quantize.hpp>
#include <span>
#include <vector>

namespace ggufkit::requant {

// What one plan makes of a tensor.
struct Target {
    const PlannedTensor* tensor;
    std::uint32_t plan;  // index among the plans that are carried out together
    Effort effort;
    bool big_endian;
    std::uint64_t unit_bytes;
    bool checked;  // whether NaN and infinities are refused: not in a plan that only copies

    bool converts() const { return tensor->from != tensor->to; }
};

// A tensor as a run of equal units: rows where it is requantized (a quantizer may look at a whole row, and the matrices
// of a 3-D tensor are just more rows), blocks where it is only copied. A piece is a few units; what they become does not
// depend on how many. It is read and decoded once for all targets.
struct Job {
    int fd;                       // of the file that holds the source
    std::uint64_t source_offset;  // in that file
    bool source_big_endian;
    std::uint64_t units;
    std::uint64_t unit_elements;
    std::uint64_t unit_bytes;   // of the source
    std::uint64_t piece_units;  // in every piece but the last
    std::vector<Target> targets{};

    const PlannedTensor& tensor() const { return *targets.front().tensor; }  // for what all targets agree on
    bool converts() const;                                                   // for any of its targets
    bool checked() const;                                                    // for any of its targets
    // The bytes in the output are those in the source file.
    bool verbatim(const Target& target) const { return !target.converts() && source_big_endian == target.big_endian; }
    std::uint64_t pieces() const { return (units + piece_units - 1) / piece_units; }
    std::uint64_t tile_bytes() const;  // of memory for one piece
};

// The jobs of a plan, in its order, or of several plans of one model, in the order of the first one that has the
// tensor. BAD_ARGUMENT where a plan was not made from this model.
Result<std::vector<Job>> make_jobs(const Model& model, std::span<const Plan* const> plans);
Result<std::vector<Job>> make_jobs(const Model& model, const Plan& plan);
// That of one tensor of a plan. BAD_ARGUMENT as above.
Result<Job> make_job(const Model& model, const Plan& plan, const PlannedTensor& tensor);

// The memory of one worker, big enough for any piece of some jobs: its floats, the bytes read, the blocks made.
class Tile {
  public:
    explicit Tile(std::span<const Job> jobs);
    std::span<float> memory() { return memory_; }

  private:
    std::vector<float> memory_;
};

// A piece of a tensor as the source has it. What it looks at lies in the tile.
struct SourcePiece {
    std::uint64_t first;               // unit
    std::uint64_t offset;              // in the source file
    std::span<const std::byte> bytes;  // in native byte order
    std::span<const float> values;     // decoded; none where every target copies
    std::span<std::byte> room;         // for what is made of it
};

// The same piece as one target has it.
struct Piece {
    std::uint64_t bytes_in;
    std::uint64_t source;              // where they are in the source file
    std::uint64_t offset;              // in the output file
    std::span<const std::byte> bytes;  // in the output's byte order; they lie in the tile
};

// What wants to know how well a piece was encoded: its values, the blocks in native byte order, and the time it took.
class PieceObserver {
  public:
    virtual ~PieceObserver() = default;
    // From any thread.
    virtual Result<void> encoded(const Job& job, const Target& target, const SourcePiece& source,
                                 std::span<const std::byte> blocks, std::chrono::duration<double> took) = 0;
};

// Reads and decodes a piece of a job, and checks it where a target asks for that. Errors: IO_READ, IO_CHANGED, and
// BAD_QUANT with the row and the place in the source.
Result<SourcePiece> read_piece(const Job& job, std::uint64_t piece, Tile& tile);

// What a target makes of it; valid until the next call for the same tile. Errors: BAD_QUANT.
Result<Piece> make_piece(const Job& job, const Target& target, const SourcePiece& source,
                         PieceObserver* observer = nullptr);

// Both, for a job of one plan.
Result<Piece> make_piece(const Job& job, std::uint64_t piece, Tile& tile);

}  // namespace ggufkit::requant
