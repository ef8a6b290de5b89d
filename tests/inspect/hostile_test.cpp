// Every file of the fuzz corpus, however broken, is looked at to an end.
#include <doctest/doctest.h>

#include <filesystem>
#include <ggufkit/inspect/check_data.hpp>
#include <ggufkit/inspect/manifest.hpp>
#include <ggufkit/inspect/peek.hpp>
#include <ggufkit/inspect/stats.hpp>

using namespace ggufkit;

TEST_CASE("tensor data of broken files: results or errors, and nothing else") {
    std::size_t looked_at = 0, without_data = 0;
    for (const auto& entry : std::filesystem::directory_iterator(GGUFKIT_SOURCE_DIR "/fuzz/corpus")) {
        CAPTURE(entry.path().string());
        const auto model = Model::open(entry.path(), {.check_structure = false, .follow_shards = false});
        if (!model) continue;
        bool readable = true;
        for (const ModelTensor& tensor : model->tensors()) {
            const bool there = model->data(tensor).has_value();
            readable = readable && there;
            const auto found = peek_weights(*model, tensor, 0, 0, 1);
            if (!there) CHECK(!found);
            if (found) CHECK(found->values.size() == 1);
        }
        CHECK(tensor_stats(*model, model->tensors(), {.threads = 1}).has_value() == readable);
        CHECK(check_data(*model, model->tensors(), {.threads = 1}).has_value() == readable);
        CHECK(hash_model(*model, HashKind::xxh64, {.threads = 1}).has_value() == readable);
        ++looked_at;
        without_data += readable ? 0 : 1;
    }
    CHECK(looked_at >= 20);
    CHECK(without_data >= 5);
}
