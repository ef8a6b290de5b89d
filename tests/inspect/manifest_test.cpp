// Manifests: hashes against those that are taken here of the same bytes at once, lines as other programs write them.
#include <doctest/doctest.h>
#include <openssl/sha.h>

#include <fstream>
#include <ggufkit/inspect/digests.hpp>
#include <ggufkit/inspect/manifest.hpp>

#include "quant/simd/target.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using Finding = ManifestCheck::Finding;

std::string hex_of(std::span<const unsigned char> bytes) {
    std::string text;
    for (const unsigned char byte : bytes) {
        for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
    }
    return text;
}

std::string expected(HashKind kind, std::string_view bytes) {
    const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
    unsigned char hash[64];
    switch (kind) {
        case HashKind::sha1: SHA1(data, bytes.size(), hash); return hex_of({hash, 20});
        case HashKind::sha256: SHA256(data, bytes.size(), hash); return hex_of({hash, 32});
        case HashKind::xxh64: {
            XXH64_canonical_t canonical;
            XXH64_canonicalFromHash(&canonical, XXH64(bytes.data(), bytes.size(), 0));
            return hex_of(canonical.digest);
        }
        case HashKind::xxh128: {
            XXH128_canonical_t canonical;
            XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
            return hex_of(canonical.digest);
        }
    }
    return {};
}

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

SmallModel some_model() {
    SmallModel model = small_llama();
    model.tensor("large", TensorType::Q6_K, {256, 6000}).tensor("empty", TensorType::F32, {0});
    return model;
}

constexpr HashKind kinds[] = {HashKind::xxh128, HashKind::xxh64, HashKind::sha1, HashKind::sha256};

ManifestCheck check(const std::filesystem::path& path, const Manifest& manifest) {
    const auto model = Model::open(path);
    REQUIRE(model);
    auto found = check_manifest(*model, manifest, {.threads = 2});
    REQUIRE(found);
    return std::move(*found);
}

}  // namespace

TEST_CASE("manifest: every kind of hash is that of the bytes, of tensors in little-endian order") {
    const TemporaryFolder folder;
    const SmallModel small = some_model();
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        const auto path = small.save(folder / "a.gguf", {.order = order});
        const auto model = Model::open(path);
        REQUIRE(model);
        for (const HashKind kind : kinds) {
            CAPTURE(name(kind));
            const auto manifest = hash_model(*model, kind, {.threads = 3});
            REQUIRE(manifest);
            REQUIRE(manifest->lines.size() == small.tensors.size() + 1);
            for (std::size_t i = 0; i < small.tensors.size(); ++i) {
                const HashLine& line = manifest->lines[i];
                CHECK(line.of == HashLine::Of::tensor);
                CHECK(line.tensor == small.tensors[i].name);
                CHECK(line.hex == expected(kind, text_of(small.tensors[i].bytes)));
                if (kind == HashKind::xxh128) CHECK(line.hex == digest(*model, model->tensors()[i])->hex());
            }
            CHECK(manifest->lines.back().of == HashLine::Of::file);
            CHECK(manifest->lines.back().file == path.string());
            CHECK(manifest->lines.back().hex == expected(kind, read_text(path)));
        }
    }
}

TEST_CASE("manifest: hashes are the same on every instruction set") {
    const TemporaryFolder folder;
    const auto path = some_model().save(folder / "m.gguf");
    const auto model = Model::open(path);
    REQUIRE(model);
    const std::string best(quant::simd_target());
    for (const std::string_view target : quant::simd_targets()) {
        CAPTURE(target);
        REQUIRE(quant::use_simd_target(target));
        const auto manifest = hash_model(*model, HashKind::xxh128);
        REQUIRE(manifest);
        CHECK(manifest->lines.back().hex == expected(HashKind::xxh128, read_text(path)));
    }
    REQUIRE(quant::use_simd_target(best));
}

TEST_CASE("manifest: text goes through parse() unchanged, lines of other programs are understood") {
    const std::string sha(64, 'a'), sha1(40, 'b'), xxh(16, 'c'), xxh128(32, 'd');
    const std::string text = "sha256    " + sha + "  dir/m.gguf:blk.0.a:b\nsha1      " + sha1 +
                             "  m.gguf:x\nxxh64     " + xxh + "  m.gguf\n" + xxh128 + "  a file.gguf\n";
    const auto manifest = Manifest::parse(text);
    REQUIRE(manifest);
    CHECK(manifest->text() == text);
    REQUIRE(manifest->lines.size() == 4);
    CHECK(manifest->lines[0].tensor == "blk.0.a:b");
    CHECK(manifest->lines[0].file == "dir/m.gguf");
    CHECK(manifest->lines[2].of == HashLine::Of::data);
    CHECK(manifest->lines[3].of == HashLine::Of::file);
    CHECK(manifest->lines[3].kind == HashKind::xxh128);

    std::string upper = sha;
    for (char& c : upper) c = 'A';
    const auto others =
        Manifest::parse("# comment\r\nuuid  1-2-3  m.gguf\n" + upper + " *m.gguf\r\n\nwords\n" + sha + "\n");
    REQUIRE(others);
    REQUIRE(others->lines.size() == 1);
    CHECK(others->lines[0].file == "m.gguf");
    CHECK(others->lines[0].hex == sha);
    for (const std::string& bad : {std::string(), std::string("GGUF"), "sha256 " + xxh + " m.gguf", sha,
                                   "sha256 " + sha, std::string(64, 'g') + "  m.gguf"}) {
        CAPTURE(bad);
        REQUIRE(!Manifest::parse(bad));
        CHECK(Manifest::parse(bad).error().code == Errc::bad_argument);
    }
}

