// What each type can do here: its kernels, for the instruction set in use.
#pragma once

#include <cstddef>
#include <ggufkit/format.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <span>

#include "quant/codes.hpp"

namespace ggufkit::quant {

// Decodes `n_blocks` blocks that lie one after another.
using DecodeBlocks = void(const std::byte* blocks, std::size_t n_blocks, float* out);

// Takes `n_blocks` blocks apart, of at most Codes::most elements.
using UnpackBlocks = void(const std::byte* blocks, std::size_t n_blocks, Codes& codes);

// Rows of finite values, each a whole number of blocks, to be encoded.
struct SourceRows {
    const float* x;  // rows * ne0
    std::size_t ne0;
    std::size_t rows;
    const float* importance;  // null, or ne0 weights, the same for every row
    Effort effort;

    std::size_t count() const { return rows * ne0; }
};

// Encodes them into blocks that lie one after another.
using EncodeRows = void(const SourceRows& rows, std::byte* out);

struct Kernels {
    TensorType type;
    DecodeBlocks* decode;
    UnpackBlocks* unpack = nullptr;  // null where blocks have no codes
    EncodeRows* encode = nullptr;    // null where the type can only be read
    // The largest magnitude that can be encoded; infinity where a larger one shows as an infinite scale.
    float largest = std::numeric_limits<float>::infinity();
};

// The kernels of a type, or null where it has none.
const Kernels* find_kernels(TensorType type) noexcept;

// The tables that find_kernels() looks in, each in quant/<family>/kernels.cpp or quant/iq/iq4_kernels.cpp.
std::span<const Kernels> plain_kernels();
std::span<const Kernels> legacy_kernels();
std::span<const Kernels> k_kernels();
std::span<const Kernels> iq_kernels();
std::span<const Kernels> iq4_kernels();
std::span<const Kernels> ternary_kernels();
std::span<const Kernels> fp4_kernels();

}  // namespace ggufkit::quant
