// One tensor's share of a plan, in pieces that can be made one by one, in any order and by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/plan.hpp>
#include <ggufkit/quantize.hpp>
#include <span>
#include <vector>

namespace ggufkit::requant {

// A tensor as a run of equal units: rows where it is requantized (a quantizer may look at a whole row, and the matrices
// of a 3-D tensor are just more rows), blocks where it is copied. A piece is a few units; what they become does not
// depend on how many.
struct Job {
    const PlannedTensor* tensor;
    int fd;                       // of the file that holds the source
    std::uint64_t source_offset;  // in that file
    bool source_big_endian;
    bool output_big_endian;
    Effort effort;
    std::uint64_t units;
    std::uint64_t unit_elements;
    std::uint64_t unit_bytes_in;
    std::uint64_t unit_bytes_out;
    std::uint64_t piece_units;  // in every piece but the last

    bool converts() const { return tensor->from != tensor->to; }
    // The bytes in the output are those of the source.
    bool verbatim() const { return !converts() && source_big_endian == output_big_endian; }
    std::uint64_t pieces() const { return (units + piece_units - 1) / piece_units; }
    std::uint64_t tile_bytes() const;  // of memory for one piece
};

// The jobs of a plan, in its order. BAD_ARGUMENT where the plan was not made from this model.
Result<std::vector<Job>> make_jobs(const Model& model, const Plan& plan);

// The memory of one worker, big enough for any piece of some jobs: its floats, the bytes read, the blocks made.
class Tile {
  public:
    explicit Tile(std::span<const Job> jobs);
    std::span<float> memory() { return memory_; }

  private:
    std::vector<float> memory_;
};

struct Piece {
    std::uint64_t bytes_in;
    std::uint64_t source;              // where they are in the source file
    std::uint64_t offset;              // in the output file
    std::span<const std::byte> bytes;  // in the output's byte order; they lie in the tile
};

// Reads, checks and converts a piece of a job. Errors: IO_READ, IO_CHANGED, and BAD_QUANT with the row and the place in
// the source.
Result<Piece> make_piece(const Job& job, std::uint64_t piece, Tile& tile);

}  // namespace ggufkit::requant
