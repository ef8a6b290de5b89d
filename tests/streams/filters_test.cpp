// Models compressed with gzip, bzip2 and xz as inputs: the same model; and everything that can be wrong with them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/bzip2.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filtering_stream.hpp>
#include <filesystem>
#include <functional>
#include <ggufkit/model.hpp>

#include "streams/frames.hpp"
#include "support/files.hpp"
#include "support/must.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using enum TensorType;
namespace fs = std::filesystem;
namespace iostreams = boost::iostreams;

namespace {

Content compressed(const auto& filter, std::span<const std::byte> content) {
    std::string packed;
    iostreams::filtering_ostream stream;
    stream.push(filter);
    stream.push(iostreams::back_inserter(packed));
    stream.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    stream.reset();
    const auto bytes = std::as_bytes(std::span(packed));
    return {bytes.begin(), bytes.end()};
}

struct Packer {
    std::string name, suffix;
    std::function<Content(std::span<const std::byte>)> compress;
};

std::vector<Packer> packers() {
    return {
        {"gzip", ".gz", [](auto content) { return compressed(iostreams::gzip_compressor(), content); }},
        {"bzip2", ".bz2", [](auto content) { return compressed(iostreams::bzip2_compressor(), content); }},
        {"xz", ".xz", [](auto content) { return compressed(iostreams::lzma_compressor(), content); }},
    };
}

Content small_model() {
    return bare_llama().weights("a", Q8_0, {64, 50}).weights("b", F32, {333}).weights("c", F16, {32, 20}).bytes();
}

Result<Model> open(std::span<const std::byte> bytes, const OpenOptions& options = {}) {
    const TemporaryFolder folder;
    write_file(folder / "m", bytes);
    return Model::open(folder / "m", options);
}

Error refusal(std::span<const std::byte> bytes) {
    const auto model = open(bytes);
    REQUIRE_FALSE(model);
    return model.error();
}

bool holds(const Result<Model>& model, std::span<const std::byte> content) {
    return model && std::ranges::equal(model->header().file(), content);
}

Content joined(std::initializer_list<std::span<const std::byte>> parts) {
    Content all;
    for (const auto& part : parts) append(all, part);
    return all;
}

}  // namespace

TEST_CASE("gzip, bzip2 and xz: the same model, in one member or in several, under any name, from a file or a pipe") {
    const Content content = small_model();
    const auto whole = std::span<const std::byte>(content);
    for (const Packer& packer : packers()) {
        CAPTURE(packer.name);
        const Content file = packer.compress(content);
        CHECK(holds(open(file), content));
        CHECK(holds(open(file, {.work = {.threads = 3}, .header_only = true}), content));
        CHECK(holds(open(joined({packer.compress(whole.first(1000)), packer.compress({}),
                                 packer.compress(whole.subspan(1000))})),
                    content));

        const TemporaryFolder folder;
        write_file(folder / "m", file);
        const Model model = must(Model::open(folder / "m"));
        CHECK(::lseek(model.shard_fd(0), 0, SEEK_END) == static_cast<off_t>(content.size()));
        CHECK(::lseek(model.opened_fd(0), 0, SEEK_END) == static_cast<off_t>(file.size()));

        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        REQUIRE(::write(ends[1], file.data(), file.size()) == static_cast<ssize_t>(file.size()));
        ::close(ends[1]);
        CHECK(holds(Model::read(ends[0], "pipe"), content));
        ::close(ends[0]);
    }
}

TEST_CASE("gzip, bzip2 and xz: a file of many reads and writes") {
    const Content content = bare_llama().weights("a", Q8_0, {4096, 300}).bytes();
    for (const Packer& packer : packers()) {
        CAPTURE(packer.name);
        std::uint64_t last = 0, all = 0;
        const auto note = [&](const Progress& now) {
            const auto [done, total] = now;
            CHECK(done >= last);
            last = done;
            all = total;
        };
        const Content file = packer.compress(content);
        CHECK(holds(open(file, {.work = {.progress = note}}), content));
        CHECK(last == file.size());
        CHECK(all == file.size());
    }
}

