// The pieces of a plan of one file, by number and by their place in that file.
//
// They are numbered through, tensor after tensor, so a higher number lies further back in the file.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/plan.hpp>
#include <span>
#include <string>
#include <vector>

#include "requant/job.hpp"
#include "requant/piece_numbers.hpp"

namespace ggufkit::requant {

class Pieces {
  public:
    // Borrows the plan. Errors: those of check_executable() and make_jobs(); UNSUPPORTED (a plan of several files, rows
    // that are too long); BAD_ARGUMENT where the tensors are not one after the other.
    static Result<Pieces> make(const Model& model, const Plan& plan);

    const Plan& plan() const { return *plan_; }
    std::span<const Job> jobs() const { return jobs_; }
    std::span<const std::byte> header() const { return plan_->files.front().header; }
    std::uint64_t file_bytes() const { return plan_->files.front().file_bytes; }
    std::uint64_t count() const { return numbers_.count(); }

    // Where a piece is in the file.
    struct Range {
        std::uint64_t begin;
        std::uint64_t end;
    };
    Range range(std::uint64_t number) const;
    std::uint64_t bytes_in(std::uint64_t number) const;  // of the source

    // The first piece that ends behind `offset`; count() where none does.
    std::uint64_t first_behind(std::uint64_t offset) const;

    // run_digest() of this plan alone.
    std::string run_digest(const Model& model) const;

    Result<Piece> make_piece(std::uint64_t number, Tile& tile) const;

  private:
    Pieces(const Plan& plan, std::vector<Job> jobs);
    std::uint64_t piece_bytes(std::size_t job) const;  // in the file, of every piece but the last

    const Plan* plan_;
    std::vector<Job> jobs_;  // one for each tensor, in the plan's order
    PieceNumbers numbers_;
};

}  // namespace ggufkit::requant
