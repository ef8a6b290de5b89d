// Lists of hashes: of every tensor of a model and of its files, and the check that a model still has them.
//
// Purpose: manifests that sha256sum and xxh128sum check (lines of files) and that those of llama-gguf-hash look like
//   (lines of tensors); and checking such lists, whoever made them.
//
//     const auto manifest = ggufkit::hash_model(*model, ggufkit::HashKind::sha256);
//     fmt::print("{}", manifest->text());
//     ...
//     const auto check = ggufkit::check_manifest(*model, *ggufkit::Manifest::parse(text));
//     return check && check->holds() ? 0 : 1;
//
// Ownership: plain values.
// Thread-safety: one call runs its own threads over an immutable model; the callback is called from one of them at a
//   time and must not throw.
// Source: spec/manifest.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit {

enum class HashKind : std::uint8_t { xxh128, xxh64, sha1, sha256 };
std::string_view name(HashKind kind) noexcept;  // "xxh128", …
std::optional<HashKind> find_hash_kind(std::string_view name) noexcept;

struct HashLine {
    // What was hashed.
    enum class Of : std::uint8_t {
        tensor,  // its bytes in little-endian order, as XXH3-128 digests are
        file,    // its bytes
        data,    // all tensors' bytes, one tensor after another in the order of the file
    };

    HashKind kind;
    Of of;
    std::string hex;     // lower case
    std::string file;    // its path, as it was named
    std::string tensor;  // its name, made safe to print; empty where `of` is not tensor
};

struct Manifest {
    std::vector<HashLine> lines;

    // A line each, files last.
    std::string text() const;
    // Comments (#) and lines of hashes that are not known here are passed over. BAD_ARGUMENT where nothing is left.
    static Result<Manifest> parse(std::string_view text);
};

// Every tensor, in the order of the model, then every file: of a compressed model the compressed ones. Errors: those of
// Model::data(); IO_READ; IO_CHANGED where a file changed meanwhile; CANCELLED.
Result<Manifest> hash_model(const Model& model, HashKind kind, const Work& work = {});

struct ManifestCheck {
    enum class Finding : std::uint8_t {
        same,
        differs,
        missing,   // the manifest has a tensor, or a file, that the model has not
        unlisted,  // the model has a tensor that the manifest has not, though it has others
    };
    struct Line {
        HashLine listed;
        Finding finding;
        std::string found;  // hex, where it differs
    };

    std::vector<Line> lines;  // in the order of the manifest, then the unlisted ones

    std::size_t count(Finding finding) const;
    bool holds() const { return count(Finding::same) == lines.size(); }
};
std::string_view name(ManifestCheck::Finding finding) noexcept;  // "same", "differs", …

// Tensors are known by their names, files by the last part of theirs; the file of a model of one may have got another
// name. A line of data also holds for a file of that hash. Errors: those of hash_model().
Result<ManifestCheck> check_manifest(const Model& model, const Manifest& manifest, const Work& work = {});

}  // namespace ggufkit