TEST_CASE("gzip, bzip2 and xz: a file that is cut anywhere is an error that says where") {
    const Content content = small_model();
    for (const Packer& packer : packers()) {
        CAPTURE(packer.name);
        const Content file = packer.compress(content);
        for (std::size_t size = 12; size < file.size(); size += size + 100 < file.size() ? 7 : 1) {
            CAPTURE(size);
            const Error error = refusal(std::span(file).first(size));
            CHECK_MESSAGE(error.code == Errc::truncated, error.message());
            CHECK(error.offset == size);
            CHECK(error.detail == "ends within " + packer.name + "-compressed data");
            CHECK(error.rule.empty());
        }
    }
}

TEST_CASE("gzip, bzip2 and xz: a file that is damaged anywhere is an error or the same model") {
    const Content content = bare_llama().weights("a", Q8_0, {64, 500}).weights("b", F32, {333}).bytes();
    for (const Packer& packer : packers()) {
        CAPTURE(packer.name);
        Content file = packer.compress(content);
        std::size_t wrong = 0, places = 0;
        for (std::size_t at = 0; at < file.size(); at += 1 + file.size() / 300, ++places) {
            CAPTURE(at);
            file[at] ^= std::byte{0x10};
            const auto model = open(file);
            wrong += model ? 0 : 1;
            CHECK((!model || holds(model, content)));
            if (!model && model.error().code == Errc::bad_compressed) {
                CHECK(model.error().offset <= file.size());
                CHECK(model.error().detail == "is damaged: cannot be decompressed as " + packer.name);
            }
            file[at] ^= std::byte{0x10};
        }
        CHECK(wrong > places - 15);  // a header of gzip has a time, and the like

        const Error beyond = refusal(joined({file, std::as_bytes(std::span("something else"))}));
        CHECK_MESSAGE(beyond.code == Errc::bad_compressed, beyond.message());
        CHECK(beyond.offset >= file.size() - std::min<std::size_t>(file.size(), 4096));
        CHECK(beyond.offset <= file.size());
    }
}

TEST_CASE("gzip, bzip2 and xz: content that is no model ends early and is called what it is") {
    const Content zeros(64 << 20);
    for (const Packer& packer : packers()) {
        CAPTURE(packer.name);
        CHECK(refusal(packer.compress(zeros)).code == Errc::bad_magic);
        const Error page = refusal(packer.compress(std::as_bytes(std::span("<html>"))));
        CHECK(page.code == Errc::bad_magic);
        CHECK(page.detail.starts_with("this is an HTML page, not a GGUF file"));
        CHECK(refusal(packer.compress({})).code == Errc::truncated);
        CHECK(refusal(packer.compress(packer.compress(small_model()))).detail.starts_with("this is " + packer.name));
    }
}

TEST_CASE("gzip, xz: a name without end is not kept, nor a dictionary that takes too much memory") {
    const Content content = small_model();
    Content named = compressed(
        iostreams::gzip_compressor(iostreams::gzip_params(-1, 8, 15, 8, 0, "the name of a file", "and a comment")),
        content);
    CHECK(holds(open(named), content));
    named.insert(named.begin() + 10, 20 << 20, std::byte{'a'});
    const Error endless = refusal(named);
    CHECK(endless.code == Errc::unsupported);
    CHECK(endless.detail == "goes on for too long without content");

    Content xz = compressed(iostreams::lzma_compressor(), content);
    constexpr std::size_t block = 12;  // behind the header of the stream
    const std::size_t size = 4 * std::to_integer<std::size_t>(xz[block]);
    const std::byte lzma2[] = {std::byte{0x21}, std::byte{1}};  // and one byte for its dictionary
    const auto found = std::ranges::search(std::span(xz).subspan(block, size), lzma2);
    REQUIRE(!found.empty());
    std::byte& dictionary = *found.end();
    const auto with_dictionary = [&](int bits) {
        dictionary = static_cast<std::byte>(bits);
        boost::crc_32_type crc;
        crc.process_bytes(&xz[block], size);
        for (std::size_t i = 0; i < 4; ++i) xz[block + size + i] = static_cast<std::byte>(crc.checksum() >> 8 * i);
        return xz;
    };
    CHECK(holds(open(with_dictionary(28)), content));  // 64 MiB, as xz -9 has it
    for (const int bits : {30, 35, 40}) {              // 128 MiB to 4 GiB
        const Error error = refusal(with_dictionary(bits));
        CHECK(error.code == Errc::unsupported);
        CHECK(error.detail == "needs more than 100 MiB of memory to decompress; decompress it with 'unxz'");
    }
}

