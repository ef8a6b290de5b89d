// Sums over pairs of numbers, to tell how far two rows are apart.
#pragma once

#include <array>
#include <cstddef>

namespace ggufkit::quant {

// Every sum is kept in parts: pair n goes into part n modulo `parts`, on every instruction set, so that all of them add
// the same numbers in the same order.
struct Comparison {
    static constexpr std::size_t parts = 8;
    using Parts = std::array<double, parts>;

    Parts w2{};         // Σw²
    Parts v2{};         // Σv²
    Parts wv{};         // Σwv
    Parts e2{};         // Σe², e = v - w
    Parts e{};          // Σe
    Parts max_error{};  // the greatest |e|
    Parts equal{};      // how many e are 0
    Parts iw2{};        // Σiw²
    Parts ie2{};        // Σie²
};

// Adds `count` pairs of w and v. `i` are as many weights, or null.
void compare(const float* w, const float* v, const float* i, std::size_t count, Comparison& sums);

}  // namespace ggufkit::quant
