// Size targets: the types that lose least in a file of a given size.
//
// Purpose: measure() finds out what every type would cost each tensor, in bytes and in error; solve() picks a type for each
//   tensor under a budget of bytes; fit() makes a plan of it.
//
//     const auto measured = ggufkit::target::measure(*model, recipe);
//     if (!measured) return complain(measured.error());
//     const auto fit = ggufkit::target::fit(*model, recipe, *measured, 4'000'000'000);  // bytes
//     if (fit) done = ggufkit::execute(*model, fit->plan, "m-4GB.gguf");
//
// Ownership: plain values; the plan of a Fit borrows what the recipe given to fit() borrows.
// Thread-safety: measure() runs its own threads; its callback is called from one of them at a time and must not throw. All
//   results are the same for any number of threads and on every machine.
// Source: spec/targets.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/plan.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit::target {

// A type that a tensor can have, and what that costs.
struct TypeOption {
    TensorType type;
    std::uint64_t bytes;  // in the file, padding included
    double error;         // of its output, relative: sum of w * (x' - x)^2 over sum of w * x^2, w being the importance
};

// A tensor whose type is free: it is quantized at all, and nobody gave it a type.
struct MeasuredTensor {
    std::string name;
    double sensitivity;               // how much a relative error of it counts
    std::vector<TypeOption> options;  // by bytes, then error
};

struct Measurement {
    std::vector<MeasuredTensor> tensors;  // in the output's order
    std::uint64_t fixed_bytes = 0;        // all else in the file: the header, tensors whose type is not free
    std::uint64_t header_bytes = 0;       // of these, what is no tensor
    std::uint64_t weights = 0;            // of all tensors
};

struct MeasureOptions {
    Work work{};                      // progress in tensors, at the start and after each
    std::uint64_t sample = 64 << 10;  // weights of each tensor that are tried, about
    std::vector<TensorType>
        types{};  // to choose from; empty: all but those for models that were trained for few values
};

// Quantizes rows of each tensor, the same on every machine, to each type that can be made of it: rows are whole blocks,
// there is a quantizer, and an imatrix covers the tensor where the type needs one. The mix needs no file type.
// Errors: those of make_plan(); BAD_ARGUMENT (a copy or a pure recipe, which leaves nothing free); IO_READ, IO_CHANGED; BAD_QUANT (a NaN or infinity in the source); CANCELLED.
Result<Measurement> measure(const Model& model, const Recipe& recipe, const MeasureOptions& options = {});

struct Solution {
    std::vector<std::size_t> choice;  // for each tensor, the index of its option
    std::uint64_t bytes = 0;          // of the whole file
    double loss = 0;                  // sum of sensitivity * error
    double bound = 0;                 // no choice within the budget loses less
};

// The least loss in at most `budget` bytes, or nearly: `bound` says how near. OUT_OF_RANGE where even the smallest
// options are too big.
Result<Solution> solve(const Measurement& measurement, std::uint64_t budget);

// The bytes of a file whose tensors take that many bits a weight.
std::uint64_t budget_of(const Measurement& measurement, double bits_a_weight);

// What became of a target.
struct Fit {
    Plan plan;  // recipe_text() prints it as a recipe file
    Solution solution;
};

// Types for the whole output, headers of all its files included, in at most `budget` bytes. `measurement` is of the model
// and the recipe. Where the recipe's mix has no file type, general.file_type becomes the fixed one nearest in size. Errors:
// as from make_plan(); OUT_OF_RANGE if the smallest possible file is too big: `detail` gives its size in bytes.
Result<Fit> fit(const Model& model, const Recipe& recipe, const Measurement& measurement, std::uint64_t budget);

}  // namespace ggufkit::target