TEST_CASE("gzip, bzip2 and xz: shards of a split model") {
    std::vector<SmallModel> shards(2, bare_llama());
    shards[0].weights("a", Q8_0, {64, 5});
    shards[1].weights("b", F16, {64, 7});
    for (const Packer& packer : packers()) {
        CAPTURE(packer.name);
        const TemporaryFolder folder;
        for (std::size_t i = 0; i < 2; ++i) {
            shards[i].set("split.no", Value::of_unsigned(ValueType::uint16, i));
            shards[i].set("split.count", Value::of_unsigned(ValueType::uint16, 2));
            write_file(folder / ("m-0000" + std::to_string(i + 1) + "-of-00002.gguf" + packer.suffix),
                       packer.compress(shards[i].bytes()));
        }
        const Model model = must(Model::open(folder / ("m-00002-of-00002.gguf" + packer.suffix)));
        CHECK(model.shard_count() == 2);
        CHECK(model.shard_path(0) == folder / ("m-00001-of-00002.gguf" + packer.suffix));
    }
}

TEST_CASE("gzip, bzip2 and xz: every program reads them") {
    const std::string model = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
    const TemporaryFolder folder;
    const auto shell = [&](const std::string& script) {
        return run_shell("export PATH=\"$BIN:$PATH\" M='" + model + "'; cd '" + folder.path().string() + "'; " +
                         script);
    };
    REQUIRE(shell("gguf-requant $M plain.gguf Q4_K_M").exit_code == 0);
    for (const Packer& packer : packers()) {
        CAPTURE(packer.name);
        const Content file = packer.compress(read_bytes(model));
        const std::string name = "m-Q8_0.gguf" + packer.suffix;
        write_file(folder / name, file);
        CHECK(shell("gguf-info --tensors " + name).text() == shell("gguf-info --tensors $M").text());
        CHECK(shell("gguf-info --check " + name).exit_code == 0);
        CHECK(shell("gguf-info --tensors - < " + name).text() == shell("gguf-info --tensors $M").text());
        CHECK(shell("cat " + name + " | gguf-info --hash -").exit_code == 0);
        CHECK(shell("gguf-diff " + name + " $M").exit_code == 0);
        CHECK(shell("gguf-diff - $M < " + name).exit_code == 0);
        const CommandResult made = shell("gguf-requant " + name + " Q4_K_M --force && cmp m-Q4_K_M.gguf plain.gguf");
        CHECK_MESSAGE(made.exit_code == 0, made.err);

        write_file(folder / name, std::span(file).first(file.size() / 2));
        for (const char* program :
             {"gguf-info ", "gguf-info --check ", "gguf-requant --dry-run --force ", "gguf-diff $M "}) {
            const CommandResult cut = shell(program + name + (program[5] == 'r' ? " Q4_K_M" : ""));
            CHECK(cut.exit_code == (program[5] == 'd' ? 2 : 1));
            CHECK_MESSAGE((cut.text() + cut.err).find("TRUNCATED") != std::string::npos, cut.err);
        }
        fs::remove(folder / name);
    }
}
