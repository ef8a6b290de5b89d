// Comparing two models: metadata, structure, bytes.
//
// Purpose: what was added, removed and changed between two models. Only the models count, not how files hold them:
//   shards, version, byte order, alignment (and the keys that say so: general.alignment, split.*), the order of
//   keys and tensors make no difference.
// Ownership: a Diff owns its names and borrows values and tensor infos from the two models.
// Thread-safety: one call runs its own threads over immutable models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <ggufkit/digest.hpp>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>

namespace ggufkit {

struct KeyChange {
    enum class Kind : std::uint8_t { added, removed, changed };
    Kind kind;
    std::string key;
    std::optional<ValueView> a;  // absent: added
    std::optional<ValueView> b;  // absent: removed
};

struct TensorChange {
    std::string name;
    const TensorInfo* a = nullptr;  // null: added
    const TensorInfo* b = nullptr;  // null: removed
    bool retyped = false;
    bool reshaped = false;             // trailing dimensions of 1 do not count
    bool bytes_differ = false;         // only looked at where type and shape agree
    std::optional<Digest> digest_a{};  // where bytes differ
    std::optional<Digest> digest_b{};
};

struct Diff {
    std::vector<KeyChange> metadata;    // in order of key
    std::vector<TensorChange> tensors;  // only those that differ, in the order of A, then those only in B
    std::size_t tensors_equal = 0;
    bool same() const { return metadata.empty() && tensors.empty(); }
};

struct DiffOptions {
    unsigned threads = 0;  // 0: as many as the machine has
    // Bytes of A that were compared with B's, and how many there are to compare; called from one thread at a time.
    std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
    std::stop_token stop{};  // requested: CANCELLED
};

// Errors: those of Model::data(); IO_CHANGED where a file changed meanwhile; CANCELLED.
Result<Diff> compare(const Model& a, const Model& b, const DiffOptions& options = {});

}  // namespace ggufkit
