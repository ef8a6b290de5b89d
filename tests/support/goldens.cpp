#include "support/goldens.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "support/files.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit::test {

namespace fs = std::filesystem;

namespace {

bool updating() { return std::getenv("GGUFKIT_UPDATE_GOLDENS") != nullptr; }

fs::path full(const std::string& path) { return fs::path(GGUFKIT_SOURCE_DIR) / path; }

std::string screen_path(const std::string& stem, int columns) { return fmt::format("{}-{}.txt", stem, columns); }

// The widest screen that has a file and is no wider than this.
std::optional<int> widest(const std::string& stem, int columns) {
    for (; columns > 0; --columns) {
        if (fs::exists(full(screen_path(stem, columns)))) return columns;
    }
    return std::nullopt;
}

}  // namespace

std::string golden(const std::string& path) { return read_text(full(path)); }

std::string golden(const std::string& path, std::string_view found) {
    if (updating()) write_file(full(path), found);
    return golden(path);
}

std::string golden_screen(const std::string& stem, int columns, std::string_view found) {
    if (updating()) {
        fs::remove(full(screen_path(stem, columns)));
        const auto narrower = widest(stem, columns);
        if (!narrower || golden(screen_path(stem, *narrower)) != found) {
            write_file(full(screen_path(stem, columns)), found);
        }
    }
    const auto kept = widest(stem, columns);
    REQUIRE_MESSAGE(kept, screen_path(stem, columns));
    return golden(screen_path(stem, *kept));
}

void check_golden_folder(const std::string& folder, const std::map<std::string, std::string>& files) {
    for (const auto& [name, content] : files) {
        CAPTURE(name);
        CHECK((golden(folder + "/" + name, content) == content));
    }
    for (const std::string& name : names_in(full(folder))) {
        CAPTURE(name);
        CHECK((files.contains(name) || name.starts_with("found-")));
    }
}

std::uint64_t hash_of(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void check_goldens(std::span<const Golden> goldens, const std::function<std::vector<std::byte>(TensorType)>& bytes) {
    for (const auto& [type, hash] : goldens) {
        const std::uint64_t found = hash_of(bytes(type));
        CHECK_MESSAGE(found == hash, fmt::format("{{{}, {:#018x}}}", format_of(type).name, found));
    }
}

std::span<const Golden> dequantize_goldens() {
    using enum TensorType;
    static constexpr Golden goldens[] = {
        {F32, 0xe919df1f28640a88},     {F16, 0x5363be7d05a52458},    {Q4_0, 0xb76e7c5f78c50831},
        {Q4_1, 0x886a3bce84dd42ab},    {Q5_0, 0xf76fe1aba4a02329},   {Q5_1, 0xb28db2528d52c885},
        {Q8_0, 0xb383556e936e84ed},    {Q2_K, 0xe6511e339d59551b},   {Q3_K, 0x5d512284bacb17bd},
        {Q4_K, 0x6bc523e02686301e},    {Q5_K, 0xd7a7bc7ef62a4869},   {Q6_K, 0x6444d3506b6c30ec},
        {IQ2_XXS, 0xe361c04e3c35ce99}, {IQ2_XS, 0x097560cc1f4f54c5}, {IQ3_XXS, 0x20894611f0a5074c},
        {IQ1_S, 0x7835e3dabe190f83},   {IQ4_NL, 0xf717efeb0d7e107a}, {IQ3_S, 0xe29bd03e8d0a6ba1},
        {IQ2_S, 0x0b1f73eb89942a0f},   {IQ4_XS, 0x1d954250acda4785}, {IQ1_M, 0xe26041ee0fb3b7a4},
        {BF16, 0x4c465398fa0b5fbd},    {TQ1_0, 0x3ff9503f4e3c9e87},  {TQ2_0, 0x7107275c825c9c90},
        {MXFP4, 0x91623d0d0d5507fa},   {NVFP4, 0x3d2c75803c3c4af0},  {Q1_0, 0x0f3526cabd262a9f},
        {Q2_0, 0xb8422dfbad30573e},
    };
    return goldens;
}

}  // namespace ggufkit::test
