// Writing GGUF: say what the file holds, compute where everything goes, then fill it in any order.
//
// Purpose: Header is the content (metadata, tensor names, shapes, types); make_layout() turns it into the header's
//   bytes and the final offset of every tensor. The same Header gives the same bytes everywhere.
//
//     ggufkit::Header header;
//     header.set("general.architecture", ggufkit::Value::of_string("llama"));
//     header.tensors.push_back({.name = "t", .n_dims = 1, .ne = {32, 1, 1, 1}, .type = ggufkit::TensorType::F32});
//     const auto layout = ggufkit::make_layout(header);
//     write(layout->header), write_at(layout->offsets[0], weights);
//
// Ownership: a Header borrows the values that were given as views (keep their Model alive) and owns those given as
//   Value.
// Thread-safety: plain values; make_layout() is pure.
// Source: spec/gguf.md.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/detail/name_index.hpp>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>

namespace ggufkit {

class Header {
  public:
    struct Entry {
        std::string key;
        ValueView value;
    };
    struct Tensor {
        std::string name;
        std::uint32_t n_dims = 0;
        std::array<std::uint64_t, max_dims> ne{1, 1, 1, 1};
        TensorType type = TensorType::F32;
    };

    Header() = default;
    // Everything of `view`: metadata in order (values borrowed), tensors in order, byte order.
    static Result<Header> from(const ModelView& view);

    // Replaces the value in place where the key exists, appends otherwise. general.alignment sets the alignment of the
    // layout.
    void set(std::string_view key, ValueView borrowed);
    void set(std::string_view key, Value owned);
    // Removes the key where it is and appends it at the end, as llama.cpp's setters do.
    void set_last(std::string_view key, Value owned);
    bool remove(std::string_view key);

    const std::vector<Entry>& metadata() const { return metadata_; }

    std::vector<Tensor> tensors;
    ByteOrder byte_order = ByteOrder::little;

  private:
    std::uint32_t find(std::string_view key) const;
    void append(std::string_view key, ValueView value);
    ValueView own(Value value);

    std::vector<Entry> metadata_;
    detail::NameIndex by_key_;
    std::vector<std::shared_ptr<const Value>> owned_;  // shared: what the entries look at stays put in copies as well
};

struct Layout {
    std::vector<std::byte> header;       // version 3, padded up to data_offset (not padded where there are no tensors)
    std::uint64_t data_offset = 0;       // of the data section in the file
    std::vector<std::uint64_t> offsets;  // of each tensor in the file, absolute
    std::vector<std::uint64_t> sizes;    // bytes of each tensor, without padding
    std::uint64_t file_bytes = 0;        // the whole file, the last tensor's padding included
    std::uint32_t alignment = default_alignment;
};

// Tensors one after another in the given order, each aligned, padding zero. Errors: those a reader would give (BAD_KEY,
// DUP_KEY, BAD_ALIGN, BAD_NAME, BAD_ROW, SIZE_OVERFLOW, …): what is written can always be read back.
Result<Layout> make_layout(const Header& header);

// The whole file in memory; `data(i)` gives the bytes of tensor i, exactly layout.sizes[i] of them, in the header's
// byte order. For small files and tests: execute() and OutputFile write big ones.
Result<std::vector<std::byte>> write_to_memory(const Header& header,
                                               const std::function<std::span<const std::byte>(std::size_t)>& data);

}  // namespace ggufkit
