// What identifies the content of a tensor: the same in any file, of any byte order, on any machine.
//
// Purpose: digests of one tensor or of all of a model.
// Ownership: a Digest is a plain value.
// Thread-safety: one call runs its own threads over an immutable model; the callback is called from one of them at a
//   time and must not throw.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>

namespace ggufkit {

// XXH3-128 of a tensor's bytes in little-endian order.
struct Digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::string hex() const;  // 32 digits, the canonical big-endian form that xxh128sum prints
    static std::optional<Digest> of_hex(std::string_view digits);
    friend bool operator==(const Digest&, const Digest&) = default;
};

// Errors: those of Model::data().
Result<Digest> digest(const Model& model, const ModelTensor& tensor);

struct DigestOptions {
    unsigned threads = 0;  // 0: as many as the machine has
    // Bytes that were read, and how many there are to read.
    std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
    std::stop_token stop{};  // requested: CANCELLED
};

// Of some tensors of a model, in their order. The file is read, not looked at through its mapping, in a quarter
// of a megabyte of memory for each thread. Errors: those of Model::data(); IO_READ; IO_CHANGED where a file changed meanwhile; CANCELLED.
Result<std::vector<Digest>> digests(const Model& model, std::span<const ModelTensor> tensors,
                                    const DigestOptions& options = {});

}  // namespace ggufkit
