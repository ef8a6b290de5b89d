// Errors in words.
#pragma once

#include <ggufkit/model.hpp>
#include <ggufkit/quant/error_sums.hpp>
#include <span>
#include <string>

#include "common/console.hpp"

namespace ggufkit::tool::diff {

// The relative error; "–" where no pair of weights is finite, so that nothing is known.
bool is_known(const ErrorSums& sums);
std::string error_text(const ErrorSums& sums);
// ", 3 pairs of weights that are not finite left out"; empty where all are.
std::string left_out_text(const ErrorSums& sums);

std::string percent(double share);               // "4.07 %", "0.0123 %", "0 %"
std::string decibel(double number);              // "27.8 dB", "∞"
std::string short_number(double number);         // three digits: "0.0123", "1.2e-07"
std::string equal_share(const ErrorSums& sums);  // "all", "none", "12.3 %"

// The indices of an element, as "12,340" in a shape of two dimensions: the column comes first.
std::string place(std::uint64_t index, const TensorInfo& tensor);

// How an error is to be looked at: green where nobody notices, red where it is hardly the model any more.
Style style_of(double relative_rmse);

// A bar a number, from ▁ to █ in steps that are equal as factors; a space where there is none (negative).
std::string heat_strip(const Console& console, std::span<const double> errors, double low, double high);

}  // namespace ggufkit::tool::diff
