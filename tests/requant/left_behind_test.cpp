// What lies beside an output before a run: stale bytes, other people's files, work that is worth keeping.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <ggufkit/requant/execute.hpp>
#include <string>
#include <vector>

#include "requant/half_done.hpp"
#include "requant/journal.hpp"
#include "support/files.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/small_model.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;
using requant::Journal;

namespace {

// With padding behind the first tensor and behind the last one.
SmallModel padded_model() {
    SmallModel model = bare_llama();
    model.weights("odd", TensorType::F32, {3});
    model.weights("first", TensorType::Q8_0, {256, 4096}).weights("last", TensorType::Q8_0, {1024, 2048});
    model.weights("end", TensorType::F32, {5});
    return model;
}

void fill_with_ones(const fs::path& file, std::uint64_t at, std::uint64_t size) {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(static_cast<std::streamoff>(at)) << std::string(size, '\xff');
    REQUIRE(stream.flush().good());
}

std::uint64_t padding_behind(const Plan& plan, std::size_t tensor) {
    return plan.tensors[tensor].offset + plan.tensors[tensor].bytes_out;
}

void make_special(const fs::path& path, const std::string& kind, const fs::path& victim) {
    if (kind == "FIFO") REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    if (kind == "hard link") fs::create_hard_link(victim, path);
    if (kind == "symbolic link") fs::create_symlink(victim, path);
}

}  // namespace

TEST_CASE("resume: every byte of the result is written by this run or was proven, padding too") {
    const Site site(padded_model());
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small);
    const auto expected = padded_model().requantized(small).bytes();
    REQUIRE(plan.tensors[1].offset > padding_behind(plan, 0));
    REQUIRE(plan.files[0].file_bytes > padding_behind(plan, 3));
    bool taken_up = false, of_another = false;
    SUBCASE("over a partial file without a journal") {
        write_file(site.partial(), std::vector<std::byte>(plan.files[0].file_bytes + 1000, std::byte{0xff}));
    }
    SUBCASE("over half the work of a run of other types") {
        run_half(model, plan_for(model, large), site.out);
        fill_with_ones(site.partial(), padding_behind(plan, 0), 20);
        fill_with_ones(site.partial(), padding_behind(plan, 3), 12);
        of_another = true;
    }
    SUBCASE("over half the work of this run") {
        run_half(model, plan, site.out);
        fill_with_ones(site.partial(), padding_behind(plan, 0), 20);
        fill_with_ones(site.partial(), padding_behind(plan, 3), 12);
        taken_up = true;
    }
    if (of_another) {
        REQUIRE(execute(model, plan, site.out, {.overwrite = true, .resume = true}));
    } else {
        const auto [result, done_before] = resume(model, {{&plan, site.out}});
        REQUIRE_MESSAGE(result, result.error().message());
        CHECK((done_before > 0) == taken_up);
    }
    CHECK(read_bytes(site.out) == expected);
    CHECK(site.count() == 2);
}

TEST_CASE("resume: a finished output whose padding or header was changed since is not taken for done") {
    const Site site(padded_model());
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small), other_plan = plan_for(model, large);
    const std::vector<Output> outputs{{&plan, site.out}, {&other_plan, site.other}};
    const auto spoil = [&](const Progress& progress) {
        if (progress.done == progress.total) write_file(site.other, "");
    };
    REQUIRE_FALSE(execute(model, outputs, {.work = {.progress = spoil}, .resume = true}));
    REQUIRE(fs::exists(site.out));
    fs::remove(site.other);
    std::uint64_t at = 0;
    SUBCASE("padding") { at = padding_behind(plan, 0); }
    SUBCASE("padding at the end") { at = padding_behind(plan, 3); }
    SUBCASE("header") { at = 5; }
    fill_with_ones(site.out, at, 1);
    const auto [result, done_before] = resume(model, outputs);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::io_exists);
    CHECK(result.error().subject == site.out);
    REQUIRE(execute(model, outputs, {.overwrite = true, .resume = true}));
    CHECK(read_bytes(site.out) == padded_model().requantized(small).bytes());
    CHECK(read_bytes(site.other) == padded_model().requantized(large).bytes());
}

TEST_CASE("journal: what this program did not make is refused before any work, and stays as it is") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small);
    const fs::path victim = site.folder / "victim";
    write_file(victim, "precious");
    for (const char* const suffix : {".ggufkit-journal", ".ggufkit-journal-new"}) {
        for (const char* const kind : {"FIFO", "hard link", "symbolic link"}) {
            for (const bool resumed : {false, true}) {
                CAPTURE(suffix);
                CAPTURE(kind);
                CAPTURE(resumed);
                make_special(site.out + suffix, kind, victim);
                bool worked = false;
                const auto work = [&](const Progress&) { worked = true; };
                const auto done = execute(model, plan, site.out, {.work = {.progress = work}, .resume = resumed});
                REQUIRE_FALSE(done);
                CHECK(done.error().code == Errc::io_open);
                CHECK(done.error().subject == site.out + suffix);
                CHECK_FALSE(worked);
                CHECK(fs::file_size(victim) == 8);
                CHECK(site.count() == 3);
                fs::remove(site.out + suffix);
            }
        }
    }
    CHECK(execute(model, plan, site.out, {.resume = true}));
}

