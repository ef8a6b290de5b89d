// What each type can do here: its kernels.
#pragma once

#include <cstddef>

#include <ggufkit/format.hpp>
#include <ggufkit/quantize.hpp>

#include "quant/codes.hpp"

namespace ggufkit::quant {

// Decodes `n_blocks` blocks of a type of the kernel's family that lie one after another.
using DequantizeBlocks = void(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out);

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
using QuantizeRows = void(const SourceRows& rows, std::byte* out);

// Takes `n_blocks` blocks apart, of at most Codes::most elements.
using UnpackBlocks = void(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes);

struct Kernels {
    TensorType type;
    DequantizeBlocks* dequantize;
    UnpackBlocks* unpack;    // null where blocks have no codes
    QuantizeRows* quantize;  // null where the type can only be read
};

// The row of a type, or null where there are no kernels for it.
const Kernels* find_kernels(TensorType type) noexcept;

// One a family: quant/<family>/dequantize.cpp.
DequantizeBlocks dequantize_plain;
DequantizeBlocks dequantize_legacy;
DequantizeBlocks dequantize_k;
DequantizeBlocks dequantize_iq;
DequantizeBlocks dequantize_ternary;
DequantizeBlocks dequantize_fp4;
UnpackBlocks unpack_legacy;
UnpackBlocks unpack_k;
UnpackBlocks unpack_iq;
UnpackBlocks unpack_ternary;
UnpackBlocks unpack_fp4;

}  // namespace ggufkit::quant
