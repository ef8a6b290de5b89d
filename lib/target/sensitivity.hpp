// How much the relative error of a tensor's output counts in the whole model.
//
// Purpose: the divergence of a model's predictions grows with the error in its residual stream, relative to the stream. So
//   a matrix counts as much as what its block adds to the stream, beside all that is in it. An imatrix tells how much
//   that is; without one, a table of roles has to do.
// Source: spec/targets.md.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/requant/plan.hpp>
#include <map>
#include <stop_token>
#include <string_view>

#include "plan/facts.hpp"

namespace ggufkit::target {

class Sensitivities {
  public:
    // Reads all of the matrices that write to the stream, if there is an imatrix. `plan` is of this model and recipe.
    static Result<Sensitivities> find(const Model& model, const Recipe& recipe, const Plan& plan, unsigned threads,
                                      const std::stop_token& stop);

    double of(std::string_view tensor) const;

  private:
    // What a layer adds to the residual stream, as a part of the stream's mean square after it; 0 where that is not known.
    struct Shares {
        double attention = 0;
        double ffn = 0;
    };
    plan::ModelFacts facts_;
    std::map<std::uint64_t, Shares> layers_;
};

}  // namespace ggufkit::target
