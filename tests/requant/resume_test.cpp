// Runs that are killed, and taken up again: the same bytes as of one that was not, and nothing redone that was durable.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <ggufkit/requant/execute.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "requant/checkpoints.hpp"
#include "requant/half_done.hpp"
#include "support/files.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/random_blocks.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;
using namespace std::chrono_literals;
using enum TensorType;
using requant::Journal;

namespace {

// Runs in a process of its own, which is killed after `lifetime`, or when it is done; with a `journal`, as soon as it has
// one and reports progress, whatever the load of the machine.
void run_and_kill(const std::vector<Output>& outputs, const Model& model, std::chrono::microseconds lifetime,
                  const fs::path& journal = {}) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto done = execute(model, outputs,
                                  {.work = {.threads = 2,
                                            .progress =
                                                [&](const Progress&) {
                                                    if (!journal.empty() && fs::exists(journal)) ::raise(SIGKILL);
                                                }},
                                   .resume = true,
                                   .checkpoint_interval = std::chrono::milliseconds(1)});
        ::_exit(done ? 0 : 1);
    }
    if (journal.empty()) {
        std::this_thread::sleep_for(lifetime);
        ::kill(child, SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
}

}  // namespace

TEST_CASE("resume: killed at any moment, again and again, one output or two: the bytes of a run that was not") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small), other_plan = plan_for(model, large);
    const auto expected = working_model().requantized(small).bytes();
    const auto expected_other = working_model().requantized(large).bytes();
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(execute(model, plan, site.out));
    const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);

    Random random(7);
    int taken_up = 0;
    for (int kill = 0; kill < 50; ++kill) {
        CAPTURE(kill);
        fs::remove(site.out);
        fs::remove(site.other);
        std::vector<Output> outputs{{&plan, site.out}};
        if (kill % 2 == 1) outputs.push_back({&other_plan, site.other});
        for (int times = 0; times <= kill % 3 && !fs::exists(site.out); ++times) {
            run_and_kill(outputs, model, whole * static_cast<int>(random.unit() * 120) / 100,
                         kill % 10 == 0 ? site.journal() : fs::path());
        }
        const bool finished =
            std::ranges::all_of(outputs, [](const Output& output) { return fs::exists(output.path); });
        if (!finished) {
            const auto [result, done_before] = resume(model, outputs);
            REQUIRE_MESSAGE(result, result.error().message());
            taken_up += done_before > 0;
        }
        REQUIRE(read_bytes(site.out) == expected);
        if (outputs.size() > 1) REQUIRE(read_bytes(site.other) == expected_other);
    }
    CHECK(taken_up > 0);
}

TEST_CASE("resume: what was durable is not done again") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small);
    run_half(model, plan, site.out);
    CHECK(site.count() == 3);  // the input, the partial file, the journal
    const auto [result, done_before] = resume(model, {{&plan, site.out}});
    REQUIRE(result);
    CHECK(done_before * 2 >= plan.bytes_in());
    CHECK(read_bytes(site.out) == working_model().requantized(small).bytes());
    CHECK(site.count() == 2);
}

TEST_CASE("resume: what is not as the journal says is done again from there") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small);
    const auto expected = working_model().requantized(small).bytes();
    run_half(model, plan, site.out);

    const auto damage = [](const fs::path& file, std::uint64_t at) {
        std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
        stream.seekp(static_cast<std::streamoff>(at)).put('\x7f');
    };
    std::uint64_t least = 0;  // that is done before
    SUBCASE("the data") { damage(site.partial(), plan.tensors[0].offset + 1000); }
    SUBCASE("the journal's title") { damage(site.journal(), 3); }
    SUBCASE("the journal's mark") { damage(site.journal(), fs::file_size(site.journal()) - 20); }
    SUBCASE("no partial file") { fs::remove(site.partial()); }
    SUBCASE("no journal") { fs::remove(site.journal()); }
    SUBCASE("a journal cut short") { fs::resize_file(site.journal(), fs::file_size(site.journal()) - 1); }
    SUBCASE("padding or header only") {
        damage(site.partial(), 5);
        least = 1;
    }
    const auto [result, done_before] = resume(model, {{&plan, site.out}});
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK((done_before > 0) == (least > 0));
    CHECK(read_bytes(site.out) == expected);
    CHECK(site.count() == 2);
}

TEST_CASE("resume: work of another plan, input or effort is kept, unless it may be overwritten") {
    const Site site;
    {
        const Model model = must(Model::open(site.in));
        run_half(model, plan_for(model, small), site.out);
    }
    std::map<std::string, TensorType> types = small;
    Effort effort = Effort::normal;
    SUBCASE("plan") { types = large; }
    SUBCASE("effort") { effort = Effort::fast; }
    SUBCASE("input") { fs::last_write_time(site.in, fs::last_write_time(site.in) + 1s); }
    const Model model = must(Model::open(site.in));
    Plan plan = plan_for(model, types);
    plan.effort = effort;
    const auto refused = execute(model, plan, site.out, {.resume = true});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::io_unfinished);
    CHECK(site.count() == 3);  // with the partial file and the journal
    std::optional<std::uint64_t> done_before;
    const auto look = [&](const Progress& progress) {
        if (!done_before) done_before = progress.done;
    };
    REQUIRE(execute(model, plan, site.out, {.work = {.progress = look}, .overwrite = true, .resume = true}));
    CHECK(done_before == 0);
    if (effort == Effort::normal) CHECK(read_bytes(site.out) == working_model().requantized(types).bytes());
    CHECK(site.count() == 2);
}

