// Seek tables of very many frames with little or nothing in them: as fast as one frame of the same content.
#include <doctest/doctest.h>

#include <chrono>
#include <ggufkit/model.hpp>

#include "streams/frames.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr std::uint32_t most_frames = 1 << 20;

Content small_content() {
    return bare_llama().weights("a", TensorType::Q8_0, {64, 50}).weights("b", TensorType::F32, {333}).bytes();
}

// Such a table took 16 seconds where each frame was unpacked alone.
void check_opens(const Content& file, const Content& content) {
    const TemporaryFolder folder;
    write_file(folder / "m.gguf.zst", file);
    for (const bool header_only : {false, true}) {
        const auto start = std::chrono::steady_clock::now();
        const auto model = Model::open(folder / "m.gguf.zst", {.header_only = header_only});
        CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
        REQUIRE_MESSAGE(model, model.error().message());
        for (const ModelTensor& tensor : model->tensors()) REQUIRE(model->data(tensor));
        CHECK(std::ranges::equal(model->header().file().first(content.size()), content));
    }
}

}  // namespace

TEST_CASE("a million entries of no bytes, before, behind and around the frame that has the model") {
    const Content content = small_content();
    const Content frame = frame_of(content);
    const Entry whole{static_cast<std::uint32_t>(frame.size()), static_cast<std::uint32_t>(content.size())};
    for (const std::size_t at : {std::size_t{0}, std::size_t{most_frames / 2}, std::size_t{most_frames - 1}}) {
        std::vector<Entry> entries(most_frames, Entry{0, 0});
        entries[at] = whole;
        Content file = frame;
        append(file, seek_table(entries));
        check_opens(file, content);
    }
}

TEST_CASE("a million empty frames") {
    const Content content = small_content();
    const Content frame = frame_of(content), empty = frame_of({}, {.checksum = false});
    std::vector<Entry> entries(most_frames - 1, Entry{static_cast<std::uint32_t>(empty.size()), 0});
    Content file;
    for (std::size_t i = 0; i < entries.size(); ++i) append(file, empty);
    append(file, frame);
    entries.push_back({static_cast<std::uint32_t>(frame.size()), static_cast<std::uint32_t>(content.size())});
    append(file, seek_table(entries));
    check_opens(file, content);
}

TEST_CASE("frames of one byte, and one among them that holds another number than the table says") {
    const Content content = small_content();
    Content file = seekable(content, 1);
    check_opens(file, content);

    std::vector<Entry> entries = entries_of(file);
    std::size_t at = 0;
    for (std::size_t i = 0; i < 1000; ++i) at += entries[i].size;
    const std::size_t table = 8 + 8 * entries.size() + 9;
    entries[1000].content = 0;  // and the next has what this one lacks: the sum is right
    entries[1001].content = 2;
    file.resize(file.size() - table);
    append(file, seek_table(entries));
    const TemporaryFolder folder;
    write_file(folder / "m.gguf.zst", file);
    const auto model = Model::open(folder / "m.gguf.zst");
    REQUIRE_FALSE(model);
    CHECK(model.error().code == Errc::bad_zstd);
    CHECK(model.error().offset == at);
}
