// Importance matrices: how much each column of a model's matrices matters, as llama-imatrix measures it over a text.
//
// Purpose: reads the files of llama-imatrix, the GGUF form and the older one without a magic number; quantizers then
//   weigh the error of each column by it.
//
//     const auto imatrix = ggufkit::Imatrix::open("m.imatrix.gguf");
//     if (!imatrix) return complain(imatrix.error());
//     const std::span<const float> weights = imatrix->find("blk.0.attn_k.weight");  // a number for each column
//     auto done = ggufkit::quantize_rows(type, row, row.size(), blocks, weights);
//
// Ownership: an Imatrix owns its numbers, some four bytes for each column of the model; what it hands out borrows from
//   it. A Recipe and a Plan borrow the Imatrix.
// Thread-safety: immutable once made; any number of threads may read it.
// Source: spec/imatrix.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ggufkit/error.hpp>

namespace ggufkit {

class Model;

class Imatrix {
  public:
    // Of one tensor: the mean squared input of every column, ne[0] numbers for each of its matrices, one matrix after
    // the other. All are finite and none is negative.
    struct Entry {
        std::string tensor;
        std::vector<float> weights;
        // Matrices (experts) that the calibration text never reached, in order: their weights are all 1.
        std::vector<std::uint32_t> unseen{};
        std::string made_from{};  // the entry that adapted() took it from, or the first of several
    };

    // Where the numbers came from.
    struct Origin {
        std::string file;          // the path that open() was given
        std::string dataset;       // the text, or the first of several; empty where that is not known
        std::uint32_t chunks = 0;  // of the text; 0 where that is not known
    };

    Imatrix() = default;  // knows no tensor

    // Errors: IO_OPEN, IO_READ, IO_CHANGED and those of parse().
    static Result<Imatrix> open(const std::filesystem::path& path);

    // A file that begins like GGUF is read as such, anything else as the older form. Allocation is bounded by the size
    // of `bytes`. Errors, with the place in `bytes`: those of parse() and check_structure() for GGUF; BAD_SEMANTICS
    // where it is no importance matrix, sums and counts do not fit together, or a number is negative, NaN or infinite;
    // TRUNCATED, LENGTH_PAST_EOF; DUP_TENSOR.
    static Result<Imatrix> parse(std::span<const std::byte> bytes);

    // Numbers that the caller measured; `uncounted` names tensors that the text never reached. BAD_SEMANTICS, DUP_TENSOR
    // as above.
    static Result<Imatrix> of(std::vector<Entry> entries, Origin origin, std::vector<std::string> uncounted = {});
    static Result<Imatrix> of(std::vector<Entry> entries) { return of(std::move(entries), Origin()); }

    std::span<const Entry> entries() const { return entries_; }  // in order of name
    const Origin& origin() const { return origin_; }

    // Only the entries of tensors whose name contains one of `parts`, or only those of the others: --include-weights and
    // --exclude-weights.
    Imatrix including(std::span<const std::string> parts) &&;
    Imatrix excluding(std::span<const std::string> parts) &&;

    // Fills in tensors of `model` that have no entry, from entries that fit no tensor of it but hold the same numbers:
    // experts that are one tensor in the model and apart in the file, or the other way round; and tensors that are
    // multiplied with the same input (attn_qkv for attn_q, attn_k and attn_v). The entries used are replaced.
    Imatrix adapted(const Model& model) &&;

    // The weights of a tensor; empty where there are none.
    std::span<const float> find(std::string_view tensor) const;
    const Entry* find_entry(std::string_view tensor) const;  // null where there is none

    // Whether the file has the tensor, but counted no input for any of its matrices. Such a tensor has no entry.
    bool is_uncounted(std::string_view tensor) const;

  private:
    std::vector<Entry> entries_;
    std::vector<std::string> uncounted_;
    Origin origin_;
};

}  // namespace ggufkit
