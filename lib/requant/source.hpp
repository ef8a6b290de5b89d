// Reading the source: tensors cut into pieces, and the one function that reads a piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/plan.hpp>
#include <optional>
#include <span>
#include <vector>

#include "tensor/reader.hpp"

namespace ggufkit::requant {

// What one output makes of a tensor.
struct Target {
    const PlannedTensor* tensor;
    std::uint32_t plan = 0;  // index among the plans that are carried out together
    std::size_t file = 0;    // index among the files of all plans
    Effort effort = Effort::normal;
    bool big_endian = false;
    bool checked = false;  // refuse NaN and infinities; a plan that only copies takes what it finds
    std::uint64_t unit_bytes = 0;

    bool converts() const { return tensor->from != tensor->to; }
};

struct SourceTensor;

// The rows of one tensor that a worker converts at a time.
struct Piece {
    const SourceTensor* tensor = nullptr;
    std::uint64_t first = 0;
    std::uint64_t units = 0;

    std::uint64_t source_bytes() const;
    friend bool operator==(const Piece&, const Piece&) = default;
};

// A tensor of the source as a sequence of equal units: rows where an output converts it (a quantizer may look
// at a whole row, and the matrices of a 3-D tensor are just more rows), blocks where all outputs copy it. What
// units become does not depend on how many of them a piece has.
struct SourceTensor {
    tensor::Reader reader;
    std::optional<tensor::FileRange> place = reader.in_file(reader.all());  // nothing if it is made while it is read
    std::uint64_t units = 0;
    std::uint64_t unit_elements = 0;
    std::uint64_t unit_bytes = 0;
    std::uint64_t piece_units = 1;  // of every piece but the last
    std::vector<Target> targets{};

    const PlannedTensor& planned() const { return *targets.front().tensor; }  // for what all targets agree on
    bool converts() const;                                                    // for any of its targets
    bool checked() const;                                                     // for any of its targets
    // Whether the output has the bytes of the source's file.
    bool verbatim(const Target& target) const {
        return !target.converts() && place && (place->order == ByteOrder::big) == target.big_endian;
    }

    std::uint64_t pieces() const { return (units + piece_units - 1) / piece_units; }
    Piece piece(std::uint64_t number) const;
    std::uint64_t workspace_bytes() const;  // that a piece takes
};

inline std::uint64_t Piece::source_bytes() const { return tensor == nullptr ? 0 : units * tensor->unit_bytes; }

// Without targets. BAD_ARGUMENT where the plan and the model disagree; the errors of Model::data().
Result<SourceTensor> find_source(const Model& model, const PlannedTensor& tensor);

// Cuts a tensor into units and pieces, once it has all its targets.
void divide(SourceTensor& tensor);

// A piece as it was read. Its bytes lie in a workspace.
struct SourcePiece {
    Piece piece;
    std::span<const std::byte> bytes;  // in native byte order
    std::span<const float> values;     // decoded; none where all targets copy
};

// The scratch memory of one worker.
class Workspace {
  public:
    // Memory for what is made of a piece; valid until the next call.
    std::span<std::byte> made(std::uint64_t bytes) {
        if (made_.size() < bytes) made_.resize(bytes);
        return std::span(made_).first(bytes);
    }

    // The next piece is read, even if it is the last one again.
    void forget() { piece_.reset(); }

  private:
    friend Result<SourcePiece> read_piece(const Piece& piece, Workspace& workspace);
    tensor::Workspace read_;
    std::vector<std::byte> made_;
    std::optional<SourcePiece> piece_;  // the one that was read last
};

// Reads and decodes a piece, and checks it where a target asks for that; the piece that the workspace holds is
// not read again, so several outputs cost one read. Errors: IO_READ, IO_CHANGED; BAD_QUANT with the row and its
// place in the source.
Result<SourcePiece> read_piece(const Piece& piece, Workspace& workspace);

}  // namespace ggufkit::requant
