// Reading GGUF: parse() for bytes in memory, Model for files and split models, on disk and on servers.
//
// Purpose: metadata and tensor infos as views into the file; every tensor's data as a span, with no copy.
//
//     const auto model = ggufkit::Model::open("m-00001-of-00005.gguf");  // all five
//     if (!model) return complain(model.error());
//     const auto architecture = model->header().get_string("general.architecture");
//     const ggufkit::ModelTensor* tensor = model->find_tensor("blk.0.attn_k.weight");
//     const std::span<const std::byte> blocks = *model->data(*tensor);   // in the mapping, not a copy
//
// Ownership: a ModelView borrows the bytes that were parsed. A Model shares the mappings of its shards with its copies;
//   everything it hands out lives as long as one of them does.
// Thread-safety: both are immutable once made, but for the data that a model fetches when it is asked for; any number of
//   threads may read them.
// Source: spec/gguf.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <ggufkit/access.hpp>
#include <ggufkit/detail/name_index.hpp>
#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/value.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit {

inline constexpr std::size_t max_dims = 4;
inline constexpr std::uint32_t default_alignment = 32;

// Bounds that are not given by the size of the file itself.
struct Limits {
    std::uint32_t array_depth = 64;     // arrays in arrays
    std::uint32_t records = 1'000'000;  // key-value pairs, and tensor infos: some 100 bytes of memory each
};

struct KeyValue {
    std::string_view key;
    ValueView value;
    std::uint64_t offset;  // of the key's length, in the file
};

struct TensorInfo {
    std::string_view name;
    std::uint32_t n_dims = 0;                            // more than max_dims only in views of parse_prefix()
    std::array<std::uint64_t, max_dims> ne{1, 1, 1, 1};  // ne[0] is the row length; unused dimensions are 1
    const std::uint64_t* all_ne = nullptr;               // all n_dims of them where there are more than max_dims
    std::uint32_t type_id = 0;
    const FormatInfo* format = nullptr;  // null where nobody is known to use type_id
    std::uint64_t offset = 0;            // of the data, from the start of the data section
    std::uint64_t info_offset = 0;       // of this record, in the file

    std::span<const std::uint64_t> shape() const { return {n_dims > max_dims ? all_ne : ne.data(), n_dims}; }
    // Checked; the errors of tensor_bytes() with this tensor's name and place. elements() can only overflow.
    Result<std::uint64_t> elements() const;
    Result<std::uint64_t> bytes() const;
};

// A parsed header. Nothing in it promises that tensors are sane: validate() and Model::open() check that.
class ModelView {
  public:
    std::span<const std::byte> file() const { return file_; }
    Encoding encoding() const { return encoding_; }
    std::uint32_t version() const { return encoding_.version; }
    ByteOrder byte_order() const { return encoding_.order; }
    std::uint32_t alignment() const { return alignment_; }  // general.alignment, or 32 where it is absent or unusable
    std::uint64_t header_bytes() const { return header_bytes_; }  // up to the end of the last tensor info
    std::uint64_t data_offset() const { return data_offset_; }    // header_bytes() rounded up to the alignment
    std::span<const KeyValue> metadata() const { return metadata_; }
    std::span<const TensorInfo> tensors() const { return tensors_; }

    // What parse() refuses the header for, in order. Always empty in views of parse(); see parse_prefix().
    std::span<const Error> faults() const { return faults_; }
    // The counts at the start of the header.
    std::uint64_t announced_keys() const { return announced_keys_; }
    std::uint64_t announced_tensors() const { return announced_tensors_; }
    // Whether every announced record was read. If not, header_bytes() and data_offset() are the end of the last one.
    bool complete() const { return complete_; }
    // Whether data_offset() is known: the header is complete, and its alignment is usable. If not, there is no data().
    bool placed() const { return placed_; }

    // O(1). The first one where names repeat.
    const KeyValue* find_key(std::string_view key) const;
    const TensorInfo* find_tensor(std::string_view name) const;

    // Typed getters: NOT_FOUND or WRONG_TYPE or OUT_OF_RANGE with the key and its offset.
    Result<std::uint64_t> get_unsigned(std::string_view key) const;
    Result<std::int64_t> get_signed(std::string_view key) const;
    Result<double> get_float(std::string_view key) const;
    Result<bool> get_bool(std::string_view key) const;
    Result<std::string_view> get_string(std::string_view key) const;
    Result<ArrayView> get_array(std::string_view key) const;

    // The bytes of a tensor of this view; DATA_PAST_EOF and the like where they are not all there. NOT_FOUND where it has
    // the header alone (OpenOptions::header_only): Model::data() then brings them.
    Result<std::span<const std::byte>> data(const TensorInfo& tensor) const;
    // Whether file() is the whole file, rather than a header with nothing behind it.
    bool whole() const { return whole_; }

  private:
    friend class Parser;
    friend class Model;
    Result<std::span<const std::byte>> place(const TensorInfo& tensor) const;

    std::span<const std::byte> file_;
    bool whole_ = true;
    bool complete_ = true;
    bool placed_ = true;
    Encoding encoding_;
    std::uint32_t alignment_ = default_alignment;
    std::uint64_t header_bytes_ = 0;
    std::uint64_t data_offset_ = 0;
    std::vector<KeyValue> metadata_;
    std::vector<TensorInfo> tensors_;
    std::uint64_t announced_keys_ = 0;
    std::uint64_t announced_tensors_ = 0;
    std::vector<Error> faults_;
    std::vector<std::shared_ptr<const std::uint64_t[]>> long_shapes_;  // what TensorInfo::all_ne points to
    detail::NameIndex keys_by_name_;
    detail::NameIndex tensors_by_name_;
};

