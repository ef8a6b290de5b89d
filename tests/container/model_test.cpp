// Models on disk: mapped, not copied; split ones whole, whichever shard is named; and what is wrong with a set of
// shards told with the name of the file.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ggufkit/model.hpp>
#include <ggufkit/writer.hpp>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

const fs::path data_folder = GGUFKIT_TEST_DATA;

// One shard by what its keys and its name say; most tests make three and then let one of them lie.
struct Shard {
    std::uint64_t number, count;
    std::vector<std::string> tensors;
    std::int64_t tensor_count = -1;  // split.tensors.count; left out where it is negative
};

std::string shard_name(std::uint64_t number, std::uint64_t count) {
    return fmt::format("model-{:05}-of-{:05}.gguf", number + 1, count);
}

void save(const fs::path& path, const Shard& shard) {
    SmallModel model;
    model.set("general.name", fmt::format("shard {}", shard.number));
    model.set("split.no", Value::of_unsigned(ValueType::uint16, shard.number));
    model.set("split.count", Value::of_unsigned(ValueType::uint16, shard.count));
    if (shard.tensor_count >= 0) {
        model.set("split.tensors.count", Value::of_signed(ValueType::int32, shard.tensor_count));
    }
    for (const std::string& name : shard.tensors) model.tensor(name, TensorType::F32, {8, 2});
    model.save(path);
}

// A folder with the shards of a model: shard i has the tensors "i.a" and "i.b".
class SplitModel {
  public:
    explicit SplitModel(std::uint64_t count) : count_(count) {
        for (std::uint64_t i = 0; i < count; ++i) save(path(i), shard(i));
    }
    Shard shard(std::uint64_t i) const {
        return {i, count_, {fmt::format("{}.a", i), fmt::format("{}.b", i)}, static_cast<std::int64_t>(2 * count_)};
    }
    fs::path path(std::uint64_t i) const { return folder_ / shard_name(i, count_); }

    // Replaces shard i by itself after `lie` has changed it.
    void tell(std::uint64_t i, const std::function<void(Shard&)>& lie) {
        Shard changed = shard(i);
        lie(changed);
        save(path(i), changed);
    }

    // Whichever of the shards is opened, the model is refused with this code, and the text has every one of `words`.
    void check_refused(Errc code, const std::vector<std::string>& words) const {
        for (std::uint64_t i = 0; i < count_; ++i) {
            if (!fs::exists(path(i))) continue;
            CAPTURE(i);
            const auto model = Model::open(path(i));
            REQUIRE(!model);
            CHECK(name(model.error().code) == name(code));
            for (const std::string& word : words) {
                CHECK_MESSAGE(model.error().message().find(word) != std::string::npos, model.error().message());
            }
        }
    }

  private:
    TemporaryFolder folder_;
    std::uint64_t count_;
};

}  // namespace

// ---------------------------------------------------------------- one file

TEST_CASE("a model is mapped, and its tensors are found by name") {
    const fs::path path = data_folder / "tiny-llama-Q8_0.gguf";
    const auto model = Model::open(path);
    REQUIRE_MESSAGE(model, model.error().message());
    CHECK(model->shard_count() == 1);
    CHECK(model->shard_path(0) == path);
    CHECK(model->shard_fd(0) >= 0);
    CHECK(&model->header() == &model->shard(0));
    CHECK(model->header().file().size() == fs::file_size(path));
    CHECK(model->header().get_string("general.architecture") == "llama");

    const ModelView& view = model->header();
    REQUIRE(model->tensors().size() == view.tensors().size());
    REQUIRE(!model->tensors().empty());
    std::uint64_t end = view.data_offset();
    for (std::size_t i = 0; i < view.tensors().size(); ++i) {
        const ModelTensor& tensor = model->tensors()[i];
        CAPTURE(tensor.info->name);
        CHECK(tensor.info == &view.tensors()[i]);
        CHECK(tensor.shard == 0);
        CHECK(model->find_tensor(tensor.info->name) == &tensor);
        CHECK(view.find_tensor(tensor.info->name) == tensor.info);

        const auto data = model->data(tensor);
        REQUIRE(data);
        CHECK(data->size() == tensor.info->bytes());
        CHECK(data->data() == view.file().data() + view.data_offset() + tensor.info->offset);  // no copy
        end = std::max(end, view.data_offset() + tensor.info->offset + data->size());
    }
    CHECK(end <= view.file().size());
    for (const KeyValue& entry : view.metadata()) CHECK(view.find_key(entry.key) == &entry);
    for (const std::string_view unknown : {"", "no such name", "general.architecture"}) {
        CHECK(model->find_tensor(unknown) == nullptr);
        CHECK(view.find_tensor(unknown) == nullptr);
    }
    CHECK(view.find_key("") == nullptr);
    CHECK(view.find_key("no.such.key") == nullptr);
}

