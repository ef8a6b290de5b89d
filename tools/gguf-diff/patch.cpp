#include "patch.hpp"

#include <unistd.h>
#include <ggufkit/diff/patch.hpp>
#include <string_view>

#include "common/interrupt.hpp"
#include "common/json.hpp"
#include "common/open.hpp"
#include "common/progress.hpp"
#include "common/save.hpp"
#include "common/show.hpp"
#include "common/text.hpp"
#include "core/text.hpp"

namespace ggufkit::tool::diff {

namespace {

constexpr int trouble = 2;

// The error with the file that it is about, of which it tells what it finds in it.
tl::unexpected<Error> in_file(const std::string& file, Error error) {
    if (error.subject.empty()) {
        error.subject = file;
    } else if (!error.subject.starts_with(file)) {
        error.subject = file + ": " + error.subject;
    }
    return fail(std::move(error));
}

// Whether the patch, or NEW of --apply, goes there.
bool writes_standard_output(const PatchRun& run) {
    if (run.request.make) return is_standard_output(*run.request.make);
    return !run.request.in_place && is_standard_output(run.b);
}

Result<PatchSummary> make(const PatchRun& run, const PatchOptions& options) {
    const auto a = open_model(run.a, {.work = {.threads = run.threads}, .follow_shards = false});
    if (!a) return in_file(run.a, a.error());
    const auto b = open_model(run.b, {.work = {.threads = run.threads}, .follow_shards = false});
    if (!b) return in_file(run.b, b.error());
    if (writes_standard_output(run)) return make_patch_to(*a, *b, write_standard_output, options);
    return make_patch(*a, *b, *run.request.make, options);
}

Result<PatchSummary> carry_out(const PatchRun& run, const PatchOptions& options) {
    if (run.request.make) return make(run, options);
    if (run.request.in_place) return apply_in_place(*run.request.apply, run.a, options);
    if (writes_standard_output(run)) {
        return apply_patch_to(*run.request.apply, run.a, write_standard_output, options);
    }
    return apply_patch(*run.request.apply, run.a, run.b, options);
}

constexpr std::string_view make_takes = "--patch takes OLD and NEW";
constexpr std::string_view apply_takes = "--apply takes OLD and NEW, or --in-place and one FILE";

// What is wrong with the arguments, or nothing.
std::string_view fault_in(const PatchRun& run) {
    const PatchRequest& request = run.request;
    if (run.a.empty()) return request.make ? make_takes : apply_takes;
    if (request.make && request.in_place) return "--in-place is for --apply";
    if (run.a == "-" || (request.make && run.b == "-") || request.apply == "-") {
        return "a patch is made of files and for files, not of standard input";
    }
    if (writes_standard_output(run) && run.json) {
        return "with - the output takes standard output, and there is no room for --json";
    }
    if (writes_standard_output(run) && ::isatty(STDOUT_FILENO) != 0) {
        return "standard output is a terminal: redirect it to a file or a pipe";
    }
    if (request.in_place && !run.b.empty()) return "--in-place takes one FILE, which becomes the new one";
    if (!request.in_place && run.b.empty()) {
        return request.make ? make_takes : apply_takes;
    }
    return "";
}

void print_json(Console& console, const PatchRun& run, const PatchSummary& summary) {
    JsonWriter json(console.out);
    const auto file = [&](std::string_view name, const PatchedFile& about) {
        json.key(name).begin_object();
        json.field("bytes", about.bytes).field("xxh3_128", about.digest.hex()).end_object();
    };
    json.begin_object().field("patch", run.request.make ? *run.request.make : *run.request.apply);
    json.field("bytes", summary.bytes);
    file("old", summary.old_file);
    file("new", summary.new_file);
    json.field("copied_bytes", summary.copied).field("in_place", summary.in_place).end_object().finish();
}

void print_text(Console& console, const PatchRun& run, const PatchSummary& summary) {
    const auto name = [](const std::string& file) { return printable(shown(file)); };
    const auto new_bytes = [&] { return human_bytes(summary.new_file.bytes); };
    if (run.request.apply) {
        console.out.write(fmt::format("{}: {}, as the patch says it must be\n",
                                      name(run.request.in_place ? run.a : run.b), new_bytes()));
        return;
    }
    console.out.write(fmt::format("{}: {}, which makes {} ({}) from {}{}\n", name(*run.request.make),
                                  human_bytes(summary.bytes), name(run.b), new_bytes(), name(run.a),
                                  summary.in_place ? ", in place too" : ""));
}

}  // namespace

int run_patch(const PatchRun& run, const CommandLine& line, Console& console) {
    if (const auto fault = fault_in(run); !fault.empty()) return line.refuse(console, fault);
    const auto done = [&] {
        const Interrupt interrupt;
        ProgressBar bar;
        return carry_out(run, {.work = {.threads = run.threads,
                                        .progress = [&](const Progress& now) { bar.update(now); },
                                        .stop = interrupt.token()},
                               .zstd_level = run.request.zstd_level,
                               .overwrite = run.force});
    }();
    if (!done && done.error().code == Errc::cancelled) {
        console.error("cancelled, nothing was written");
        return cancelled;
    }
    if (!done) {
        console.error(sentence(done.error()) + (done.error().code == Errc::io_exists && !run.request.in_place
                                                    ? "; --force replaces a finished file"
                                                    : ""));
        return trouble;
    }
    if (writes_standard_output(run)) return 0;
    run.json ? print_json(console, run, *done) : print_text(console, run, *done);
    return 0;
}

}  // namespace ggufkit::tool::diff
