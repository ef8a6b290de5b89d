// Reads tensors in parts, wherever they come from.
//
//     auto reader = tensor::Reader::open(model, *model.find_tensor("output.weight"), {.via = tensor::Via::read});
//     tensor::Workspace workspace;  // one for each thread
//     auto blocks = reader->blocks({.first = 0, .count = 4096}, workspace, tensor::Check::finite);
//     auto values = reader->decode({.first = 0, .count = 4096}, *blocks, workspace);
//
// A Source brings the blocks: this header does not say how, and callers must not care. The first source is a GGUF file;
// tensors of a checkpoint are permuted, stacked, unpacked or repacked while they are read, and lie in no file as they
// are. A Reader adds to a source all that is the same for all of them: checks, decoding, scales, and errors with tensor,
// row and offset.
//
// Ownership: a Reader borrows the Model; copies share the source. The results lie in the workspace, or in memory of the
//   model, and stay valid until the next read of their kind (blocks or values) into the same workspace.
// Thread-safety: any number of threads may use one Reader, each with a workspace of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/aligned.hpp"

namespace ggufkit::tensor {

// A run of elements, counted through all rows and matrices of a tensor. Begins and ends between two blocks.
struct Range {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

// The scratch memory of one thread. Grows to what the largest read needs.
class Workspace {
  public:
    std::span<std::byte> blocks(std::uint64_t bytes);
    std::span<float> values(std::uint64_t count);

  private:
    std::vector<std::byte> blocks_;
    AlignedVector<float> values_;
};

// Where blocks lie in an open file, as they are but for the byte order.
struct FileRange {
    int fd;
    std::uint64_t offset;
    std::uint64_t size;
    ByteOrder order;
};

// Brings the blocks of one tensor.
class Source {
  public:
    virtual ~Source() = default;
    // Whole blocks in native (little-endian) byte order. Errors name no tensor: the reader adds that.
    virtual Result<std::span<const std::byte>> blocks(Range range, Workspace& workspace) const = 0;
    // Nothing where the blocks are made while they are read.
    virtual std::optional<FileRange> in_file(Range) const { return std::nullopt; }
    // A hint.
    virtual void advise(Range, Access) const {}
};

enum class Via : std::uint8_t {
    mapping,  // no copy where the byte order is native; a file that shrinks meanwhile raises SIGBUS
    read,     // a copy, in memory of a fixed size; a file that shrinks is an error
};

enum class Check : std::uint8_t {
    none,
    finite,  // BAD_QUANT where check_blocks() finds a NaN or an infinity
};

struct ReadOptions {
    Via via = Via::mapping;
    // Decode to the values that the model computes with: multiplied by the factors in NAME.scale (tensor/scale.hpp).
    bool scaled = false;
    // The only ranges that will be read, in order; empty: all. Of a model on a server, nothing else is fetched.
    std::span<const Range> ranges{};
};

class Reader {
  public:
    // Errors: those of Model::data().
    static Result<Reader> open(const Model& model, const ModelTensor& tensor, const ReadOptions& options = {});
    // Of any source. `info` says what it brings and outlives the reader; its size was checked. `factors`: one for each
    // matrix, or none.
    Reader(const TensorInfo& info, std::shared_ptr<const Source> source, std::vector<float> factors = {});

    const TensorInfo& info() const { return *info_; }
    const FormatInfo& format() const { return *info_->format; }
    std::uint64_t elements() const { return elements_; }
    std::uint64_t bytes() const { return bytes_of(elements_); }
    // Of whole blocks.
    std::uint64_t bytes_of(std::uint64_t elements) const {
        return elements / format().block_elements * format().block_bytes;
    }
    // The most elements in whole blocks that take up no more than `bytes`; at least one block.
    std::uint64_t elements_in(std::uint64_t bytes) const;
    Range all() const { return {0, elements_}; }

    // Native byte order. Errors: IO_READ, IO_CHANGED; BAD_QUANT as asked for.
    Result<std::span<const std::byte>> blocks(Range range, Workspace& workspace, Check check = Check::none) const;
    // Decodes blocks of a range, as read by blocks() or a part of that. UNSUPPORTED where the type cannot be decoded.
    Result<std::span<const float>> decode(Range range, std::span<const std::byte> blocks, Workspace& workspace) const;
    // Both.
    Result<std::span<const float>> values(Range range, Workspace& workspace, Check check = Check::none) const;

    // For who copies the bytes unread, hashes them as they are, or tells where they are.
    std::optional<FileRange> in_file(Range range) const { return source_->in_file(range); }
    // Tells the kernel how a range will be used. A hint.
    void advise(Range range, Access access) const { source_->advise(range, access); }

    // `error`, met at this element: adds the tensor, the row, and the offset of the block or weight.
    Error locate(std::uint64_t element, Error error) const;

  private:
    const TensorInfo* info_;
    std::shared_ptr<const Source> source_;
    std::vector<float> factors_;
    std::uint64_t elements_;
};

// Gives all blocks to `take`, so many bytes at a time, in order. The first error ends it.
Result<void> for_each_part(const Reader& reader, std::uint64_t part_bytes, Workspace& workspace,
                           const std::function<Result<void>(std::span<const std::byte> blocks)>& take);

// Keeps a range in memory while it lives: so that no more of a mapping is resident than is looked at.
class Window {
  public:
    Window(const Reader& reader, Range range) : reader_(reader), range_(range) {
        reader_.advise(range_, Access::will_need);
    }
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;
    ~Window() { reader_.advise(range_, Access::dont_need); }

  private:
    const Reader& reader_;
    const Range range_;
};

}  // namespace ggufkit::tensor
