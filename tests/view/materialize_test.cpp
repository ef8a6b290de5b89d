// Files in shared memory: whoever makes one, in however many attempts, it is the file that execute() writes, and its name
// never leads to anything less.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/shared.hpp>
#include <set>
#include <string>
#include <thread>

#include "requant/control.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/random_blocks.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using namespace std::chrono_literals;
using enum TensorType;
namespace fs = std::filesystem;
using requant::Control;
using requant::SharedNames;

namespace {

using Bytes = std::vector<std::byte>;

// A name in shared memory that no other test has; nothing of it is left behind.
class SharedName {
  public:
    SharedName() {
        static std::atomic<int> next{0};
        name_ = "ggufkit-test-" + std::to_string(::getpid()) + "-" + std::to_string(next++);
    }
    SharedName(const SharedName&) = delete;
    SharedName& operator=(const SharedName&) = delete;
    ~SharedName() {
        for (const auto& file : files()) fs::remove("/dev/shm/" + file);
    }
    operator std::string_view() const { return name_; }
    fs::path path() const { return "/dev/shm/" + name_; }
    std::set<std::string> files() const {
        std::set<std::string> found;
        for (const auto& entry : fs::directory_iterator("/dev/shm")) {
            const std::string file = entry.path().filename();
            if (file == name_ || file.starts_with(name_ + ".")) found.insert(file);
        }
        return found;
    }
    bool left_alone() const { return files().empty(); }

  private:
    std::string name_;
};

struct Source {
    TemporaryFolder folder;
    Model model;
    Plan plan;
    Bytes file;

