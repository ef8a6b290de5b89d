// Where a file came from, written into its metadata, and the check that it is so.
//
// Purpose: a requantized file can carry the digest of every tensor that it was made from, and the recipe; whoever has the
//   source can then tell whether it is the one.
//
//     const auto provenance = ggufkit::provenance_of(*source, "my-tool 1.0");
//     recipe.provenance = &*provenance;                // the plan's header now says what it was made from
//     ...
//     const auto check = ggufkit::check_provenance(*made, *source);
//     return check && check->holds() ? 0 : 1;
//
// Ownership: plain values.
// Thread-safety: one call runs its own threads over immutable models.
// Source: spec/recipes.md, "Provenance".
#pragma once

#include <string>
#include <vector>

#include <ggufkit/digest.hpp>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit {

// What a Recipe takes to have it written.
struct Provenance {
    std::string tool;            // the program that asked: "gguf-requant 0.1.0"; empty: not said
    std::vector<Digest> source;  // of Model::tensors(), in their order
};

// Reads all of the model. The size of a plan does not depend on what the digests are: for one that is only to be shown,
// as many empty ones will do. Errors: those of digests().
Result<Provenance> provenance_of(const Model& source, std::string tool, const Work& work = {});

struct ProvenanceCheck {
    enum class Finding : std::uint8_t {
        same,        // the source has the tensor that the file was made from
        differs,     // it has another one of that name
        missing,     // it has none
        unused,      // it has one that the file was not made from
        unrecorded,  // the file has one of which it does not say what it was made from
    };
    struct Tensor {
        std::string name;
        Finding finding;
    };

    std::string tool;             // what the file says; empty where it does not
    std::string recipe;           // the text of a recipe file
    std::vector<Tensor> tensors;  // in the order of the file's record; then the unused and the unrecorded ones

    std::size_t count(Finding finding) const;
    bool holds() const { return count(Finding::same) == tensors.size(); }
};

std::string_view name(ProvenanceCheck::Finding finding) noexcept;  // "same", "differs", …

// Whether `made` was made from `source`, by what it says of itself. Errors: NOT_FOUND where it says nothing;
// BAD_SEMANTICS where what it says is no list of digests and names; those of digests().
Result<ProvenanceCheck> check_provenance(const Model& made, const Model& source, const Work& work = {});

}  // namespace ggufkit
