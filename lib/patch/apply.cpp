#include <system_error>

#include "core/try.hpp"
#include "io/output_file.hpp"
#include "patch/rebuild.hpp"
#include "patch/redo.hpp"

namespace ggufkit {

using patch::Opened;
using patch::Rebuild;

namespace {

// A file that is not the old one may be half the new one: then its note tells.
Error explained(Error error, const std::filesystem::path& old_file) {
    const std::filesystem::path note = patch::note_of(old_file);
    std::error_code unknown;
    if (error.code == Errc::bad_patch && std::filesystem::exists(note, unknown)) {
        error.detail += "; " + note.filename().string() +
                        " says that a run in place was interrupted: finish that one first, with --apply PATCH " +
                        old_file.string() + " --in-place";
    }
    return error;
}

// BAD_PATCH if `old_file`, which `rebuild` is about, is not the one that the patch was made for.
Result<void> check_old_file(Rebuild& rebuild, const std::filesystem::path& old_file) {
    const auto found = rebuild.identify();
    if (!found) return fail(explained(found.error(), old_file));
    if (*found == Rebuild::Found::old_one) return {};
    return fail({.code = Errc::bad_patch,
                 .subject = old_file.string(),
                 .detail = "is what the patch makes, not what it was made for"});
}

}  // namespace

Result<PatchSummary> read_patch(const std::filesystem::path& patch) {
    TRY_LET(const auto opened, Opened::open(patch));
    return opened.summary();
}

Result<PatchSummary> apply_patch(const std::filesystem::path& patch, const std::filesystem::path& old_file,
                                 const std::filesystem::path& new_file, const PatchOptions& options) {
    TRY_LET(const auto opened, Opened::open(patch));
    TRY_LET(const auto old_bytes, io::MappedFile::open(old_file));
    Rebuild rebuild(opened, old_bytes, options);
    TRY(check_old_file(rebuild, old_file));
    TRY_LET(auto output,
            io::OutputFile::create(new_file, opened.patch().head.new_file.bytes,
                                   {.overwrite = options.overwrite, .inputs = {old_bytes.fd(), opened.fd()}}));
    auto done = rebuild.run([&](const Rebuild::Part& part) {
        return part.source ? output.copy(part.offset, old_bytes.fd(), *part.source, part.bytes.size())
                           : output.write(part.offset, part.bytes);
    });
    if (done) done = output.commit();
    if (!done) return fail(std::move(done).error());
    return opened.summary();
}

Result<PatchSummary> apply_patch_to(const std::filesystem::path& patch, const std::filesystem::path& old_file,
                                    const PatchSink& sink, const PatchOptions& options) {
    TRY_LET(const auto opened, Opened::open(patch));
    TRY_LET(const auto old_bytes, io::MappedFile::open(old_file));
    Rebuild rebuild(opened, old_bytes, options);
    TRY(check_old_file(rebuild, old_file));
    TRY(rebuild.run([&](const Rebuild::Part& part) { return sink(part.bytes); }));
    return opened.summary();
}

}  // namespace ggufkit
