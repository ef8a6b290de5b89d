#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ggufkit/diff/patch.hpp>
#include <ggufkit/requant/execute.hpp>
#include <string>
#include <vector>

#include "core/hasher.hpp"
#include "patch/format.hpp"
#include "support/files.hpp"
#include "support/random_blocks.hpp"
#include "support/small_model.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using Bytes = std::vector<std::byte>;

// A folder with OLD and NEW, and what patches make of them.
struct Files {
    TemporaryFolder folder;
    std::string old_file = folder / "old.gguf", new_file = folder / "new.gguf";
    std::string patch = folder / "change.ggufpatch", made = folder / "made.gguf";

    Files(const SmallModel& was, const SmallModel& is) {
        was.save(old_file);
        is.save(new_file);
    }
    Files(const fs::path& was, const fs::path& is) {
        fs::copy_file(was, old_file);
        fs::copy_file(is, new_file);
    }

    PatchSummary make(const PatchOptions& options = {}) const {
        const auto a = Model::open(old_file), b = Model::open(new_file);
        REQUIRE(a);
        REQUIRE(b);
        const auto summary = make_patch(*a, *b, patch, options);
        REQUIRE_MESSAGE(summary, summary.error().message());
        CHECK(summary->bytes == fs::file_size(patch));
        return *summary;
    }
    void check_round_trip() const {
        const auto applied = apply_patch(patch, old_file, made, {.overwrite = true});
        REQUIRE_MESSAGE(applied, applied.error().message());
        CHECK(read_bytes(made) == read_bytes(new_file));
    }
    // What applying is refused with; nothing but what was there before is there afterwards.
    Error refusal() const {
        const auto before = count();
        const auto applied = apply_patch(patch, old_file, made);
        REQUIRE_FALSE(applied);
        CHECK(count() == before);
        CHECK_FALSE(fs::exists(made));
        return applied.error();
    }
    std::size_t count() const { return names_in(folder.path()).size(); }
};

// KiB of a file that are in this process's memory now.
std::uint64_t resident(const std::string& file) {
    std::ifstream maps("/proc/self/smaps");
    std::uint64_t kib = 0;
    bool of_file = false;
    for (std::string line; std::getline(maps, line);) {
        const bool head = line.find('-') < line.find(' ');  // "7f…-7f… r--s … path"
        if (head) of_file = line.ends_with(file);
        if (of_file && line.starts_with("Rss:")) kib += std::stoull(line.substr(4));
    }
    return kib;
}

SmallModel large_model() {
    SmallModel model = small_llama();
    // A row of 3 MiB, and others that are alike in nothing.
    model.tensor("blk.2.large.weight", TensorType::F16, {4096, 384})
        .tensor("blk.2.other.weight", TensorType::F16, {256, 70});
    return model;
}

// One of the ways in which a model becomes another.
void edit(SmallModel& model, Random& random) {
    const auto number = [&](std::uint32_t below) {
        return static_cast<std::uint32_t>(random.unit() * static_cast<float>(below));
    };
    const auto pick = [&](auto& list) -> auto& { return list[number(static_cast<std::uint32_t>(list.size()))]; };
    const std::string name = "new." + std::to_string(number(1000));
    switch (number(9)) {
        case 0: model.set(name, std::string(number(5000), 'x')); break;
        case 1: pick(model.metadata).second = Value::of_string(name); break;
        case 2: model.set("tokenizer.chat_template", std::string(number(300), 't') + name); break;
        case 3:
            if (model.metadata.size() > 3) model.metadata.erase(model.metadata.begin() + number(3) + 1);
            break;
        case 4: pick(pick(model.tensors).bytes) = std::byte{0x11}; break;
        case 5: model.tensor(name, TensorType::F32, {number(300) + 1}, number(1000)); break;
        case 6: pick(model.tensors).name = name; break;
        case 7:
            if (model.tensors.size() > 1) model.tensors.erase(model.tensors.begin() + number(2));
            break;
        default: std::ranges::rotate(model.tensors, model.tensors.begin() + 1);
    }
    // Names are unique.
    std::ranges::stable_sort(model.tensors, {}, &SmallModel::Tensor::name);
    const auto twice = std::ranges::unique(model.tensors, {}, &SmallModel::Tensor::name);
    model.tensors.erase(twice.begin(), twice.end());
}

}  // namespace

