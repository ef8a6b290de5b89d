// Validation: everything that is wrong with a file, with rule, place and thing.
//
// Purpose: parse() finds what makes a header unreadable; these functions find all the rest, and do not stop at the
//   first fault.
//
//     const ggufkit::Report report = ggufkit::validate(model.header(), {.profile = ggufkit::Profile::llama});
//     for (const ggufkit::Diagnostic& found : report.diagnostics) {
//         fmt::print("{}: {}\n", name(found.severity), found.error.message());
//     }
//     return report.valid() ? 0 : 1;
//
// Ownership: a Report owns its text.
// Thread-safety: pure functions.
// Source: spec/gguf.md, where every rule has an id.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>

namespace ggufkit {

enum class Profile : std::uint8_t {
    spec,   // what the format allows
    llama,  // what llama.cpp will load: shorter names, contiguous tensors in order, no nested arrays
};

enum class Severity : std::uint8_t { note, warning, error };
std::string_view name(Severity severity) noexcept;  // "note", "warning", "error"

struct Diagnostic {
    Severity severity;
    Error error;
};

struct Report {
    std::vector<Diagnostic> diagnostics;  // in order of offset
    bool valid() const;                   // no error among them
};

struct ValidateOptions {
    Profile profile = Profile::spec;
    bool strict = false;  // trailing bytes and non-zero padding are errors rather than warnings
};

// A rule of spec/gguf.md as the program knows it; a test holds the document and this table together.
struct Rule {
    std::string_view id;  // "GGUF-R017"
    Errc code;
    std::optional<Severity> spec;  // how a breach is reported in each profile; empty where the rule is not checked
    std::optional<Severity> llama;
    bool strict;  // an error with ValidateOptions::strict
    std::string_view text;
};
std::span<const Rule> rules() noexcept;

// Structure only: faults() of the view, keys, names, shapes, types, offsets, alignment, bounds. An accepted view's
// tensors lie inside the file, aligned, disjoint, and of exactly the size that shape and type give. Linear, or n log n in
// the number of tensors. Where tensors lie is checked only if it is known: ModelView::placed().
Report check_structure(const ModelView& view, const ValidateOptions& options = {});

// Structure and content: UTF-8, bools, padding, trailing bytes.
Report validate(const ModelView& view, const ValidateOptions& options = {});

// How much of the data a file still has that was cut short.
struct CutShort {
    std::uint64_t bytes;      // the size of the whole file
    std::size_t whole;        // tensors that are all there
    const TensorInfo* first;  // in order of position, that is not
};
// Empty where every tensor ends inside the file, or where their places are unknown: ModelView::placed().
std::optional<CutShort> cut_short(const ModelView& view);

// What the metadata says against itself and against the tensors: token ids beyond the vocabulary, arrays of unequal
// length, no heads, more blocks than tensors. Nothing of a header that is not complete().
Report check_semantics(const ModelView& view);

}  // namespace ggufkit
