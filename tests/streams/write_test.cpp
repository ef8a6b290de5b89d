// Models as streams: the bytes of execute(), in order, as they are or compressed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <ggufkit/requant/execute.hpp>
#include <thread>

#include "io/write_all.hpp"
#include "streams/frames.hpp"
#include "support/files.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using enum TensorType;
namespace fs = std::filesystem;

namespace {

// Tensors of many stretches and of parts of one; vectors, nothing, a last one that needs padding.
SmallModel stretched_model(ByteOrder order = ByteOrder::little, std::uint32_t alignment = 32) {
    SmallModel model = bare_llama(order, alignment);
    model.weights("q8.large", Q8_0, {256, 5000})
        .weights("f16.stack", F16, {96, 11, 5})
        .weights("f32.copied", F32, {700'001})
        .weights("empty", F16, {64, 0, 3})
        .weights("scalar", F32, {})
        .weights("q4k.copied", Q4_K, {256, 3, 2})
        .weights("bf16.stack", BF16, {64, 40, 3, 2})
        .weights("f32.odd", F32, {7, 3});
    return model;
}

const Types stretched_types{
    {"q8.large", F16}, {"f16.stack", Q8_0}, {"empty", Q8_0}, {"bf16.stack", F32}, {"f32.odd", F16}};

struct Files {
    TemporaryFolder folder;
    std::string in = folder / "in.gguf";
    std::string out = folder / "out.gguf.zst";

    explicit Files(const SmallModel& model) { model.save(in); }
    std::size_t count() const { return names_in(folder.path()).size(); }
};

// What the sink gets, all of it.
Result<Content> streamed(const Model& model, const Plan& plan, const StreamOptions& options = {}) {
    Content bytes;
    const auto sink = [&](std::span<const std::byte> next) -> Result<void> {
        append(bytes, next);
        return {};
    };
    if (auto done = execute_to(model, plan, sink, options); !done) return fail(done.error());
    return bytes;
}

}  // namespace

TEST_CASE("execute_to: the bytes of the file that execute() writes, for any number of threads") {
    for (const auto& [from, to, alignment] :
         {std::tuple{ByteOrder::little, ByteOrder::little, 32u}, std::tuple{ByteOrder::little, ByteOrder::big, 4096u},
          std::tuple{ByteOrder::big, ByteOrder::little, 64u}}) {
        const Files files(stretched_model(from, alignment));
        const Model model = must(Model::open(files.in));
        const Plan plan = plan_for(model, stretched_types, to);
        REQUIRE(execute(model, plan, files.out));
        const Content expected = read_bytes(files.out);
        for (const unsigned threads : {0u, 1u, 2u, 3u, 8u}) {
            CAPTURE(threads);
            REQUIRE(must(streamed(model, plan, {.work = {.threads = threads}})) == expected);
        }
    }
}

TEST_CASE("execute_to: a model without tensors, and padding of mebibytes") {
    const Files nothing(bare_llama());
    const Model no_tensors = must(Model::open(nothing.in));
    CHECK(must(streamed(no_tensors, plan_for(no_tensors))) == read_bytes(nothing.in));

    const Files files(
        bare_llama(ByteOrder::little, 4 << 20).weights("a", F32, {3}).weights("b", F16, {5}).weights("c", F32, {1}));
    const Model model = must(Model::open(files.in));
    std::size_t longest = 0;
    Content bytes;
    const auto sink = [&](std::span<const std::byte> next) -> Result<void> {
        longest = std::max(longest, next.size());
        append(bytes, next);
        return {};
    };
    REQUIRE(execute_to(model, plan_for(model), sink));
    CHECK(bytes == read_bytes(files.in));
    CHECK(longest <= 2 << 20);  // never held as a whole
}

TEST_CASE("execute_to: an error of the sink, a stop, a fault of the source, a plan that makes no stream") {
    SmallModel source = stretched_model();
    const Files files(source);
    const Model model = must(Model::open(files.in));
    std::uint64_t taken = 0;
    const auto full = [&](std::span<const std::byte> bytes) -> Result<void> {
        if (taken > 2 << 20) return fail({.code = Errc::io_no_space, .subject = "mine"});
        taken += bytes.size();
        return {};
    };
    const auto refused = execute_to(model, plan_for(model), full, {.work = {.threads = 3}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::io_no_space);
    CHECK(refused.error().subject == "mine");

    std::stop_source stop;
    stop.request_stop();
    CHECK(streamed(model, plan_for(model), {.work = {.stop = stop.get_token()}}).error().code == Errc::cancelled);

    CHECK(streamed(model, plan_for(model), {.zstd_level = 20}).error().code == Errc::bad_argument);
    CHECK(streamed(model, plan_for(model), {.zstd_level = -1}).error().code == Errc::bad_argument);
    CHECK(streamed(model, plan_for(model, {{"q8.large", Q8_K}})).error().code == Errc::unsupported);
    Plan plan = plan_for(model);
    plan.files.push_back(plan.files.front());
    CHECK(streamed(model, plan).error().code == Errc::bad_argument);
    plan = plan_for(model);
    std::swap(plan.tensors[1], plan.tensors[2]);
    CHECK(streamed(model, plan).error().code == Errc::bad_argument);

    source.tensors[0].bytes[3333 * 272 + 1] = std::byte{0x7c};  // a scale of row 3333: infinity
    const Files faulty(source);
    const Model bad = must(Model::open(faulty.in));
    const auto fault = streamed(bad, plan_for(bad, stretched_types));
    REQUIRE_FALSE(fault);
    CHECK(fault.error().code == Errc::bad_quant);
    CHECK(fault.error().detail.starts_with("row 3333:"));
}

TEST_CASE("execute_to: progress begins at nothing and ends at everything") {
    const Files files(stretched_model());
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, stretched_types);
    std::vector<std::uint64_t> seen;
    const auto note = [&](const Progress& progress) {
        CHECK(progress.total == plan.bytes_in());
        seen.push_back(progress.done);
    };
    REQUIRE(streamed(model, plan, {.work = {.progress = note}}));
    CHECK(seen.front() == 0);
    CHECK(seen.back() == plan.bytes_in());
    CHECK(std::ranges::is_sorted(seen));
}

TEST_CASE("execute_to: rows that fit no memory") {
    const Files too_long(bare_llama().weights("t", I8, {16 << 20}));
    const Model model = must(Model::open(too_long.in));
    CHECK(streamed(model, plan_for(model, {{"t", F32}})).error().code == Errc::unsupported);
    CHECK(must(streamed(model, plan_for(model))) == read_bytes(too_long.in));  // a copy is not made by rows
}

TEST_CASE("execute_compressed: decompressed it is the file, and no frame has bytes of two tensors") {
    const Files files(stretched_model());
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, stretched_types);
    REQUIRE(execute(model, plan, files.folder / "plain.gguf"));
    const Content plain = read_bytes(files.folder / "plain.gguf");
    REQUIRE(execute_compressed(model, plan, files.out, 3));
    const Content file = read_bytes(files.out);
    CHECK(content_of(file) == plain);

    std::size_t at = 0, begin = 0;
    for (const auto& [size, content] : entries_of(file)) {
        const auto frame = std::span(file).subspan(at, size);
        const Content part = content_of(frame);
        CHECK(std::ranges::equal(part, std::span(plain).subspan(begin, content)));
        CHECK(ZSTD_getFrameContentSize(frame.data(), frame.size()) == content);
        CHECK(content <= 1 << 20);
        for (const PlannedTensor& tensor : plan.tensors) {
            const bool split = tensor.bytes_out != 0 && begin < tensor.offset && tensor.offset < begin + content;
            CHECK_FALSE_MESSAGE(split, tensor.name);
        }
        at += size;
        begin += content;
    }
    CHECK(begin == plain.size());
    const auto table = std::span(file).subspan(at);
    CHECK(table.size() == 8 + 8 * entries_of(file).size() + 9);

    const CommandResult zstd =
        run_command({"/bin/sh", "-c", "command -v zstd > /dev/null || exit 77; zstd -dcq '" + files.out + "'"});
    if (zstd.exit_code != 77) {
        CHECK(zstd.exit_code == 0);
        CHECK(zstd.out == plain);
    }
}

TEST_CASE("execute_compressed: the same bytes for any number of threads and at every run, the level matters") {
    const Files files(stretched_model());
    const Model model = must(Model::open(files.in));
    const Plan plan = plan_for(model, stretched_types);
    Content first;
    for (const unsigned threads : {1u, 2u, 3u, 8u, 8u}) {
        REQUIRE(execute_compressed(model, plan, files.out, 1, {.work = {.threads = threads}, .overwrite = true}));
        if (first.empty()) first = read_bytes(files.out);
        CHECK(read_bytes(files.out) == first);
    }
    CHECK(must(streamed(model, plan, {.zstd_level = 1})) == first);
    REQUIRE(execute_compressed(model, plan, files.out, 9, {.overwrite = true}));
    CHECK(read_bytes(files.out) != first);
    CHECK(content_of(read_bytes(files.out)) == content_of(first));
}

TEST_CASE("execute_compressed: whole or not at all, and never in place of an input") {
    SmallModel source = stretched_model();
    const Files files(source);
    const Model model = must(Model::open(files.in));
    CHECK(execute_compressed(model, plan_for(model), files.out, 0).error().code == Errc::bad_argument);
    CHECK(execute_compressed(model, plan_for(model), files.in, 3, {.overwrite = true}).error().code ==
          Errc::io_same_file);
    REQUIRE(execute_compressed(model, plan_for(model), files.out, 3));
    CHECK(execute_compressed(model, plan_for(model), files.out, 3).error().code == Errc::io_exists);

    const Model compressed = must(Model::open(files.out));
    const auto same = execute_compressed(compressed, plan_for(compressed), files.out, 3, {.overwrite = true});
    CHECK(same.error().code == Errc::io_same_file);

    source.tensors[0].bytes[4999 * 272 + 1] = std::byte{0x7c};
    const Files faulty(source);
    const Model bad = must(Model::open(faulty.in));
    CHECK(execute_compressed(bad, plan_for(bad), faulty.out, 3).error().code == Errc::bad_quant);
    std::stop_source stop;
    stop.request_stop();
    CHECK(
        execute_compressed(model, plan_for(model), faulty.out, 3, {.work = {.stop = stop.get_token()}}).error().code ==
        Errc::cancelled);
    CHECK(faulty.count() == 1);
}

TEST_CASE("write_all: short writes, interruptions, a pipe that would block, a reader that leaves") {
    std::signal(SIGPIPE, SIG_IGN);
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART: writes are interrupted
    ::sigaction(SIGALRM, &action, nullptr);
    const Content bytes = bare_llama().weights("t", F32, {300'000}).bytes();
    for (const int flags : {0, O_NONBLOCK}) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        REQUIRE(::fcntl(ends[1], F_SETFL, flags) == 0);
        Content got(bytes.size() + 1);
        std::size_t size = 0;
        std::jthread reader([&] {
            sigset_t alarm;
            ::sigemptyset(&alarm);
            ::sigaddset(&alarm, SIGALRM);
            ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
            for (ssize_t n = 1; n > 0; size += static_cast<std::size_t>(n)) {
                n = ::read(ends[0], got.data() + size, std::min<std::size_t>(10'000, got.size() - size));
                if (size / 100'000 != (size + 10'000) / 100'000)
                    std::this_thread::sleep_for(std::chrono::milliseconds(2));
            }
        });
        const itimerval often{{0, 500}, {0, 500}}, never{};
        ::setitimer(ITIMER_REAL, &often, nullptr);
        const auto written = io::write_all(ends[1], bytes);
        ::setitimer(ITIMER_REAL, &never, nullptr);
        ::close(ends[1]);
        reader.join();
        ::close(ends[0]);
        REQUIRE(written);
        got.resize(size);
        CHECK(got == bytes);
    }
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    ::close(ends[0]);
    CHECK(io::write_all(ends[1], bytes).error().detail == "was closed by its reader before the end");
    ::close(ends[1]);
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(io::write_all(full, bytes).error().code == Errc::io_no_space);
    ::close(full);
}
