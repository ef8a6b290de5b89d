// Patches: what turns one GGUF file into another, in as few bytes as that takes.
//
// Purpose: make_patch() writes down how a file NEW differs from a file OLD; apply_patch() rebuilds NEW from OLD, byte for
//   byte; apply_in_place() turns OLD itself into NEW where nothing in it has to move. make_patch_to() and
//   apply_patch_to() pass their bytes on, for a pipe.
//
//     const auto made = ggufkit::make_patch(*old_model, *new_model, "m.patch");
//     if (!made) return complain(made.error());
//     fmt::print("{} bytes\n", made->bytes);
//     ...
//     const auto done = ggufkit::apply_patch("m.patch", "old.gguf", "new.gguf");
//
// Ownership: plain values; paths name files, which are open only during a call.
// Thread-safety: make_patch() runs its own threads. Its callback, like those of the others, is called from one thread at
//   a time and must not throw.
// Source: spec/patch.md. A library built without zstd refuses all of them (UNSUPPORTED).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include <ggufkit/digest.hpp>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/work.hpp>
#include <ggufkit/zstd_level.hpp>

namespace ggufkit {

// What a patch begins with: as a GGUF file does, and then not.
inline constexpr std::string_view patch_magic = "GGUFPTCH";

// A file as a patch knows it. The digest is XXH3-128 of all its bytes.
struct PatchedFile {
    std::uint64_t bytes = 0;
    Digest digest;
    friend bool operator==(const PatchedFile&, const PatchedFile&) = default;
};

struct PatchSummary {
    PatchedFile old_file;
    PatchedFile new_file;
    std::uint64_t bytes = 0;   // of the patch
    std::uint64_t copied = 0;  // bytes of the new file that are taken from the old one as they are
    bool in_place = false;     // all of those stay where they are, and the file keeps its size
};

struct PatchOptions {
    Work work{};
    int zstd_level = default_zstd_level;
    bool overwrite = false;  // of the output, where there is one
};

// Errors: BAD_ARGUMENT (a zstd level; a model of several files, which are patched one by one), IO_READ, IO_CHANGED,
// CANCELLED, and those of an output: IO_SAME_FILE, IO_EXISTS, IO_BUSY, IO_OPEN, IO_NO_SPACE, IO_WRITE.
Result<PatchSummary> make_patch(const Model& old_model, const Model& new_model, const std::filesystem::path& patch,
                                const PatchOptions& options = {});

// Takes the next bytes of a stream. What it returns as an error ends the work.
using PatchSink = std::function<Result<void>(std::span<const std::byte>)>;

// Like make_patch(), but passes the patch on once it is complete. Keeps its bytes until then in a file without a name in
// TMPDIR, or else /var/tmp, because the head of a patch is known last. Errors: all errors of make_patch() and of the sink.
Result<PatchSummary> make_patch_to(const Model& old_model, const Model& new_model, const PatchSink& sink,
                                   const PatchOptions& options = {});

// What a patch says of itself. Errors: IO_OPEN, IO_READ, BAD_PATCH (no patch, or a damaged one).
Result<PatchSummary> read_patch(const std::filesystem::path& patch);

// `new_file` appears whole, or not at all. Errors: those of read_patch() and of an output; BAD_PATCH where the old file is
// not the one that the patch was made for.
Result<PatchSummary> apply_patch(const std::filesystem::path& patch, const std::filesystem::path& old_file,
                                 const std::filesystem::path& new_file, const PatchOptions& options = {});

// Like apply_patch(), but passes the new file on while it is made. Checks the old file before the first
// byte, and the digest of the new file after the last: an error then means that the bytes passed on are wrong.
Result<PatchSummary> apply_patch_to(const std::filesystem::path& patch, const std::filesystem::path& old_file,
                                    const PatchSink& sink, const PatchOptions& options = {});

// Only the bytes that differ are written, after they were noted in FILE.ggufkit-redo: where that was left behind by a run
// that was killed or lost power, the next call finishes its work first. A file that is the new one already stays as it
// is. Errors: those of read_patch(); BAD_PATCH where the file is not the one that the patch was made for; UNSUPPORTED
// where bytes would have to move or more than 64 MiB differ; IO_OPEN, IO_BUSY (another run is at work on it), IO_WRITE,
// IO_NO_SPACE, CANCELLED. The file is then what it was before; or, where writing to it failed, there is a note with which
// the next call finishes.
Result<PatchSummary> apply_in_place(const std::filesystem::path& patch, const std::filesystem::path& file,
                                    const PatchOptions& options = {});

}  // namespace ggufkit