    explicit Source(const SmallModel& made = mixed_model(ByteOrder::little, 32), const Types& types = mixed_types)
        : model(saved(made, folder / "in.gguf")), plan(plan_for(model, types)) {
        REQUIRE(execute(model, plan, folder / "out.gguf"));
        file = read_bytes(folder / "out.gguf");
    }
};

// Enough pieces to die between them.
SmallModel long_model() {
    return bare_llama().weights("a", F16, {256, 4000}).weights("b", F32, {300'001}).weights("c", Q8_0, {256, 5000});
}
const Types long_types{{"a", Q8_0}, {"c", F16}};

Materialized made(const Source& source, std::string_view name, const MaterializeOptions& options = {}) {
    const auto result = materialize(source.model, source.plan, name, options);
    REQUIRE_MESSAGE(result, result.error().message());
    return *result;
}

Error refusal(const Source& source, std::string_view name, const MaterializeOptions& options = {}) {
    const auto result = materialize(source.model, source.plan, name, options);
    REQUIRE_FALSE(result);
    return result.error();
}

// Runs `work` in a child of this process and returns how it ended.
template <class Work>
int in_child(const Work& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

// Makes `name` and dies by kill -9 as soon as `share` of the input was dealt with.
void die_while_making(const Source& source, std::string_view name, double share) {
    const int status = in_child([&] {
        const auto die = [&](const Progress& progress) {
            if (static_cast<double>(progress.done) >= share * static_cast<double>(progress.total)) ::raise(SIGKILL);
        };
        (void)materialize(source.model, source.plan, name, {.work = {.threads = 1, .progress = die}});
    });
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
}

}  // namespace

TEST_CASE("materialize: the file that execute() writes, found again, and removed") {
    const Source source;
    const SharedName name;
    CHECK(must(shared_path(name)) == name.path());
    CHECK(made(source, name) == Materialized::made);
    CHECK((read_bytes(name.path()) == source.file));
    CHECK(name.files().size() == 2);  // and the segment
    const auto before = fs::last_write_time(name.path());
    for (const bool replace : {false, true}) CHECK(made(source, name, {.replace = replace}) == Materialized::found);
    CHECK(fs::last_write_time(name.path()) == before);
    CHECK(must(Model::open(name.path())).tensors().size() == source.plan.tensors.size());
    REQUIRE(remove_shared(name));
    CHECK(name.left_alone());
    CHECK(remove_shared(name).error().code == Errc::not_found);
    CHECK(made(source, name) == Materialized::made);
    fs::remove(name.path());  // by rm: the segment stays, and says nothing any more
    CHECK(made(source, name) == Materialized::made);
    CHECK((read_bytes(name.path()) == source.file));
}

TEST_CASE("materialize: whatever was left by who died before the segment had its place is thrown away") {
    const Source source;
    for (const auto& left : {std::vector<std::string>{".ggufkit"},
                             {".ggufkit-partial"},
                             {".ggufkit-new"},
                             {".ggufkit", ".ggufkit-partial", ".ggufkit-new"}}) {
        const SharedName name;
        for (const std::string& end : left) write_file(name.path().string() + end, end == ".ggufkit" ? "" : "x");
        CHECK(made(source, name) == Materialized::made);
        CHECK((read_bytes(name.path()) == source.file));
        CHECK(name.files().size() == 2);
    }
}

TEST_CASE("materialize: links and folders in the place of its files are refused, and what they lead to is unharmed") {
    const Source source;
    const TemporaryFolder folder;
    write_file(folder / "precious", Bytes(5, std::byte{'x'}));
    const SharedName name;
    const std::string segment = name.path().string() + ".ggufkit";
    fs::create_symlink(folder / "precious", segment);
    CHECK(refusal(source, name).code == Errc::io_open);
    CHECK(remove_shared(name).error().code == Errc::io_open);
    fs::remove(segment);
    fs::create_directory(segment);
    CHECK(refusal(source, name).code == Errc::io_open);
    fs::remove(segment);
    fs::create_symlink(folder / "precious", name.path().string() + ".ggufkit-partial");
    fs::create_symlink(folder / "precious", name.path());
    CHECK(refusal(source, name).code == Errc::io_exists);
    CHECK(made(source, name, {.replace = true}) == Materialized::made);  // of the link, not of what it leads to
    CHECK((read_bytes(name.path()) == source.file));
    CHECK(fs::file_size(folder / "precious") == 5);
}

TEST_CASE("materialize: models without tensors, without bytes") {
    for (const auto& model : {bare_llama(), bare_llama().weights("a", F16, {64, 0})}) {
        const Source source(model, {});
        const SharedName name;
        CHECK(made(source, name) == Materialized::made);
        CHECK((read_bytes(name.path()) == source.file));
        CHECK(made(source, name) == Materialized::found);
    }
}

TEST_CASE("materialize: another plan, input or file of that name is refused, or replaced") {
    const Source source;
    const Source other(mixed_model(ByteOrder::little, 32), {{"q8.large", F32}});
    const Source same_bytes;  // in another file: who knows
    const SharedName name;
    CHECK(made(source, name) == Materialized::made);
    Plan with_effort = source.plan;
    with_effort.effort = Effort::max;
    CHECK(materialize(source.model, with_effort, name).error().code == Errc::io_exists);
    for (const Source* another : {&other, &same_bytes}) CHECK(refusal(*another, name).code == Errc::io_exists);
    CHECK(made(source, name) == Materialized::found);  // still

    const int reader = ::open(name.path().c_str(), O_RDONLY);  // who has the old one open keeps it
    CHECK(made(other, name, {.replace = true}) == Materialized::made);
    CHECK((read_bytes(name.path()) == other.file));
    Bytes old(source.file.size());
    CHECK(::pread(reader, old.data(), old.size(), 0) == static_cast<ssize_t>(old.size()));
    CHECK((old == source.file));
    ::close(reader);
    CHECK(refusal(source, name).code == Errc::io_exists);

    // A file that was written to, or that somebody else put there.
    std::fstream(name.path(), std::ios::in | std::ios::out) << "GGUX";
    CHECK(refusal(other, name).code == Errc::io_exists);
    CHECK(made(other, name, {.replace = true}) == Materialized::made);
    CHECK((read_bytes(name.path()) == other.file));
    const SharedName foreign;
    write_file(foreign.path(), "mine");
    CHECK(refusal(source, foreign).code == Errc::io_exists);
    CHECK(foreign.files().size() == 1);
    CHECK(remove_shared(foreign).error().code == Errc::not_found);
    CHECK(fs::file_size(foreign.path()) == 4);
}

TEST_CASE("materialize: the name is that of a file in /dev/shm and nothing else") {
    const Source source(bare_llama(), {});
    for (const std::string& name :
         {std::string(), std::string("a/b"), std::string("/a"), std::string(".."), std::string(".a"),
          std::string("a.ggufkit"), std::string("a.ggufkit-partial"), std::string("a\0b", 3), std::string(201, 'a')}) {
        CAPTURE(name);
        CHECK(refusal(source, name).code == Errc::bad_argument);
        CHECK(remove_shared(name).error().code == Errc::bad_argument);
        CHECK(shared_path(name).error().code == Errc::bad_argument);
    }
}

TEST_CASE("materialize: a filler killed at any moment leaves no name, and the next one goes on with its work") {
    const Source source(long_model(), long_types);
    for (const double share : {0.0, 0.01, 0.2, 0.5, 0.8, 1.0}) {
        CAPTURE(share);
        const SharedName name;
        die_while_making(source, name, share);
        const auto left = must(Control::open(must(SharedNames::of(name)), false));
        CHECK((left.count_ready() == left.pieces()) == (share == 1.0));
        CHECK_FALSE(fs::exists(name.path()));
        CHECK(name.files().size() == 2);  // partial and segment
        CHECK(made(source, name) == Materialized::resumed);
        CHECK((read_bytes(name.path()) == source.file));
        CHECK(made(source, name) == Materialized::found);
    }
    // One that is killed again and again comes to its end.
    const SharedName name;
    for (const double share : {0.1, 0.3, 0.6, 0.9}) die_while_making(source, name, share);
    CHECK(made(source, name) == Materialized::resumed);
    CHECK((read_bytes(name.path()) == source.file));
}

TEST_CASE("materialize: what a dead filler made is not made again") {
    Source source(long_model(), long_types);
    const SharedName name;
    die_while_making(source, name, 0.5);
    // A mark in a piece that is ready shows whether it is written once more.
    const std::uint64_t at = source.plan.tensors[0].offset;
    std::fstream partial(name.path().string() + ".ggufkit-partial", std::ios::in | std::ios::out | std::ios::binary);
    partial.seekp(static_cast<std::streamoff>(at)) << 'x';
    partial.close();
    CHECK(made(source, name) == Materialized::resumed);
    Bytes expected = source.file;
    expected[at] = std::byte{'x'};
    CHECK((read_bytes(name.path()) == expected));
}

TEST_CASE("materialize: the work of a filler of another plan is thrown away, as are segments that are not as written") {
    const Source source(long_model(), long_types);
    const Source other(long_model(), {{"a", Q4_0}});
    const SharedName name;
    die_while_making(other, name, 0.5);
    CHECK(made(source, name) == Materialized::made);
    CHECK((read_bytes(name.path()) == source.file));
    for (const std::size_t bytes : {0u, 1u, 79u, 81u}) {
        const SharedName damaged;
        die_while_making(source, damaged, 0.5);
        fs::resize_file(damaged.path().string() + ".ggufkit", bytes);
        CHECK(made(source, damaged) == Materialized::made);
        CHECK((read_bytes(damaged.path()) == source.file));
    }
    const SharedName cut;
    die_while_making(source, cut, 0.5);
    fs::resize_file(cut.path().string() + ".ggufkit-partial", 1000);
    CHECK(made(source, cut) == Materialized::made);
    CHECK((read_bytes(cut.path()) == source.file));
    for (const int at : {0, 8, 40, 48}) {  // magic, run, pieces, inode
        const SharedName damaged;
        die_while_making(source, damaged, 0.5);
        std::fstream segment(damaged.path().string() + ".ggufkit", std::ios::in | std::ios::out | std::ios::binary);
        segment.seekp(at) << '\xff';
        segment.close();
        CHECK(made(source, damaged) == Materialized::made);
        CHECK((read_bytes(damaged.path()) == source.file));
    }
}

TEST_CASE("materialize: killed at random moments, by another process") {
    const Source source(long_model(), long_types);
    Random random(11);
    for (int round = 0; round < 12; ++round) {
        const SharedName name;
        for (int attempt = 0; attempt < 3; ++attempt) {
            const pid_t child = ::fork();
            if (child == 0) {
                (void)materialize(source.model, source.plan, name, {.work = {.threads = 1}});
                ::_exit(0);
            }
            std::this_thread::sleep_for(std::chrono::microseconds(static_cast<int>(random.unit() * 20'000)));
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
            if (fs::exists(name.path())) CHECK((read_bytes(name.path()) == source.file));
        }
        made(source, name);
        CHECK((read_bytes(name.path()) == source.file));
    }
}

TEST_CASE("materialize: of many threads and processes one makes the file, the others wait for it") {
    const Source source(long_model(), long_types);
    const SharedName name;
    const pid_t process = ::fork();
    if (process == 0) {
        ::_exit(materialize(source.model, source.plan, name, {.work = {.threads = 1}}) ? 0 : 1);
    }
    std::atomic<int> makers{0}, wrong{0};
    {
        std::vector<std::jthread> callers;
        for (int i = 0; i < 4; ++i) {
            callers.emplace_back([&] {
                const auto result = materialize(source.model, source.plan, name, {.work = {.threads = 2}});
                if (!result || read_bytes(name.path()) != source.file) {
                    ++wrong;
                } else if (*result == Materialized::made) {
                    ++makers;
                }
            });
        }
    }
    int status = 0;
    ::waitpid(process, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(wrong == 0);
    CHECK(makers <= 1);  // the process may have been the one
}

TEST_CASE("materialize: who waits loses patience, stops on request, sees how far the other is, or takes over") {
    const Source source(long_model(), long_types);
    const Source other(long_model(), {{"a", Q4_0}});
    const SharedName name;
    std::atomic<bool> half_way{false}, go_on{false};
    std::jthread filler([&] {
        const auto hold = [&](const Progress& progress) {
            if (progress.done * 2 < progress.total || go_on) return;
            half_way = true;
            while (!go_on) std::this_thread::sleep_for(1ms);
        };
        CHECK(made(source, name, {.work = {.threads = 1, .progress = hold}}) == Materialized::made);
    });
    while (!half_way) std::this_thread::sleep_for(1ms);
    CHECK_FALSE(fs::exists(name.path()));
    std::uint64_t seen = 0;
    const auto note = [&](const Progress& progress) { seen = progress.done; };
    CHECK(refusal(source, name, {.work = {.progress = note}, .patience = 30ms}).code == Errc::cancelled);
    CHECK(seen > 0);
    std::stop_source stop;
    stop.request_stop();
    CHECK(refusal(source, name, {.work = {.stop = stop.get_token()}}).code == Errc::cancelled);
    CHECK(refusal(other, name).code == Errc::io_busy);  // without waiting
    CHECK(remove_shared(name).error().code == Errc::io_busy);
    go_on = true;
    CHECK(made(source, name) == Materialized::awaited);
    CHECK((read_bytes(name.path()) == source.file));
}

TEST_CASE("materialize: what fails or is stopped leaves nothing behind") {
    SmallModel broken = long_model();
    broken.tensors[0].bytes[4000 * 128 + 1] = std::byte{0x7c};
    {
        const TemporaryFolder folder;
        broken.save(folder / "in.gguf");
        const Model model = must(Model::open(folder / "in.gguf"));
        const SharedName name;
        const auto result = materialize(model, plan_for(model, long_types), name);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::bad_quant);
        CHECK(name.left_alone());
    }
    const Source source(long_model(), long_types);
    for (const bool at_the_end : {false, true}) {
        const SharedName name;
        std::stop_source stop;
        const auto request = [&](const Progress& progress) {
            if (progress.done == (at_the_end ? progress.total : 0)) stop.request_stop();
        };
        CHECK(refusal(source, name, {.work = {.progress = request, .stop = stop.get_token()}}).code == Errc::cancelled);
        CHECK(name.left_alone());
        const auto touch = [&](const Progress& progress) {
            if (progress.done != (at_the_end ? progress.total : 0)) return;
            fs::last_write_time(source.folder / "in.gguf", fs::file_time_type::clock::now() + 1h);
        };
        if (at_the_end) CHECK(refusal(source, name, {.work = {.progress = touch}}).code == Errc::io_changed);
        CHECK(name.left_alone());
    }
}

TEST_CASE("materialize: what was made is read back before it gets its name") {
    const Source source(long_model(), long_types);
    const SharedName name;
    const auto spoil = [&](const Progress& progress) {
        if (progress.done != progress.total) return;
        std::fstream(name.path().string() + ".ggufkit-partial", std::ios::in | std::ios::out) << "GGUX";
    };
    CHECK(refusal(source, name, {.work = {.progress = spoil}}).code == Errc::io_write);
    CHECK(name.left_alone());
}

TEST_CASE("materialize: the segment of another user is not trusted") {
    if (::geteuid() != 0) return;  // only root can make one
    const Source source;
    const SharedName name;
    CHECK(made(source, name) == Materialized::made);
    REQUIRE(::chown((name.path().string() + ".ggufkit").c_str(), 1, 1) == 0);
    CHECK(refusal(source, name).code == Errc::io_open);
    CHECK(remove_shared(name).error().code == Errc::io_open);
}

TEST_CASE("materialize: no room is known before any work, the input is not replaced by what is made of it") {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::uint64_t size = 2 * static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * page;
    const TemporaryFolder folder;
    HeaderModel("llama").tensor("t", {size}, I8).save(folder / "in.gguf");
    const Model model = must(Model::open(folder / "in.gguf"));
    const SharedName name;
    bool worked = false;
    const auto result =
        materialize(model, plan_for(model), name, {.work = {.progress = [&](const Progress&) { worked = true; }}});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::io_no_space);
    CHECK(result.error().detail.find("bytes of memory, and") != std::string::npos);
    CHECK_FALSE(worked);
    CHECK(name.left_alone());

    const SharedName input;
    write_file(input.path(), long_model().bytes());
    const Model in_memory = must(Model::open(input.path()));
    const auto same = materialize(in_memory, plan_for(in_memory), input, {.replace = true});
    REQUIRE_FALSE(same);
    CHECK(same.error().code == Errc::io_same_file);
    CHECK(input.files().size() == 1);
}

TEST_CASE("memfd: the same file, sealed, under a path") {
    const Source source;
    const int fd = must(materialize_memfd(source.model, source.plan));
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    CHECK((read_bytes(path) == source.file));
    CHECK(must(Model::open(path)).tensors().size() == source.plan.tensors.size());
    CHECK(::pwrite(fd, "x", 1, 0) == -1);
    CHECK(::ftruncate(fd, 0) == -1);
    ::close(fd);
    std::stop_source stop;
    stop.request_stop();
    CHECK(materialize_memfd(source.model, source.plan, {.work = {.stop = stop.get_token()}}).error().code ==
          Errc::cancelled);
}