TEST_CASE("manifest: what differs, is missing or not listed is told, another container is the same model") {
    const TemporaryFolder folder;
    SmallModel small = some_model();
    const auto path = small.save(folder / "a.gguf");
    for (const HashKind kind : kinds) {
        const auto manifest = hash_model(*Model::open(path), kind);
        REQUIRE(manifest);
        CHECK(check(path, *manifest).holds());
        CHECK(check(path, *manifest).lines.size() == small.tensors.size() + 1);
        // The tensors are the same, the file is not.
        const auto big = check(small.save(folder / "b.gguf", {.order = ByteOrder::big}), *manifest);
        CHECK(!big.holds());
        CHECK(big.count(Finding::same) == small.tensors.size());
        CHECK(big.lines.back().finding == Finding::differs);
        CHECK(big.lines.back().found == expected(kind, read_text(folder / "b.gguf")));
    }
    const auto manifest = hash_model(*Model::open(path), HashKind::sha256);
    small.at("large").bytes[1'000'000] ^= std::byte{1};
    small.remove("empty");
    small.tensor("new", TensorType::F32, {32});
    const auto found = check(small.save(folder / "c.gguf"), *manifest);
    CHECK(found.count(Finding::differs) == 2);
    CHECK(found.count(Finding::missing) == 1);
    CHECK(found.count(Finding::unlisted) == 1);
    for (const ManifestCheck::Line& line : found.lines) {
        if (line.listed.tensor == "large") CHECK(line.finding == Finding::differs);
        if (line.listed.tensor == "empty") CHECK(line.finding == Finding::missing);
        if (line.listed.tensor == "new") CHECK(line.finding == Finding::unlisted);
    }
}

TEST_CASE("manifest: a line for all of a model is of its tensors' data, or of the file") {
    const TemporaryFolder folder;
    const SmallModel small = some_model();
    const auto path = small.save(folder / "a.gguf");
    std::string data;
    for (const auto& tensor : small.tensors) data += text_of(tensor.bytes);
    const auto line = [&](const std::string& hex) { return *Manifest::parse("sha256  " + hex + "  x.gguf\n"); };
    CHECK(check(path, line(expected(HashKind::sha256, data))).holds());
    CHECK(check(path, line(expected(HashKind::sha256, read_text(path)))).holds());
    CHECK(check(small.save(folder / "big.gguf", {.order = ByteOrder::big}), line(expected(HashKind::sha256, data)))
              .holds());
    const auto other = check(path, line(std::string(64, '0')));
    CHECK(other.lines.front().finding == Finding::differs);
    CHECK(other.lines.front().found == expected(HashKind::sha256, data));
}

TEST_CASE("manifest: shards are known by their names") {
    const TemporaryFolder folder;
    const auto first = some_model().save_split(folder / "s", 3);
    auto manifest = hash_model(*Model::open(first), HashKind::xxh64);
    REQUIRE(manifest);
    CHECK(manifest->lines.size() == some_model().tensors.size() + 3);
    for (HashLine& line : manifest->lines)
        line.file = "elsewhere/" + std::filesystem::path(line.file).filename().string();
    CHECK(check(first, *manifest).holds());
    manifest->lines.back().file = "elsewhere/t-00003-of-00003.gguf";
    CHECK(check(first, *manifest).lines.back().finding == Finding::missing);
}

TEST_CASE("manifest: progress ends with everything, a stop is obeyed, a changed file is an error") {
    const TemporaryFolder folder;
    const auto path = some_model().save(folder / "a.gguf");
    const auto model = Model::open(path);
    std::uint64_t last = 0, total = 1;
    const auto note = [&](const Progress& now) {
        const auto [done, all] = now;
        CHECK(done > last);
        last = done;
        total = all;
    };
    CHECK(hash_model(*model, HashKind::xxh64, {.threads = 2, .progress = note}));
    CHECK(last == total);
    std::stop_source stop;
    stop.request_stop();
    CHECK(hash_model(*model, HashKind::xxh64, {.stop = stop.get_token()}).error().code == Errc::cancelled);
    std::ofstream(path, std::ios::app) << "more";
    CHECK(hash_model(*model, HashKind::xxh64).error().code == Errc::io_changed);
}
