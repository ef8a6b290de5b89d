// The types that llama.cpp wants for the keys that it reads. tests/reference asks the real one.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <ggufkit/validate.hpp>
#include <ggufkit/writer.hpp>

#include "container/llama_keys.hpp"
#include "container/verdict.hpp"
#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using container::Arrays;
using container::LlamaKey;

namespace {

constexpr std::array scalars{ValueType::uint8,   ValueType::int8,    ValueType::uint16,  ValueType::int16,
                             ValueType::uint32,  ValueType::int32,   ValueType::uint64,  ValueType::int64,
                             ValueType::float32, ValueType::float64, ValueType::boolean, ValueType::string};

// A file of an architecture with one more key, whose value is zero or empty.
struct OneKey {
    Bytes file;
    std::uint64_t place;

    OneKey(std::string_view architecture, std::string_view key, ValueType type, bool array)
        : file(little_v3, 0, 2), place(0) {
        file.entry("general.architecture", architecture);
        place = file.key(key, array ? ValueType::array : type).value;
        if (array) {
            file.array(type, 0);
        } else if (type == ValueType::string) {
            file.string("");
        } else {
            file.fill(fixed_size(type));
        }
    }
    std::string refused() const { return error(Errc::bad_semantics, place); }
};

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

}  // namespace

TEST_CASE("the architectures of a key are whole names, each of which reads it") {
    for (const LlamaKey& row : container::llama_keys()) {
        CAPTURE(row.key);
        for (std::string_view rest = row.architectures; !rest.empty();) {
            const std::string_view name = first_word(rest);
            CAPTURE(name);
            REQUIRE(!name.empty());
            CHECK_FALSE((name.starts_with('-') || name.ends_with('-')));
            const std::string key = (row.key.starts_with('.') ? std::string(name) : "") + std::string(row.key);
            CHECK(container::find_llama_key(key, name) != nullptr);
            rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        }
    }
    CHECK(container::find_llama_key("gpt-oss.attention.layer_norm_rms_epsilon", "gpt-oss") != nullptr);
}

TEST_CASE("K36 every key that llama.cpp reads has the one type that it reads") {
    for (const LlamaKey& row : container::llama_keys()) {
        const std::string_view architecture = row.architectures.empty() ? "llama" : first_word(row.architectures);
        const std::string key = (row.key.starts_with('.') ? std::string(architecture) : "") + std::string(row.key);
        if (key == "split.no" || key == "split.count" || key == "split.tensors.count") continue;  // R042 has a say
        CAPTURE(key);
        for (const ValueType type : scalars) {
            CAPTURE(name(type));
            const OneKey single(architecture, key, type, false);
            CHECK(findings(single.file) == "");
            const bool sound = type == row.type && row.arrays != Arrays::only;
            CHECK(findings(single.file, as_llama) == (sound ? "" : single.refused()));
            const OneKey array(architecture, key, type, true);
            if (row.arrays == Arrays::none) CHECK(findings(array.file, as_llama) == array.refused());
            if (row.arrays != Arrays::none && type == row.type) CHECK(findings(array.file, as_llama) == "");
            if (type == ValueType::string && row.type != type) CHECK(findings(array.file, as_llama) == array.refused());
        }
    }
    CHECK(container::llama_keys().size() > 150);
}

TEST_CASE("K36 what is wrong is said with the type that is due") {
    const OneKey model("llama", "llama.block_count", ValueType::uint64, false);
    const auto view = parse(model.file);
    REQUIRE(view);
    const Report report = validate(*view, as_llama);
    REQUIRE(report.diagnostics.size() == 1);
    CHECK(report.diagnostics[0].error.subject == "key 'llama.block_count'");
    CHECK(report.diagnostics[0].error.detail == "is u64; llama.cpp wants u32");
    CHECK(report.diagnostics[0].error.rule == "GGUF-R057");
}

TEST_CASE("K36 keys that llama.cpp does not read may be anything") {
    const auto accepted = [](std::string_view architecture, std::string_view key) {
        return findings(OneKey(architecture, key, ValueType::uint64, false).file, as_llama) == "";
    };
    CHECK(accepted("llama", "llama.ssm.inner_size"));
    CHECK(!accepted("mamba", "mamba.ssm.inner_size"));
    CHECK(accepted("llama", "mamba.ssm.inner_size"));
    CHECK(accepted("llama", "llama.of_my_own"));
    CHECK(accepted("llama", "general.quantization_version"));
    CHECK(accepted("clip", "clip.block_count"));
    // The LoRA loader reads other keys than the loader of models.
    Bytes adapter(little_v3, 0, 3);
    adapter.entry("general.type", "adapter");
    adapter.entry("general.architecture", "llama");
    adapter.entry("llama.block_count", std::uint64_t{1});
    CHECK(findings(adapter, as_llama) == "");
}
