// Compressed models and pipes as inputs: the same model; and everything that can be wrong with them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/execute.hpp>
#include <thread>

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

SmallModel small_model() {
    return bare_llama().weights("a", Q8_0, {64, 50}).weights("b", F32, {333}).weights("c", F16, {32, 20});
}

// A header of about `bytes`.
SmallModel with_vocabulary(std::size_t bytes) {
    SmallModel model = small_model();
    std::vector<std::string> tokens;
    for (std::size_t i = 0; i < bytes / 20; ++i) tokens.push_back("token " + std::to_string(1'000'000 + i));
    model.set("tokenizer.ggml.tokens", Value::of_strings(tokens));
    return model;
}

struct File {
    TemporaryFolder folder;
    std::string path = folder / "m.gguf.zst";
    explicit File(std::span<const std::byte> bytes) { write_file(path, bytes); }
};

Result<Model> open(std::span<const std::byte> bytes, const OpenOptions& options = {}) {
    const File file(bytes);
    return Model::open(file.path, options);
}

Error refusal(std::span<const std::byte> bytes, const OpenOptions& options = {}) {
    const auto model = open(bytes, options);
    REQUIRE_FALSE(model);
    return model.error();
}

bool holds(const Result<Model>& model, std::span<const std::byte> content) {
    return model && std::ranges::equal(model->header().file(), content);
}

// A pipe that gives `bytes`, and then ends.
class Pipe {
  public:
    explicit Pipe(Content bytes) : bytes_(std::move(bytes)) {
        if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        writer_ = std::jthread([this] {
            for (std::size_t at = 0; at < bytes_.size();) {
                const ssize_t n = ::write(ends_[1], bytes_.data() + at, std::min<std::size_t>(bytes_.size() - at, 999));
                if (n < 0) break;  // the reader has enough
                at += static_cast<std::size_t>(n);
            }
            ::close(ends_[1]);
        });
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        ::close(ends_[0]);
        writer_.join();
    }
    int fd() const { return ends_[0]; }

  private:
    Content bytes_;
    int ends_[2];
    std::jthread writer_;
};

class Environment {
  public:
    Environment(const char* name, const std::string& value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        ::setenv(name, value.c_str(), 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }

  private:
    const char* name_;
    std::optional<std::string> before_;
};

// The places of a file to damage: all of a short one's.
std::vector<std::size_t> places(std::size_t size) {
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < size; at += 1 + size / 400) places.push_back(at);
    for (std::size_t at = size - std::min<std::size_t>(size, 60); at < size; ++at) places.push_back(at);
    return places;
}

}  // namespace

TEST_CASE("a compressed model is the model: one frame, many, with and without a seek table, under any name") {
    const Content content = small_model().bytes();
    const auto whole = std::span<const std::byte>(content);
    Content two = frame_of(whole.first(1000));
    append(two, frame_of(whole.subspan(1000)));
    Content skippable = skippable_frame(0x184D2A50, whole.first(5));
    append(skippable, frame_of(whole));
    Content with_empty = frame_of({});
    append(with_empty, two);
    CHECK(holds(open(frame_of(whole)), content));
    CHECK(holds(open(frame_of(whole, {.level = 19, .checksum = false})), content));
    CHECK(holds(open(frame_of(whole, {.window_log = 21})), content));
    CHECK(holds(open(two), content));
    CHECK(holds(open(skippable), content));
    CHECK(holds(open(with_empty), content));
    for (const unsigned threads : {0u, 1u, 2u, 5u}) {
        for (const bool checksums : {false, true}) {
            CHECK(holds(open(seekable(content, 700, checksums), {.work = {.threads = threads}}), content));
        }
    }
    const TemporaryFolder folder;
    for (const char* name : {"m.gguf", "anything"}) {
        write_file(folder / name, two);
        CHECK(holds(Model::open(folder / name), content));
    }
}

TEST_CASE("the original is known beside its content, and a change while it is read is told") {
    const Content content = small_model().bytes();
    const File file(frame_of(content));
    const Model model = must(Model::open(file.path));
    CHECK(model.shard_path(0) == file.path);
    CHECK(::lseek(model.shard_fd(0), 0, SEEK_END) == static_cast<off_t>(content.size()));
    CHECK(::lseek(model.opened_fd(0), 0, SEEK_END) == static_cast<off_t>(fs::file_size(file.path)));
    CHECK(model.check_unchanged());

    const auto change = [&](const Progress&) { fs::resize_file(file.path, fs::file_size(file.path) + 1); };
    const auto changed = Model::open(file.path, {.work = {.progress = change}});
    REQUIRE_FALSE(changed);
    CHECK(changed.error().code == Errc::io_changed);
}