TEST_CASE("patch: hundreds of random edits come back byte for byte") {
    Random random(20);
    for (int round = 0; round < 300; ++round) {
        CAPTURE(round);
        SmallModel was = small_llama(), is = was;
        for (int i = 0; i <= round % 5; ++i) edit(is, random);
        const Files files(was, is);
        files.make({.work = {.threads = 1 + static_cast<unsigned>(round) % 3}});
        files.check_round_trip();
    }
}

TEST_CASE("patch: between any two containers of a model, and models that have nothing in common") {
    const SmallModel was = large_model();
    SmallModel other;
    other.set("general.architecture", "clip").tensor("x", TensorType::F32, {5});
    const SmallModel nothing;
    for (const SmallModel::Container& container :
         {SmallModel::Container{}, {.order = ByteOrder::big}, {.alignment = 4096}, {.backwards = true}}) {
        Files files(was, was);
        was.save(files.new_file, container);
        files.make();
        files.check_round_trip();
    }
    for (const auto& [from, to] : {std::pair(was, other), std::pair(other, was), std::pair(nothing, other),
                                   std::pair(other, nothing), std::pair(nothing, nothing)}) {
        const Files files(from, to);
        files.make();
        files.check_round_trip();
    }
}

TEST_CASE("patch: what was looked at does not stay mapped, however large the files") {
    SmallModel is = large_model();
    is.set("general.name", "Another");
    is.at("blk.2.large.weight").bytes[5] ^= std::byte{1};
    const Files files(large_model(), is);
    const auto a = Model::open(files.old_file), b = Model::open(files.new_file);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(resident(files.new_file) > 0);
    REQUIRE(make_patch(*a, *b, files.patch));
    for (const std::string& file : {files.old_file, files.new_file}) {
        CHECK(fs::file_size(file) > 3u << 20);
        CHECK(resident(file) < 512);
    }
}

TEST_CASE("patch: a new chat template costs kilobytes, whatever the tensors weigh") {
    SmallModel is = large_model();
    is.set("tokenizer.chat_template",
           std::string(700, '{') + " a longer template than before, in the middle of the header");
    const Files files(large_model(), is);
    const PatchSummary summary = files.make();
    CHECK(summary.bytes < 1500);
    CHECK(summary.copied > 3u << 20);
    CHECK_FALSE(summary.in_place);  // the tensors stand elsewhere
    files.check_round_trip();
}