TEST_CASE("journal: one that was left half made is no obstacle, and goes with the journal") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small);
    write_file(site.journal().string() + "-new", "ggufkit-journal 1 of a run that was killed");
    REQUIRE(execute(model, plan, site.out));
    CHECK(site.count() == 2);
}

TEST_CASE("resume: file names as long as they can be, several of them with the same beginning") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small), other_plan = plan_for(model, large);
    for (const auto size : {std::size_t{236}, std::size_t{245}, std::size_t{255}}) {
        CAPTURE(size);
        const std::string a = site.folder / (std::string(size - 1, 'n') + "a");
        const std::string b = site.folder / (std::string(size - 1, 'n') + "b");
        const std::vector<Output> outputs{{&plan, a}, {&other_plan, b}};
        run_half(model, outputs);
        CHECK(site.count() == 5);  // the input, two partial files, two journals
        const auto [result, done_before] = resume(model, outputs);
        REQUIRE_MESSAGE(result, result.error().message());
        CHECK(done_before > 0);
        CHECK(read_bytes(a) == working_model().requantized(small).bytes());
        CHECK(read_bytes(b) == working_model().requantized(large).bytes());
        fs::remove(a);
        fs::remove(b);
        CHECK(site.count() == 1);
    }
}

TEST_CASE("work that was kept is thrown away only where the caller says so") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small), other_plan = plan_for(model, large);
    const auto expected = working_model().requantized(small).bytes();
    const std::vector<Output> one{{&plan, site.out}}, two{{&plan, site.out}, {&other_plan, site.other}};
    for (const auto* outputs : {&one, &two}) {
        for (const bool resumed : {false, true}) {
            CAPTURE(outputs->size());
            CAPTURE(resumed);
            run_half(model, *outputs);
            const auto partial = read_bytes(site.partial());
            const auto refused = [&](const std::vector<Output>& wanted, const std::string& name) {
                const auto done = execute(model, wanted);
                REQUIRE_FALSE(done);
                CHECK(done.error().code == Errc::io_unfinished);
                CHECK(done.error().subject == name + ".ggufkit-partial");
                CHECK(done.error().detail == "holds unfinished work of an earlier run");
                CHECK(read_bytes(site.partial()) == partial);
                CHECK(fs::exists(site.journal()));
            };
            refused(*outputs, site.out);
            refused({{&other_plan, site.out}}, site.out);  // of other types
            if (outputs == &two) refused({{&other_plan, site.other}}, site.other);
            if (resumed) {
                const auto [result, done_before] = resume(model, *outputs);
                REQUIRE(result);
                CHECK(done_before > 0);
            } else {
                REQUIRE(execute(model, *outputs, {.overwrite = true}));
            }
            CHECK(read_bytes(site.out) == expected);
            CHECK(site.count() == 1 + outputs->size());
            fs::remove(site.out);
            fs::remove(site.other);
        }
    }
}

TEST_CASE("a run that starts over leaves no marks of the one before it") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small), other_plan = plan_for(model, large);
    for (const bool resumed : {false, true}) {
        CAPTURE(resumed);
        run_half(model, plan, site.out);
        // As a kill would leave the journal.
        bool marks = true;
        const auto look = [&](const Progress& progress) {
            if (progress.done > 0) marks = Journal::has_marks(site.journal());
        };
        const auto done = execute(model, other_plan, site.out,
                                  {.work = {.progress = look},
                                   .overwrite = true,
                                   .resume = resumed,
                                   .checkpoint_interval = std::chrono::hours(1)});
        REQUIRE(done);
        CHECK_FALSE(marks);
        fs::remove(site.out);
    }
}

TEST_CASE("a partial file that nothing can be continued from is no obstacle") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small);
    SUBCASE("without a journal") {}
    SUBCASE("with a journal of no mark") { write_file(site.journal(), "ggufkit-journal 1 cafe\n"); }
    SUBCASE("with a damaged journal") {
        REQUIRE(Journal(site.journal(), "cafe").append({10, 0x11}));
        fs::resize_file(site.journal(), fs::file_size(site.journal()) - 1);
    }
    write_file(site.partial(), "stale");
    REQUIRE(execute(model, plan, site.out));
    CHECK(read_bytes(site.out) == working_model().requantized(small).bytes());
    CHECK(site.count() == 2);
}
