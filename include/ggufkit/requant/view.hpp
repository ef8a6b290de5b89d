// The requantized model without making it: any bytes of the file that execute() would write, made when they are read.
//
// Purpose: a runtime loads a model in another file type while nothing is written: it reads the header and the tensors
//   it wants from a RequantView, or rows of one tensor in any type. Only the pieces in the range that is read are
//   quantized.
//
//     const auto view = ggufkit::RequantView::make(*model, *plan);
//     if (!view) return complain(view.error());
//     auto done = view->read(plan->tensors[7].offset, buffer);         // any bytes of the file, from any thread
//     const auto embeddings = view->tensor("token_embd.weight");
//     if (embeddings) done = embeddings->rows(token, 1, floats);       // or rows, in any type
//
// Ownership: a RequantView shares the Model and owns its Plan, and a TensorView shares both, so whatever becomes of the
//   ones it was made from, it stays valid; but it borrows the numbers of the Imatrix, as every Plan does. The files of the
//   source must stay as they are (Model::check_unchanged()).
// Thread-safety: any number of threads may read one view. Of those that want the same piece one makes it and the others
//   wait; no lock is held while a piece is made.
// Memory: Options::cache_bytes, and some 600 KiB (or a few rows, where these are longer) for each thread that reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/plan.hpp>

namespace ggufkit {

class TensorView;

class RequantView {
  public:
    struct Options {
        std::uint64_t cache_bytes = 32 << 20;  // of the pieces that were made last; 0: none is kept
    };

    // Errors: those of check_executable(); BAD_ARGUMENT (a plan of another model, or with tensors that are not one after
    // the other); UNSUPPORTED (a plan of several files; rows of many millions of elements).
    static Result<RequantView> make(const Model& model, Plan plan, Options options);
    static Result<RequantView> make(const Model& model, Plan plan) { return make(model, std::move(plan), Options()); }

    const Plan& plan() const;
    std::uint64_t size() const;  // of the file

    // Fills `out` with the file's bytes from `offset` on: header, tensors and the zeros between them. Errors:
    // OUT_OF_RANGE; those of the source, as in execute(): IO_READ, IO_CHANGED, BAD_QUANT. Then `out` holds anything.
    Result<void> read(std::uint64_t offset, std::span<std::byte> out) const;

    // read() as llama.cpp's gguf_init_from_callback() wants it, for `view` as its user data. Returns how many bytes
    // there are: fewer than asked for at the end of the file, 0 where they cannot be made.
    //     gguf_init_from_callback(RequantView::read_callback, &view, 0, view.size(), params)
    static std::size_t read_callback(void* view, void* out, std::size_t offset, std::size_t bytes) noexcept;

    // NOT_FOUND where the plan has no such tensor.
    Result<TensorView> tensor(std::string_view name) const;

  private:
    friend class TensorView;
    struct State;
    explicit RequantView(std::shared_ptr<const State> state);
    std::shared_ptr<const State> state_;
};

// One tensor of a view, by rows.
class TensorView {
  public:
    const PlannedTensor& planned() const;

    // Bytes that a row takes in `type`. Errors: those of ggufkit::row_bytes().
    Result<std::uint64_t> row_bytes(TensorType type) const;

    // `count` rows from `first` on in any type, in native (little-endian) byte order; `out` is exactly as large. Rows are
    // counted through all matrices of a tensor.
    // In the plan's type these are the rows of the file. In any other type they are made from the source's values,
    // not from those that the plan's type would have left: so F32 gives what the source holds, rounded to nothing
    // else. (For what a quantized row decodes to, read it in the plan's type and call dequantize_rows().) The plan's
    // effort and importance count for every type.
    // Only these rows are read and made, and they are not kept.
    // Errors: OUT_OF_RANGE (there are no such rows), BAD_ARGUMENT (out.size()), BAD_ROW, UNSUPPORTED, and those of
    // RequantView::read().
    Result<void> rows(std::uint64_t first, std::uint64_t count, TensorType type, std::span<std::byte> out) const;
    // The same in F32; out.size() is count * ne[0].
    Result<void> rows(std::uint64_t first, std::uint64_t count, std::span<float> out) const;

  private:
    friend class RequantView;
    TensorView(std::shared_ptr<const RequantView::State> view, std::size_t index)
        : view_(std::move(view)), index_(index) {}
    std::shared_ptr<const RequantView::State> view_;
    std::size_t index_;  // in the plan
};

}  // namespace ggufkit