TEST_CASE("a vocabulary without tensors is a model") {
    const auto model = Model::open(data_folder / "ggml-vocab-bert-bge.gguf");
    REQUIRE_MESSAGE(model, model.error().message());
    CHECK(model->tensors().empty());
    const auto tokens = model->header().get_array("tokenizer.ggml.tokens");
    REQUIRE(tokens);
    CHECK(tokens->size() == 30522);
    std::uint64_t count = 0;
    for (const ValueView token : *tokens) count += token.as_string().has_value();
    CHECK(count == 30522);
    CHECK(tokens->at(101)->as_string() == "[CLS]");
    CHECK(tokens->at(30521)->as_string().has_value());
}

TEST_CASE("advice of any kind about any range changes nothing") {
    const auto model = Model::open(data_folder / "tiny-llama-Q8_0.gguf");
    REQUIRE(model);
    const auto file = model->header().file();
    const std::vector<std::byte> before(file.begin(), file.end());
    constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
    for (const Access access :
         {Access::sequential, Access::random, Access::will_need, Access::dont_need, Access::normal}) {
        for (const std::uint64_t begin : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4097}, file.size() - 1,
                                          std::uint64_t{file.size()}, all}) {
            for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100000}, all}) {
                model->advise(0, begin, size, access);
            }
        }
        CHECK(std::ranges::equal(file, before));
    }
    CHECK(model->check_unchanged());
}

TEST_CASE("a model can be moved, what it gave stays where it is") {
    auto opened = Model::open(data_folder / "tiny-llama-Q8_0.gguf");
    REQUIRE(opened);
    const ModelTensor& tensor = opened->tensors().back();
    const auto data = opened->data(tensor);
    Model moved = std::move(*opened);
    CHECK(&moved.tensors().back() == &tensor);
    CHECK(moved.find_tensor(tensor.info->name) == &tensor);
    CHECK(moved.data(tensor)->data() == data->data());
}

TEST_CASE("what is no model is refused") {
    const TemporaryFolder folder;
    const auto refused = [](const fs::path& path) {
        const auto model = Model::open(path);
        return model ? std::string() : std::string(name(model.error().code));
    };
    CHECK(refused(folder / "absent.gguf") == "IO_OPEN");
    CHECK(refused(folder.path()) == "IO_OPEN");
    write_file(folder / "empty.gguf", "");
    CHECK(refused(folder / "empty.gguf") == "TRUNCATED");

    // Structure is checked unless that is switched off.
    const TensorFile short_of_data(little_v3, {{.name = "t", .ne = {8}}}, 31);
    write_file(folder / "short.gguf", short_of_data);
    CHECK(refused(folder / "short.gguf") == "DATA_PAST_EOF");
    const auto shown = Model::open(folder / "short.gguf", {.check_structure = false});
    REQUIRE(shown);
    CHECK(shown->tensors().size() == 1);
    CHECK(shown->data(shown->tensors()[0]).error().code == Errc::data_past_eof);
}

TEST_CASE("a model that is written to while it is open is noticed") {
    const TemporaryFolder folder;
    const fs::path path = folder / "model.gguf";
    small_llama().save(path);
    const auto model = Model::open(path);
    REQUIRE(model);
    CHECK(model->check_unchanged());
    fs::resize_file(path, fs::file_size(path) + 1);
    const auto changed = model->check_unchanged();
    REQUIRE(!changed);
    CHECK(changed.error().code == Errc::io_changed);
    CHECK(changed.error().subject == path.string());
}

// ---------------------------------------------------------------- shards