TEST_CASE("progress comes to all there is") {
    const Content content = small_model().bytes();
    for (const Content& file : {frame_of(content), seekable(content, 700)}) {
        std::uint64_t last = 0, all = 0;
        const auto note = [&](const Progress& now) {
            const auto [done, total] = now;
            CHECK(done >= last);
            last = done;
            all = total;
        };
        REQUIRE(open(file, {.work = {.progress = note}}));
        CHECK(last == all);
        CHECK(all > 0);
    }
}

TEST_CASE("a header alone is unpacked where that is all that is wanted, be it in one frame or in several") {
    for (const std::size_t header : {1000u, 300'000u}) {
        const SmallModel made = with_vocabulary(header);
        const Content content = made.bytes();
        Content file = seekable(content, 10'000);
        const std::size_t data = must(parse(content)).data_offset();
        const auto damaged = entries_of(file);
        std::size_t at = 0, offset = 0;
        for (const Entry& entry : damaged) {
            if (offset > 4 * data) break;  // twice as many frames as before may be one step too many
            at += entry.size;
            offset += entry.content;
        }
        const bool beyond = at < file.size() - 500;
        if (beyond) file[at + 20] ^= std::byte{1};
        const auto model = open(file, {.header_only = true});
        REQUIRE_MESSAGE(model, model.error().message());
        CHECK(model->header().file().size() == content.size());
        CHECK(std::ranges::equal(model->header().file().first(data), std::span(content).first(data)));
        if (beyond) CHECK(refusal(file).code == Errc::bad_zstd);
    }
    // Without a table there is no way around the rest.
    const Content content = small_model().bytes();
    CHECK(holds(open(frame_of(content), {.header_only = true}), content));
}

TEST_CASE("a file that is cut anywhere is an error") {
    const Content content = small_model().bytes();
    Content frames;
    for (std::size_t at = 0; at < content.size(); at += 3000) {
        append(frames, frame_of(std::span(content).subspan(at, std::min<std::size_t>(3000, content.size() - at))));
    }
    for (const Content& file : {frame_of(content), frames}) {
        for (const std::size_t size : places(file.size())) {
            CAPTURE(size);
            const Error error = refusal(std::span(file).first(size));
            // Between two frames the content is what ends too early, in the first bytes of the file it is no zstd yet.
            const bool expected = error.code == Errc::truncated || error.code == Errc::data_past_eof ||
                                  (size < 4 && error.code == Errc::bad_magic);
            CHECK_MESSAGE(expected, error.message());
        }
    }
    const Error error = refusal(std::span(frames).first(frames.size() - 1));
    CHECK(error.detail == "ends within a zstd frame");
    CHECK(error.subject.ends_with("m.gguf.zst"));
    CHECK(error.rule.empty());
}

TEST_CASE("a file that is damaged anywhere is an error or the same model") {
    const Content content = small_model().bytes();
    for (Content file : {frame_of(content), seekable(content, 3000)}) {
        std::size_t errors = 0;
        for (const std::size_t at : places(file.size())) {
            CAPTURE(at);
            file[at] ^= std::byte{0x10};
            const auto model = open(file);
            errors += model ? 0 : 1;
            CHECK((!model || holds(model, content)));
            file[at] ^= std::byte{0x10};
        }
        CHECK(errors > 400);
    }
    Content file = frame_of(content);
    file[file.size() - 2] ^= std::byte{1};  // of the checksum
    CHECK(refusal(file).code == Errc::bad_zstd);
    file = frame_of(content);
    append(file, std::as_bytes(std::span("something else")));
    const Error error = refusal(file);
    CHECK(error.code == Errc::bad_zstd);
    CHECK(error.detail == "no zstd frame begins here");
    CHECK(error.offset == file.size() - 15);
}

TEST_CASE("a seek table that lies is an error, one that does not fit the file is not used") {
    const Content content = small_model().bytes();
    const auto whole = std::span<const std::byte>(content);
    const Content first = frame_of(whole.first(1000)), second = frame_of(whole.subspan(1000));
    const auto size_of = [](const auto& bytes) { return static_cast<std::uint32_t>(bytes.size()); };
    const Entry one{size_of(first), 1000}, two{size_of(second), size_of(content) - 1000};
    const auto file_with = [&](std::vector<Entry> entries) {
        Content file = first;
        append(file, second);
        append(file, seek_table(entries));
        return file;
    };
    CHECK(holds(open(file_with({one, two})), content));

    for (const std::uint32_t lie : {0u, 1u, 999u, 1001u, 1u << 20}) {
        const Error error = refusal(file_with({{one.size, lie}, two}));
        CHECK(error.code == Errc::bad_zstd);
        CHECK(error.offset == 0);
    }
    const Error second_lies = refusal(file_with({one, {two.size, two.content - 1}}));
    CHECK(second_lies.code == Errc::bad_zstd);
    CHECK(second_lies.offset == one.size);
    CHECK_FALSE(open(file_with({{one.size + 1, 1000}, {two.size - 1, two.content}})));

    CHECK(holds(open(file_with({{one.size, 1000}})), content));             // does not cover the file
    CHECK(holds(open(file_with({one, two, {1, 0}})), content));             // covers more
    CHECK(holds(open(file_with({{one.size, 0xffffffff}, two})), content));  // frames beyond all measure
    Content count = file_with({one, two});
    count[count.size() - 8] = std::byte{0xff};  // of millions of frames
    CHECK(holds(open(count), content));
    Content nothing = seek_table({});
    CHECK(refusal(nothing).code == Errc::truncated);  // no content at all
}

TEST_CASE("content that no disk holds is known before anything is unpacked") {
    const Content content = small_model().bytes();
    const Content frame = frame_of(content);
    // A frame, and a table that claims a tebibyte in frames that would all have to be there.
    Content file = frame;
    std::vector<Entry> entries{{static_cast<std::uint32_t>(frame.size()), static_cast<std::uint32_t>(content.size())}};
    const Content empty = skippable_frame(0x184D2A50, {});
    for (int i = 0; i < 300'000; ++i) {
        append(file, empty);
        entries.push_back({static_cast<std::uint32_t>(empty.size()), 16u << 20});
    }
    append(file, seek_table(entries));
    const Error error = refusal(file);
    CHECK(error.code == Errc::io_no_space);
    CHECK(error.detail.starts_with("its content has 5033"));
}

TEST_CASE("a bomb ends at once where it is no model, and else when the disk says so") {
    const Content zeros(32 << 20);
    Content bomb = frame_of(zeros);
    for (int i = 0; i < 3; ++i) append(bomb, Content(bomb));
    CHECK(refusal(bomb).code == Errc::bad_magic);
    CHECK(refusal(seekable(zeros, 1 << 20)).code == Errc::bad_magic);

    Content model = frame_of(small_model().bytes());
    append(model, bomb);
    const File file(model);
    const CommandResult result = run_command(
        {"/bin/sh", "-c",
         "trap '' XFSZ; unset TMPDIR; ulimit -f 40000; exec '" GGUFKIT_BIN_DIR "/gguf-info' '" + file.path + "'"});
    CHECK(result.exit_code == 1);
    CHECK(result.err.find("cannot be kept in /var/tmp: cannot write: File too large") != std::string::npos);
}

TEST_CASE("a window that would take too much memory, a dictionary") {
    const Content content = small_model().bytes();
    const Error error = refusal(frame_of(content, {.window_log = 28}));
    CHECK(error.code == Errc::unsupported);
    CHECK(error.detail == "needs a zstd window of more than 128 MiB");
    CHECK(holds(open(frame_of(content, {.window_log = 27})), content));

    Content named = frame_of(content, {.checksum = false});
    named[4] |= std::byte{1};  // a dictionary, whose number takes a byte: the content size moves on by one
    named.insert(named.begin() + 5, std::byte{7});
    CHECK(refusal(named).code == Errc::unsupported);
}

TEST_CASE("temporary files have no name, lie where TMPDIR says, and their lack is told") {
    const Content content = small_model().bytes();
    const File file(frame_of(content));
    const TemporaryFolder folder;
    {
        const Environment where("TMPDIR", folder.path().string());
        const auto model = Model::open(file.path);
        CHECK(holds(model, content));
        CHECK(fs::is_empty(folder.path()));
        const auto target = fs::read_symlink("/proc/self/fd/" + std::to_string(model->shard_fd(0))).string();
        CHECK(target.starts_with(folder.path().string()));
    }
    const Environment nowhere("TMPDIR", folder / "no/such/folder");
    const auto model = Model::open(file.path);
    REQUIRE_FALSE(model);
    CHECK(model.error().code == Errc::io_write);
    CHECK(model.error().detail.find("no/such/folder: No such file or directory") != std::string::npos);
}

TEST_CASE("shards that are compressed are a split model") {
    const TemporaryFolder folder;
    std::vector<SmallModel> shards(2, bare_llama());
    shards[0].weights("a", Q8_0, {64, 5});
    shards[1].weights("b", F16, {64, 7});
    for (std::size_t i = 0; i < 2; ++i) {
        shards[i].set("split.no", Value::of_unsigned(ValueType::uint16, i));
        shards[i].set("split.count", Value::of_unsigned(ValueType::uint16, 2));
        write_file(folder / ("m-0000" + std::to_string(i + 1) + "-of-00002.gguf.zst"),
                   seekable(shards[i].bytes(), 300));
    }
    for (const char* shard : {"m-00001-of-00002.gguf.zst", "m-00002-of-00002.gguf.zst"}) {
        const Model model = must(Model::open(folder / shard));
        CHECK(model.shard_count() == 2);
        CHECK(model.shard_path(1) == folder / "m-00002-of-00002.gguf.zst");
        CHECK(std::ranges::equal(must(model.data(*model.find_tensor("b"))), shards[1].tensors[0].bytes));
    }
    fs::resize_file(folder / "m-00002-of-00002.gguf.zst", 50);
    const auto cut = Model::open(folder / "m-00001-of-00002.gguf.zst");
    REQUIRE_FALSE(cut);
    CHECK(cut.error().subject.find("m-00002-of-00002.gguf.zst") != std::string::npos);
    fs::remove(folder / "m-00002-of-00002.gguf.zst");
    CHECK(Model::open(folder / "m-00001-of-00002.gguf.zst").error().code == Errc::bad_split);
}

TEST_CASE("a model from a pipe, compressed or not, and from an open file") {
    std::signal(SIGPIPE, SIG_IGN);
    const Content content = with_vocabulary(100'000).bytes();
    for (const Content& bytes : {content, frame_of(content), seekable(content, 7000)}) {
        const Pipe pipe(bytes);
        const auto model = Model::read(pipe.fd(), "a pipe");
        CHECK(holds(model, content));
        CHECK(model->shard_path(0) == "a pipe");

        const File file(bytes);
        const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
        CHECK(holds(Model::read(fd, "a file"), content));
        CHECK(::lseek(fd, 0, SEEK_CUR) == 0);  // the caller's
        ::close(fd);
    }
    const Content frame = frame_of(content);
    const Pipe cut(Content(frame.begin(), frame.end() - 3));
    const auto truncated = Model::read(cut.fd(), "a pipe");
    REQUIRE_FALSE(truncated);
    CHECK(truncated.error().code == Errc::truncated);
    CHECK(truncated.error().subject == "a pipe");
    const Pipe endless(Content(1 << 20));
    CHECK(Model::read(endless.fd(), "a pipe").error().code == Errc::bad_magic);
    const Pipe empty(Content{});
    CHECK(Model::read(empty.fd(), "a pipe").error().code == Errc::truncated);

    // From where an open file stands.
    Content after(10, std::byte{'x'});
    append(after, content);
    const File file(after);
    const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(::lseek(fd, 10, SEEK_SET) == 10);
    CHECK(holds(Model::read(fd, "a file"), content));
    ::close(fd);
}

TEST_CASE("requantizing a compressed model gives the bytes that the model gives") {
    const SmallModel source = small_model();
    const File file(seekable(source.bytes(), 700));
    const Model model = must(Model::open(file.path));
    REQUIRE(execute(model, plan_for(model, {{"a", F16}}), file.folder / "out.gguf"));
    CHECK(read_bytes(file.folder / "out.gguf") == source.requantized({{"a", F16}}).bytes());
}
