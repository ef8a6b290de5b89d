#include "requant/pieces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "requant/run_digest.hpp"
#include "requant/workers.hpp"

namespace ggufkit::requant {

namespace {

// In the order of the file, behind its header, and not into one another.
Result<void> check_order(const Plan& plan) {
    std::uint64_t end = plan.files.front().header.size();
    for (const PlannedTensor& tensor : plan.tensors) {
        if (tensor.offset < end) {
            return fail({.code = Errc::bad_argument,
                         .subject = fmt::format("tensor '{}'", tensor.name),
                         .detail = "the plan does not put it behind what comes before it"});
        }
        end = tensor.offset + tensor.bytes_out;
    }
    return {};
}

}  // namespace

Result<Pieces> Pieces::make(const Model& model, const Plan& plan) {
    if (plan.files.size() != 1) {
        return fail({.code = Errc::unsupported,
                     .detail = fmt::format("the plan is of {} files, which have no one view", plan.files.size())});
    }
    if (auto possible = check_executable(plan); !possible) return fail(std::move(possible).error());
    auto jobs = make_jobs(model, plan);
    if (!jobs) return fail(std::move(jobs).error());
    if (auto ordered = check_order(plan); !ordered) return fail(std::move(ordered).error());
    if (auto workers = choose_workers(*jobs, 1, 1); !workers) return fail(std::move(workers).error());
    return Pieces(plan, *std::move(jobs));
}

Pieces::Pieces(const Plan& plan, std::vector<Job> jobs) : plan_(&plan), jobs_(std::move(jobs)), numbers_(jobs_) {}

std::uint64_t Pieces::piece_bytes(std::size_t job) const {
    return plan_->tensors[job].bytes_out / jobs_[job].units * jobs_[job].piece_units;
}

Pieces::Range Pieces::range(std::uint64_t number) const {
    const auto [job, piece] = numbers_.at(number);
    const PlannedTensor& tensor = plan_->tensors[job];
    const std::uint64_t before = piece * piece_bytes(job);
    return {.begin = tensor.offset + before,
            .end = tensor.offset + std::min(tensor.bytes_out, before + piece_bytes(job))};
}

std::uint64_t Pieces::bytes_in(std::uint64_t number) const {
    const std::size_t job = numbers_.at(number).job;
    const auto [begin, end] = range(number);
    // As many units as are made of them.
    return (end - begin) / (plan_->tensors[job].bytes_out / jobs_[job].units) *
           (plan_->tensors[job].bytes_in / jobs_[job].units);
}

std::uint64_t Pieces::first_behind(std::uint64_t offset) const {
    const auto& tensors = plan_->tensors;
    const auto tensor = std::ranges::partition_point(
        tensors, [&](const PlannedTensor& before) { return before.offset + before.bytes_out <= offset; });
    if (tensor == tensors.end()) return count();
    const auto job = static_cast<std::size_t>(tensor - tensors.begin());
    if (offset <= tensor->offset) return numbers_.first_of(job);
    return numbers_.first_of(job) + (offset - tensor->offset) / piece_bytes(job);
}

std::string Pieces::run_digest(const Model& model) const {
    const Plan* const plans[]{plan_};
    return requant::run_digest(model, plans, jobs_);
}

Result<Piece> Pieces::make_piece(std::uint64_t number, Tile& tile) const {
    const auto [job, piece] = numbers_.at(number);
    return requant::make_piece(jobs_[job], piece, tile);
}

}  // namespace ggufkit::requant
