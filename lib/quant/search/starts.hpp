// Where searches begin: for each shape of sub-block the few guesses that, together, come nearest to the best of a fine
// grid of guesses. They were picked one by one, each the one that lowered the error most, on the weights of a trained
// model; spec/quantizers.md says how to do it again.
#pragma once

namespace ggufkit::quant {

// The code of the lowest value is `shift`, that of the highest max_code + shift + stretch.
struct AffineStart {
    float stretch;
    float shift;
};

template <int sub_block, int max_code>
inline constexpr AffineStart affine_starts[] = {};
template <>
inline constexpr AffineStart affine_starts<16, 3>[] = {
    {0.4f, -0.2f}, {0.4f, 0.0f},  {0.4f, -0.4f}, {0.9f, -0.5f},
    {0.5f, -0.6f}, {-0.1f, 0.1f}, {0.4f, 0.1f},  {0.6f, -0.2f},
};
template <>
inline constexpr AffineStart affine_starts<32, 15>[] = {
    {0.0f, 0.0f},  {-0.5f, 0.75f}, {0.0f, -0.25f}, {0.0f, 0.25f},  {0.5f, -0.25f}, {0.25f, -0.25f},
    {0.25f, 0.0f}, {-1.0f, 0.0f},  {-2.0f, 2.0f},  {0.25f, 0.25f}, {-0.75f, 1.0f}, {0.5f, -0.5f},
};
template <>
inline constexpr AffineStart affine_starts<32, 31>[] = {
    {0.0f, 0.0f},   {-1.0f, 1.0f},    {-2.0f, 1.0f}, {0.0f, 0.25f},   {0.0f, -0.25f}, {-3.0f, 1.0f},
    {-0.75f, 0.0f}, {-0.75f, -0.25f}, {0.25f, 0.0f}, {0.25f, -0.25f}, {-1.75f, 0.0f}, {-1.75f, 1.75f},
};

// The value of the element of largest magnitude.
template <int sub_block, int half_range>
inline constexpr float symmetric_starts[] = {};
template <>
inline constexpr float symmetric_starts<16, 4>[] = {-4, 3.2f, -4.4f, -3.8f, 2.9f, -4.2f, 3.35f, -4.7f};
template <>
inline constexpr float symmetric_starts<32, 8>[] = {-8, 7.2f, -8.4f, -7.8f, 6.95f, -8.2f, 6.2f, -8.7f};
template <>
inline constexpr float symmetric_starts<32, 16>[] = {-16,   15.1f, -16.4f, 14.1f,  -15.8f,
                                                     14.9f, 13,    13.9f,  -16.2f, 15.4f};
template <>
inline constexpr float symmetric_starts<16, 32>[] = {-32, 31, 30, 29, 28, 27, -31.8f, 26, 30.8f, 25, -32.3f, 24};

}  // namespace ggufkit::quant
