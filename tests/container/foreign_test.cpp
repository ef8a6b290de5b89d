// Files that are not GGUF are recognized, and nothing else is taken for one of them.
#include <doctest/doctest.h>

#include <ggufkit/model.hpp>
#include <ggufkit/quant/imatrix.hpp>

#include "container/foreign.hpp"
#include "container/role.hpp"
#include "support/files.hpp"
#include "support/foreign_files.hpp"
#include "support/must.hpp"
#include "support/seeds.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using container::Role;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string sentence(const ForeignFile& file, std::string_view wanted) {
    return "this is " + std::string(file.what) + ", not " + std::string(wanted) + "; ";
}

Role role_of(const Header& header) { return container::role_of(must(parse(must(write_to_memory(header, {}))))); }

}  // namespace

TEST_CASE("a file that is not GGUF is called what it is, with what to do") {
    for (const ForeignFile& file : foreign_files()) {
        CAPTURE(file.name);
        const auto found = container::recognize(bytes_of(file.bytes));
        REQUIRE(found);
        CHECK(found->what == file.what);
        CHECK(found->old_imatrix == file.old_imatrix);
        CHECK(found->advice.find(file.advice) != std::string_view::npos);

        const auto model = parse(bytes_of(file.bytes));
        REQUIRE_FALSE(model);
        CHECK(model.error().code == (file.bytes.empty() ? Errc::truncated : Errc::bad_magic));
        CHECK(model.error().detail.starts_with(sentence(file, "a GGUF file")));

        const auto imatrix = Imatrix::parse(bytes_of(file.bytes));
        CHECK(imatrix.has_value() == file.old_imatrix);
        if (!imatrix) CHECK(imatrix.error().detail.starts_with(sentence(file, "an importance matrix")));
    }
}

TEST_CASE("what looks like nothing known is not guessed at") {
    CHECK(parse(bytes_of("\xff\xfe\xfd\xfc\xfb")).error().detail == "this is not a GGUF file");
    CHECK(Imatrix::parse(bytes_of("\xff\xfe\xfd\xfc\xfb")).error().detail == "this is not an importance matrix");
    for (const Seed& seed : seeds()) {
        CAPTURE(seed.name);
        const std::span<const std::byte> bytes = seed.bytes;
        const bool is_gguf = bytes.size() >= 4 && std::ranges::equal(bytes.first(4), bytes_of("GGUF"));
        if (is_gguf) CHECK_FALSE(container::recognize(bytes));
    }
}

TEST_CASE("any part of such a file is looked at without reading past its end") {
    for (const ForeignFile& file : foreign_files()) {
        for (std::size_t size = 0; size < std::min<std::size_t>(file.bytes.size(), 600); ++size) {
            const std::vector<std::byte> part(bytes_of(file.bytes).begin(),
                                              bytes_of(file.bytes).begin() + static_cast<std::ptrdiff_t>(size));
            const auto found = container::recognize(part);
            CHECK((!found || (!found->what.empty() && !found->advice.empty())));
        }
    }
}

TEST_CASE("a folder in place of a file: the model in it is named, or the checkpoint") {
    const TemporaryFolder folder;
    const auto detail = [&] {
        const auto model = Model::open(folder.path());
        REQUIRE_FALSE(model);
        CHECK(model.error().code == Errc::io_open);
        CHECK(Imatrix::open(folder.path()).error().detail == model.error().detail);
        return model.error().detail;
    };
    CHECK(detail() == "is a folder; name a GGUF file");
    write_file(folder / "model-00001-of-00002.safetensors", "x");
    CHECK(detail().starts_with("is the folder of a checkpoint, not a GGUF file; convert "));
    for (const char* name : {"b.gguf", "a.gguf"}) write_file(folder / name, "x");
    CHECK(detail() == "is a folder; name a file in it, such as a.gguf");
}

TEST_CASE("what a GGUF file is for") {
    const auto with = [](std::string_view key, std::string_view value) {
        Header header;
        header.set("general.architecture", Value::of_string("llama"));
        header.set(key, Value::of_string(value));
        return role_of(header);
    };
    CHECK(with("general.name", "adapter") == Role::model);
    CHECK(with("general.type", "model") == Role::model);
    CHECK(with("general.type", "adapter") == Role::adapter);
    CHECK(with("adapter.type", "lora") == Role::adapter);
    CHECK(with("general.type", "mmproj") == Role::projector);
    CHECK(with("general.architecture", "clip") == Role::projector);
    CHECK(with("general.type", "imatrix") == Role::imatrix);
    CHECK(with("general.architecture", "controlvector") == Role::control_vector);

    Header vocabulary;
    vocabulary.set("tokenizer.ggml.tokens", Value::of_strings(std::vector<std::string>{"a"}));
    CHECK(role_of(vocabulary) == Role::vocabulary);
    vocabulary.set("split.no", Value::of_unsigned(ValueType::uint16, 0));
    vocabulary.set("split.count", Value::of_unsigned(ValueType::uint16, 2));
    CHECK(role_of(vocabulary) == Role::model);
    // Old files say nothing but the names of their tensors.
    CHECK(container::role_of(must(parse(bare_llama().weights("a.weight.lora_a", TensorType::F32, {4}).bytes()))) ==
          Role::adapter);
    CHECK(container::role_of(must(parse(bare_llama().weights("a.weight.in_sum2", TensorType::F32, {4}).bytes()))) ==
          Role::imatrix);
}