TEST_CASE(
    "patch: one token more in the middle of a vocabulary, one row that was tuned, one tensor under another name") {
    std::vector<std::string> tokens;
    for (int i = 0; i < 100'000; ++i) tokens.push_back("token " + std::to_string(i * 7919 % 100'003));
    SmallModel was = large_model(), is = was;
    was.set("tokenizer.ggml.tokens", Value::of_strings(tokens));
    tokens.insert(tokens.begin() + 50'000, "one more");
    is.set("tokenizer.ggml.tokens", Value::of_strings(tokens));
    auto& row = is.at("blk.2.large.weight").bytes;
    for (std::size_t i = 8192; i < 2 * 8192; ++i) row[i] ^= std::byte{1};
    is.at("blk.2.other.weight").name = "blk.2.renamed.weight";
    const Files files(was, is);
    const PatchSummary summary = files.make();
    CHECK(summary.bytes < 40'000);  // the row has 8192 bytes, the vocabulary 1.8 MB
    files.check_round_trip();
}

TEST_CASE("patch: weights that moved a little are told by what changed in them") {
    SmallModel was = large_model(), is = was;
    Random random(3);
    // Halves whose last bits differ here and there: no two stretches of them are the same.
    for (auto& byte : was.at("blk.2.large.weight").bytes) byte = static_cast<std::byte>(random.unit() * 255);
    is.at("blk.2.large.weight").bytes = was.at("blk.2.large.weight").bytes;
    auto& bytes = is.at("blk.2.large.weight").bytes;
    for (std::size_t i = 0; i < bytes.size(); i += 4) bytes[i] ^= std::byte{1};
    const Files files(was, is);
    CHECK(files.make().bytes < bytes.size() / 8);
    files.check_round_trip();
}

TEST_CASE("patch: the same for any number of threads, a level that is none, a split model, an output that is there") {
    SmallModel is = large_model();
    is.set("general.name", "Another");
    is.at("blk.2.large.weight").bytes[12345] = std::byte{1};
    const Files files(large_model(), is);
    files.make({.work = {.threads = 1}});
    const Bytes one = read_bytes(files.patch);
    files.make({.work = {.threads = 4}, .overwrite = true});
    CHECK(read_bytes(files.patch) == one);

    const auto a = Model::open(files.old_file), b = Model::open(files.new_file);
    const auto code = [&](const fs::path& patch, const PatchOptions& options) {
        const auto made = make_patch(*a, *b, patch, options);
        return made ? std::optional<Errc>() : made.error().code;
    };
    CHECK(code(files.patch, {}) == Errc::io_exists);
    CHECK(code(files.folder / "p", {.zstd_level = 0}) == Errc::bad_argument);
    CHECK(code(files.folder / "p", {.zstd_level = 20}) == Errc::bad_argument);
    CHECK(code(files.new_file, {.overwrite = true}) == Errc::io_same_file);
    std::stop_source stop;
    stop.request_stop();
    CHECK(code(files.folder / "p", {.work = {.stop = stop.get_token()}}) == Errc::cancelled);
    CHECK_FALSE(fs::exists(files.folder / "p"));

    const auto split = Model::open(is.save_split(files.folder.path() / "split", 3));
    REQUIRE(split);
    const auto of_shards = make_patch(*a, *split, files.folder / "p");
    REQUIRE_FALSE(of_shards);
    CHECK(of_shards.error().code == Errc::bad_argument);
    CHECK(apply_patch(files.patch, files.old_file, files.old_file, {.overwrite = true}).error().code ==
          Errc::io_same_file);
    CHECK(apply_patch(files.patch, files.old_file, files.patch, {.overwrite = true}).error().code ==
          Errc::io_same_file);
    CHECK(apply_patch(files.patch, files.old_file, files.new_file).error().code == Errc::io_exists);
}

TEST_CASE("patch: for another file it is refused") {
    SmallModel is = small_llama();
    is.set("general.name", "Another");
    Files files(small_llama(), is);
    files.make();
    fs::copy_file(files.new_file, files.old_file, fs::copy_options::overwrite_existing);
    CHECK(files.refusal().detail == "is what the patch makes, not what it was made for");

    SmallModel stranger = small_llama();
    stranger.tensors.back().bytes.back() ^= std::byte{1};
    stranger.save(files.old_file);
    CHECK(files.refusal().detail == "is not the file that the patch was made for: its bytes differ");
    large_model().save(files.old_file);
    CHECK(files.refusal().code == Errc::bad_patch);
    fs::remove(files.old_file);
    CHECK(files.refusal().code == Errc::io_open);
}

TEST_CASE("patch: damage anywhere is found before the new file has its name") {
    SmallModel is = small_llama();
    is.set("tokenizer.chat_template", "a new one").tensor("more", TensorType::F32, {1000});
    const Files files(small_llama(), is);
    files.make();
    const Bytes sound = read_bytes(files.patch);
    for (std::size_t i = 0; i < sound.size(); i += i < patch::head_bytes ? 1 : 5) {
        Bytes damaged = sound;
        damaged[i] ^= std::byte{0x10};
        write_file(files.patch, damaged);
        // Not every bit of a zstd frame means something; the new file itself is always right.
        const auto applied = apply_patch(files.patch, files.old_file, files.made, {.overwrite = true});
        if (applied) CHECK(read_bytes(files.made) == read_bytes(files.new_file));
        if (!applied) CHECK(applied.error().code == Errc::bad_patch);
        if (i < patch::head_bytes) CHECK_FALSE(applied);
        fs::remove(files.made);
    }
    for (std::size_t size = 0; size < sound.size(); size += 7) {
        write_file(files.patch, std::span(sound).first(size));
        CHECK(files.refusal().code == Errc::bad_patch);
    }
    Bytes longer = sound;
    longer.push_back(std::byte{0});
    write_file(files.patch, longer);
    CHECK(files.refusal().code == Errc::bad_patch);
}

TEST_CASE("patch: one that lies is refused, though its checksums are right") {
    using patch::Step;
    const Files files(small_llama(), small_llama());
    files.make();
    const Bytes old_bytes = read_bytes(files.old_file);
    const auto whole = patch::parse(read_bytes(files.patch));
    REQUIRE(whole);
    const std::uint64_t size = old_bytes.size();
    const auto forge = [&](std::vector<Step> steps, std::uint64_t new_size, const Bytes& frames = {}) {
        patch::Head head = whole->head;
        const Bytes table = patch::encode(steps);
        head.new_file.bytes = new_size;
        head.steps = steps.size();
        head.steps_digest = hash128(table);
        Bytes bytes = patch::encode(head);
        bytes.insert(bytes.end(), frames.begin(), frames.end());
        bytes.insert(bytes.end(), table.begin(), table.end());
        write_file(files.patch, bytes);
        return files.refusal();
    };
    const auto copy = [](std::uint64_t offset, std::uint64_t length) {
        return Step{Step::Kind::copy, 0, length, offset, length};
    };
    const auto says = [](const Error& error, std::string_view text) {
        CAPTURE(error.message());
        CHECK(error.code == Errc::bad_patch);
        CHECK(error.detail.find(text) != std::string::npos);
    };
    constexpr std::uint64_t huge = ~std::uint64_t{0};
    says(forge({copy(0, size + 1)}, size + 1), "past the end of the old file");
    says(forge({copy(huge, 1)}, 1), "past the end of the old file");
    says(forge({copy(1, huge)}, huge), "past the end of the old file");
    says(forge({copy(0, size)}, size - 1), "more than the new file");
    says(forge({copy(0, size)}, size + 1), "less than the new file");
    says(forge({}, size), "less than the new file");
    says(forge({copy(0, size), copy(0, 0)}, size), "adds nothing");
    says(forge({{Step::Kind{3}, 0, 1, 0, 1}}, 1), "unknown kind");
    says(forge({{Step::Kind::copy, 0, 2, 0, 1}}, 2), "than it adds");
    says(forge({{Step::Kind::copy, 4, 1, 0, 1}}, 1, Bytes(4)), "a copy with a frame");
    says(forge({{Step::Kind::frame, 9, 1, 0, 0}}, 1, Bytes(8)), "without its frame");
    says(forge({copy(0, size)}, size, Bytes(8)), "belong to no step");
    says(forge({{Step::Kind::frame, 8, 1, 0, 0}}, 1, Bytes(8)), "damaged frame");
    says(forge({{Step::Kind::frame, 8, patch::most_content + 1, 0, 0}}, patch::most_content + 1, Bytes(8)),
         "more than a frame holds");
    says(forge({{Step::Kind::changes, 8, 1, 0, 2}}, 1, Bytes(8)), "than it adds");
    // It makes a file, but not the one it says.
    says(forge({copy(2, 1), copy(1, size - 1)}, size), "does not make the file");
}
