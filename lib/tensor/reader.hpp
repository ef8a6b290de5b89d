// Reads tensors in parts, wherever they come from.
//
//     auto reader = tensor::Reader::open(model, *model.find_tensor("output.weight"), {.via = tensor::Via::read});
//     tensor::Workspace workspace;  // one for each thread
//     auto blocks = reader->blocks({.first = 0, .count = 4096}, workspace, tensor::Check::finite);
//     auto values = reader->decode({.first = 0, .count = 4096}, *blocks, workspace);
//
// A Model lists the tensors; a Source brings the blocks of one. Callers of a Reader cannot tell how:
// a GGUF file has the blocks as they are; tensors of a checkpoint are permuted, stacked, unpacked or
// repacked while they are read, and are in no file. A Reader adds what all sources have in common:
// checks, decoding, scales, and errors that name tensor, row and offset.
//
// Ownership: a Reader shares the Model; copies share the source. Results are in the workspace or in
//   the Model's mapping, and stay valid until the next read of the same kind (blocks or values) into
//   the same workspace.
// Thread-safety: any number of threads may use one Reader, each with its own workspace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/aligned.hpp"

namespace ggufkit::tensor {

// A run of elements, counted through all rows and matrices of a tensor; whole blocks.
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

// The place of blocks in an open file, which has them unchanged but for the byte order.
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
    // Nothing if the blocks are made while they are read.
    virtual std::optional<FileRange> in_file(Range) const { return std::nullopt; }
    // A hint.
    virtual void advise(Range, Access) const {}
};

enum class Via : std::uint8_t {
    mapping,  // without a copy if the byte order is native; a file that shrinks meanwhile raises SIGBUS
    read,     // into the workspace; a file that shrinks meanwhile is an error
};

enum class Check : std::uint8_t {
    none,
    finite,  // BAD_QUANT if check_blocks() finds a NaN or an infinity
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
    // Errors: as from Model::data().
    static Result<Reader> open(const Model& model, const ModelTensor& tensor, const ReadOptions& options = {});
    // Reads from any source. `info` describes what it brings, outlives the reader and has a checked size. `factors` has
    // one number for each matrix, or none.
    Reader(const TensorInfo& info, std::shared_ptr<const Source> source, std::vector<float> factors = {});

    const TensorInfo& info() const { return *info_; }
    const FormatInfo& format() const { return *info_->format; }
    std::uint64_t elements() const { return elements_; }
    std::uint64_t bytes() const { return bytes_of(elements_); }
    // The bytes of so many elements; whole blocks.
    std::uint64_t bytes_of(std::uint64_t elements) const {
        return elements / format().block_elements * format().block_bytes;
    }
    // The elements of as many whole blocks as fit into `bytes`; at least one block.
    std::uint64_t elements_in(std::uint64_t bytes) const;
    Range all() const { return {0, elements_}; }

    // Blocks in native byte order. Errors: IO_READ, IO_CHANGED, BAD_QUANT (see Check), with the tensor's name.
    Result<std::span<const std::byte>> blocks(Range range, Workspace& workspace, Check check = Check::none) const;
    // Decodes the blocks of a range, which blocks() returned. UNSUPPORTED if the type cannot be decoded.
    Result<std::span<const float>> decode(Range range, std::span<const std::byte> blocks, Workspace& workspace) const;
    // Reads and decodes.
    Result<std::span<const float>> values(Range range, Workspace& workspace, Check check = Check::none) const;

    // The place of a range in a file, to copy its bytes there or to name it. Nothing if it is in no file.
    std::optional<FileRange> in_file(Range range) const { return source_->in_file(range); }
    // Tells the kernel how a range will be used; a hint that cannot fail.
    void advise(Range range, Access access) const { source_->advise(range, access); }

    // Adds the place of an error at `element`: the tensor, the row, and the offset of the element's block.
    Error locate(std::uint64_t element, Error error) const;

  private:
    std::string subject() const;

    const TensorInfo* info_;
    std::string name_{};  // of a reader that does not touch the mapping, where info_ has it
    std::shared_ptr<const Source> source_;
    std::vector<float> factors_;
    std::uint64_t elements_;
};

// Reads all blocks in order, about `part_bytes` at a time. The first error ends it.
Result<void> for_each_part(const Reader& reader, std::uint64_t part_bytes, Workspace& workspace,
                           const std::function<Result<void>(std::span<const std::byte> blocks)>& take);

// Has a range of a mapping in memory while it lives, and lets the kernel forget it then. Otherwise a
// large model would fill the memory.
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