TEST_CASE("a split model is whole, whichever shard is opened") {
    for (const std::uint64_t count : {3u, 100u}) {
        const SplitModel split(count);
        for (const std::uint64_t opened : {std::uint64_t{0}, count / 2, count - 1}) {
            CAPTURE(opened);
            const auto model = Model::open(split.path(opened));
            REQUIRE_MESSAGE(model, model.error().message());
            REQUIRE(model->shard_count() == count);
            REQUIRE(model->tensors().size() == 2 * count);
            CHECK(model->header().get_string("general.name") == "shard 0");
            std::set<int> descriptors;
            for (std::uint64_t i = 0; i < count; ++i) {
                CHECK(model->shard_path(i) == split.path(i));
                CHECK(descriptors.insert(model->shard_fd(i)).second);
                CHECK(model->shard(i).get_string("general.name") == fmt::format("shard {}", i));
                for (const std::string part : {"a", "b"}) {
                    const std::string name = fmt::format("{}.{}", i, part);
                    CAPTURE(name);
                    const ModelTensor* tensor = model->find_tensor(name);
                    REQUIRE(tensor != nullptr);
                    CHECK(tensor == &model->tensors()[2 * i + (part == "b" ? 1 : 0)]);
                    CHECK(tensor->shard == i);
                    CHECK(tensor->info == model->shard(i).find_tensor(name));
                    CHECK(model->data(*tensor)->data() == model->shard(i).data(*tensor->info)->data());
                    SmallModel same;
                    same.tensor(name, TensorType::F32, {8, 2});
                    CHECK(std::ranges::equal(*model->data(*tensor), same.tensors[0].bytes));
                }
            }
            CHECK(model->find_tensor("c") == nullptr);
            CHECK(model->check_unchanged());
        }
    }
}

TEST_CASE("a shard can be opened alone") {
    const SplitModel split(3);
    fs::remove(split.path(0));
    const auto model = Model::open(split.path(1), {.follow_shards = false});
    REQUIRE_MESSAGE(model, model.error().message());
    CHECK(model->shard_count() == 1);
    CHECK(model->tensors().size() == 2);
    CHECK(model->find_tensor("1.b") != nullptr);
    CHECK(model->find_tensor("0.a") == nullptr);
    CHECK(model->header().get_string("general.name") == "shard 1");
}

TEST_CASE("a model of one shard is a model") {
    const TemporaryFolder folder;
    save(folder / "any name.gguf", {0, 1, {"t"}, 1});
    const auto model = Model::open(folder / "any name.gguf");
    REQUIRE_MESSAGE(model, model.error().message());
    CHECK(model->shard_count() == 1);
}

TEST_CASE("the total of tensors may be left unsaid") {
    SplitModel split(2);
    split.tell(0, [](Shard& shard) { shard.tensor_count = -1; });
    const auto model = Model::open(split.path(1));
    REQUIRE_MESSAGE(model, model.error().message());
    CHECK(model->tensors().size() == 4);
}

TEST_CASE("a shard that is missing") {
    for (const std::uint64_t missing : {0u, 1u, 2u}) {
        const SplitModel split(3);
        fs::remove(split.path(missing));
        split.check_refused(Errc::bad_split,
                            {"GGUF-R043", split.path(missing).string(),
                             "shard " + std::to_string(missing + 1) + " of 3: cannot be opened: No such"});
    }
}

TEST_CASE("a shard that says it is another, or of another number") {
    SplitModel other(3);
    other.tell(2, [](Shard& shard) { shard.number = 1; });
    other.check_refused(Errc::bad_split, {other.path(2).string()});
    CHECK(Model::open(other.path(0)).error().rule == "GGUF-R044");
    CHECK(Model::open(other.path(2)).error().rule == "GGUF-R043");  // against its own name

    SplitModel more(3);
    more.tell(1, [](Shard& shard) { shard.count = 4; });
    more.check_refused(Errc::bad_split, {more.path(1).string()});

    SplitModel whole(3);
    small_llama().save(whole.path(1));
    CHECK(Model::open(whole.path(1)));  // no shard by its keys
    fs::remove(whole.path(1));
    save(whole.path(1), {0, 1, {"t"}, 1});
    const auto model = Model::open(whole.path(0));
    REQUIRE(!model);
    CHECK(model.error().code == Errc::bad_split);
    CHECK(model.error().subject == whole.path(1).string());
}