// Reads the header that `bytes` starts with; versions 1 to 3, either byte order. Stops at the first fault that leaves
// the rest unreadable. Allocation is bounded by the size of `bytes` and by limits.records; time is linear in the size.
Result<ModelView> parse(std::span<const std::byte> bytes, Limits limits = {});

// Like parse(), but returns what could be read of a faulty header, with its faults(). Reads past impossible counts and
// tensors of more than max_dims dimensions. Fails only if the magic or the version is not GGUF.
Result<ModelView> parse_prefix(std::span<const std::byte> bytes, Limits limits = {});

struct OpenOptions {
    Work work{};  // of unpacking and fetching; progress in bytes
    Limits limits{};
    bool check_structure = true;  // refuse what check_structure() finds; off for tools that show broken files
    bool follow_shards = true;    // open every shard of a split model, whichever of them is named
    // Take what can be read, for tools that show broken files: headers as parse_prefix() reads them, and of a split model
    // the shards that exist and belong to it. ModelView::faults() and Model::faults() list the faults.
    bool partial = false;

    // Of files that have to be unpacked or fetched first. `header_only` gets no more than the header where that can be had
    // alone: of files on servers, and of compressed ones that have a seek table. Model::data() gets a tensor then when it
    // is asked for it; where it was not, ModelView::file() and shard_fd() have zeros.
    bool header_only = false;
};

// A tensor of a model that may be split: its info and the shard that holds it.
struct ModelTensor {
    const TensorInfo* info;
    std::uint32_t shard;
};

// Some of the bytes of a tensor.
struct DataPart {
    std::uint64_t begin;
    std::uint64_t size;
};

struct RemoteOptions;  // remote.hpp

class Model {
  public:
    // Maps `path`; where it is a shard (split.count > 1, NAME-00001-of-00005.gguf), all its siblings. Errors: IO_*,
    // all of parse() and check_structure(), and BAD_SPLIT where shards are missing or disagree. A file
    // compressed with zstd, gzip, bzip2 or xz (spec/streams.md), whatever its name, is unpacked into a temporary file
    // without a name, which is mapped in its place; errors: TRUNCATED, BAD_ZSTD and BAD_COMPRESSED with the offset in the
    // compressed file, UNSUPPORTED, IO_NO_SPACE.
    static Result<Model> open(const std::filesystem::path& path, const OpenOptions& options = {});
    // The same for what can be read from `fd`, which stays the caller's: a pipe is read to its end into a temporary
    // file; a regular file, from its start on, is mapped. Errors call it `name`.
    static Result<Model> read(int fd, const std::filesystem::path& name, const OpenOptions& options = {});
    // The same for what is on a server: a URL, or hf:OWNER/REPO/FILE (remote.hpp). All of it is fetched into a temporary
    // file without a name, or, with `header_only`, the header alone. Errors: IO_OPEN (no connection, no permission, no such
    // file), IO_READ, IO_CHANGED where it became another file between two requests, UNSUPPORTED (a server that sends no
    // parts of files; a library without libcurl), BAD_ARGUMENT, CANCELLED. None has a password or a token in it.
    static Result<Model> fetch(std::string_view name, const RemoteOptions& remote, const OpenOptions& options = {});

    // A hash of all headers. Models with the same identity have the same metadata, and the same tensors in the same places.
    // Takes about a millisecond for 10 MB of headers.
    std::uint64_t identity() const;

    std::size_t shard_count() const;
    // How many shards the whole model has: more than shard_count() where one was opened alone, or some are missing.
    std::uint64_t split_count() const;
    // A shard's number in the whole model, from 0: its index unless shards are missing.
    std::uint64_t shard_number(std::size_t index) const;
    // With OpenOptions::partial, why shards are missing, and where those that are there disagree. Else empty.
    std::span<const Error> faults() const;
    // Whether all shards are there, and all their headers complete().
    bool complete() const;
    // Whether every shard is, rather than its header alone.
    bool whole() const;
    const ModelView& shard(std::size_t index) const;
    const std::filesystem::path& shard_path(std::size_t index) const;
    // The open file behind a shard's bytes, for copy_file_range; owned by the model. Data that was not asked for may not
    // be in it where only headers were opened.
    int shard_fd(std::size_t index) const;
    // The file that was opened: of a compressed shard the compressed one, else the same. For fstat.
    int opened_fd(std::size_t index) const;

    // The first shard's header: the one with the model's metadata.
    const ModelView& header() const { return shard(0); }

    // Every tensor of every shard, in file order; O(1) look-up by name.
    std::span<const ModelTensor> tensors() const;
    const ModelTensor* find_tensor(std::string_view name) const;
    // The bytes of a tensor, all there; after it they are behind shard_fd() too. Where only headers were opened, this call
    // fetches or unpacks them, once; errors then: those of open() and fetch().
    Result<std::span<const std::byte>> data(const ModelTensor& tensor) const;
    // The same, but no more than these parts, which come in order, need be there: where only headers were opened, no others
    // are fetched, but for what lies between parts so near each other that asking twice takes longer. OUT_OF_RANGE where
    // a part is not within the tensor.
    Result<std::span<const std::byte>> data(const ModelTensor& tensor, std::span<const DataPart> parts) const;

    // Tells the kernel how the bytes from `begin` on will be used; a hint that cannot fail.
    void advise(std::size_t shard, std::uint64_t begin, std::uint64_t size, Access access) const;

    // IO_CHANGED where a file was cut short or written to under its mapping: bytes past its new end read as zero or
    // raise SIGBUS, so call this after use. A file that another took the name of is unchanged.
    Result<void> check_unchanged() const;

  private:
    struct State;
    explicit Model(std::shared_ptr<const State> state);
    std::shared_ptr<const State> state_;
};

}  // namespace ggufkit