TEST_CASE("resume: without it, stopped work leaves nothing, with it, a fault of the input leaves nothing") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small);
    run_half(model, plan, site.out);
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(execute(model, plan, site.out, {.work = {.stop = stop.get_token()}, .overwrite = true}));
    CHECK(site.count() == 1);

    {
        std::fstream in(site.in, std::ios::binary | std::ios::in | std::ios::out);
        const auto data = model.header().data_offset() + model.tensors()[2].info->offset;
        in.seekp(static_cast<std::streamoff>(data)) << "\xff\xff";  // a scale that is no number
    }
    const Model spoilt = must(Model::open(site.in));
    const auto result = execute(spoilt, plan_for(spoilt, small), site.out, {.resume = true});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::bad_quant);
    CHECK(site.count() == 1);
}

TEST_CASE("resume: of several outputs, those that have their names already are done") {
    const Site site;
    const Model model = must(Model::open(site.in));
    const Plan plan = plan_for(model, small), other_plan = plan_for(model, large);
    const std::vector<Output> outputs{{&plan, site.out}, {&other_plan, site.other}};
    // Another file takes the second name when all work is done.
    const auto spoil = [&](const Progress& progress) {
        if (progress.done == progress.total) write_file(site.other, "");
    };
    const auto failed = execute(model, outputs, {.work = {.progress = spoil}, .resume = true});
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::io_exists);
    CHECK(fs::exists(site.out));
    CHECK(site.count() == 6);  // the input, both outputs, a partial file, two journals

    fs::remove(site.other);
    SUBCASE("as they were left") {
        const auto [result, done_before] = resume(model, outputs);
        REQUIRE_MESSAGE(result, result.error().message());
        CHECK(done_before == plan.bytes_in());
        CHECK(read_bytes(site.out) == working_model().requantized(small).bytes());
        CHECK(read_bytes(site.other) == working_model().requantized(large).bytes());
        CHECK(site.count() == 3);
    }
    SUBCASE("but not where they were changed since") {
        auto changed = read_bytes(site.out);
        changed.back() ^= std::byte{1};
        write_file(site.out, changed);
        const auto [result, done_before] = resume(model, outputs);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::io_exists);
        CHECK(result.error().subject == site.out);
        CHECK(result.error().detail.starts_with("exists already, and what the run before left was changed since"));
        CHECK(read_bytes(site.out) == changed);
        CHECK(site.count() == 5);
        const auto replaced = execute(model, outputs, {.overwrite = true, .resume = true});
        REQUIRE_MESSAGE(replaced, replaced.error().message());
        CHECK(read_bytes(site.out) == working_model().requantized(small).bytes());
        CHECK(read_bytes(site.other) == working_model().requantized(large).bytes());
        CHECK(site.count() == 3);
    }
}

TEST_CASE("checkpoints: a look back that is broken off says nothing of what is on disk") {
    TemporaryFolder folder;
    const std::string path = folder / "journal";
    REQUIRE(Journal(path, "cafe").append({10, 0x11}));
    const auto before = read_bytes(path);

    requant::Checkpoints checkpoints({path, "cafe"}, 10);
    const auto broken_off = [&](std::size_t) -> Result<void> {
        for (std::size_t piece = 0; piece < 5; ++piece) checkpoints.done(piece, 7);
        return fail({.code = Errc::cancelled});
    };
    const auto sound = checkpoints.verify(must(checkpoints.claims()), broken_off);
    REQUIRE_FALSE(sound);
    CHECK(sound.error().code == Errc::cancelled);
    CHECK(checkpoints.mark());
    CHECK(read_bytes(path) == before);
}

TEST_CASE("checkpoints: after a failure to bring data to disk nothing more is marked") {
    TemporaryFolder folder;
    const std::string path = folder / "journal";
    requant::Checkpoints checkpoints({path, "cafe"}, 2);
    int asked = 0;
    std::atomic<bool> failed = false;
    checkpoints.start(
        1ms,
        [&]() -> Result<void> {
            ++asked;
            return fail({.code = Errc::io_write});
        },
        [&] { failed = true; });
    checkpoints.done(0, 7);
    while (!failed) std::this_thread::yield();
    CHECK_FALSE(checkpoints.finish());
    checkpoints.done(1, 7);
    CHECK_FALSE(checkpoints.mark());
    CHECK(asked == 1);
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("journal: gives back what was appended, up to the first line that is not as it was written") {
    TemporaryFolder folder;
    const std::string path = folder / "journal";
    {
        Journal journal(path, "cafe");
        journal.begin({{3, 0x11}});
        CHECK_FALSE(fs::exists(path));
        REQUIRE(journal.append({5, 0x22}));
        REQUIRE(journal.append({9, 0xffffffffffffffff}));
    }
    const std::vector<Journal::Mark> all{{3, 0x11}, {5, 0x22}, {9, 0xffffffffffffffff}};
    CHECK(must(Journal(path, "cafe").read()) == all);
    CHECK(must(Journal(path, "beef").read()).empty());

    // Any changed byte, and any cut: a prefix of the marks.
    const auto bytes = read_bytes(path);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        auto changed = bytes;
        changed[at] ^= std::byte{1};
        write_file(path, changed);
        const auto marks = must(Journal(path, "cafe").read());
        CHECK(marks.size() < all.size());
        CHECK(std::ranges::equal(marks, std::span(all).first(marks.size())));
        write_file(path, std::span(bytes).first(at));
        CHECK(must(Journal(path, "cafe").read()).size() < all.size());
    }
    write_file(path, "");
    CHECK(must(Journal(path, "cafe").read()).empty());
}