TEST_CASE("a shard whose name is not that of a shard") {
    const SplitModel split(3);
    for (const std::string wrong :
         {"model.gguf", "model-00001-of-00003", "model-00001-of-00003.bin", "model-1-of-3.gguf",
          "model-00002-of-00003x.gguf", "00001-of-00003.gguf", "model-00001-of-00004.gguf", "model_00001-of-00003.gguf",
          "model-99999999999999999999-of-00003.gguf"}) {
        CAPTURE(wrong);
        const TemporaryFolder folder;
        fs::copy_file(split.path(0), folder / wrong);
        const auto model = Model::open(folder / wrong);
        REQUIRE(!model);
        CHECK(model.error().code == Errc::bad_split);
        CHECK(model.error().rule == "GGUF-R043");
        CHECK(model.error().subject == folder / wrong);
        CHECK(Model::open(folder / wrong, {.follow_shards = false}));
    }
}

TEST_CASE("a shard that cannot be read, or is broken, is named") {
    SplitModel split(3);
    write_file(split.path(1), "");
    auto model = Model::open(split.path(2));
    REQUIRE(!model);
    CHECK(model.error().code == Errc::truncated);
    CHECK(model.error().subject.starts_with(split.path(1).string()));

    write_file(split.path(1), TensorFile(little_v3, {{.name = "t", .ne = {8}}}, 31));
    model = Model::open(split.path(0));
    REQUIRE(!model);
    CHECK(model.error().code == Errc::data_past_eof);
    CHECK(model.error().subject == split.path(1).string() + ": tensor 't'");

    fs::remove(split.path(1));
    fs::create_directory(split.path(1));
    model = Model::open(split.path(0));
    REQUIRE(!model);
    CHECK(model.error().code == Errc::io_open);
    CHECK(model.error().subject == split.path(1).string());
}

TEST_CASE("a tensor that two shards have") {
    SplitModel split(3);
    split.tell(2, [](Shard& shard) { shard.tensors[1] = "0.b"; });
    split.check_refused(Errc::dup_tensor, {"GGUF-R045", split.path(2).string(), "tensor '0.b'"});
    CHECK(Model::open(split.path(2), {.follow_shards = false}));
}

TEST_CASE("a total of tensors that is wrong") {
    for (const std::uint64_t liar : {0u, 1u, 2u}) {
        for (const std::int64_t wrong : {0, 5, 7}) {
            SplitModel split(3);
            split.tell(liar, [&](Shard& shard) { shard.tensor_count = wrong; });
            split.check_refused(Errc::bad_split, {"GGUF-R044", "key 'split.tensors.count'", split.path(liar).string()});
            CHECK(Model::open(split.path(liar), {.follow_shards = false}));
        }
    }
}

TEST_CASE("keys of shards that cannot be") {
    const TemporaryFolder folder;
    const auto refused = [&](std::string_view key, Value value) {
        SmallModel model;
        model.set("split.no", Value::of_unsigned(ValueType::uint16, 0));
        model.set("split.count", Value::of_unsigned(ValueType::uint16, 2));
        model.tensor("t", TensorType::F32, {1}).set(key, std::move(value));
        // Laid down by hand: the writer refuses it too.
        Bytes bytes(little_v3, 0, 2);
        for (const auto& [name, number] : model.metadata) {
            bytes.key(name, number.type());
            for (const std::byte byte : number.view().bytes()) bytes.u8(static_cast<std::uint8_t>(byte));
        }
        write_file(folder / "model-00001-of-00002.gguf", bytes);
        const auto opened = Model::open(folder / "model-00001-of-00002.gguf");
        return opened ? std::string() : std::string(opened.error().rule);
    };
    CHECK(refused("split.no", Value::of_unsigned(ValueType::uint16, 2)) == "GGUF-R042");
    CHECK(refused("split.no", Value::of_signed(ValueType::int16, -1)) == "GGUF-R042");
    CHECK(refused("split.no", Value::of_string("0")) == "GGUF-R042");
    CHECK(refused("split.count", Value::of_signed(ValueType::int32, -2)) == "GGUF-R042");
    CHECK(refused("split.count", Value::of_float32(2)) == "GGUF-R042");
    CHECK(refused("split.count", Value::of_unsigned(ValueType::uint64, std::uint64_t{1} << 40)) == "GGUF-R043");
}
