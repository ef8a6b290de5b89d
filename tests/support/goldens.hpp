// Goldens: what tests expect, kept in the repository and compared whole; as files where a person can read them, as hashes
// where nobody could.
//
// With GGUFKIT_UPDATE_GOLDENS in the environment a test writes what it found before it compares, so that `git diff` shows
// what has changed:
//
//     GGUFKIT_UPDATE_GOLDENS=1 build/bin/test-info
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/format.hpp>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::test {

// The content of a golden file; its path is below the root of the sources. Another test keeps it up to date.
std::string golden(const std::string& path);

// The same for the test that keeps it up to date, which found this.
std::string golden(const std::string& path, std::string_view found);

// The golden of a screen, STEM-W.txt of the largest W that is no more than `columns`: every width is compared, but a width
// has a file of its own only if its screen is another than the one before. Goes through the widths from narrow to wide.
std::string golden_screen(const std::string& stem, int columns, std::string_view found);

// Checks that a folder has these files, which are made by the test, and no others but "found-…", by fuzzing.
void check_golden_folder(const std::string& folder, const std::map<std::string, std::string>& files);

struct Golden {
    TensorType type;
    std::uint64_t hash;  // XXH3-64
};

std::uint64_t hash_of(std::span<const std::byte> bytes);

// Checks the bytes of each type. Where they differ, the message is the line to put into the table.
void check_goldens(std::span<const Golden> goldens, const std::function<std::vector<std::byte>(TensorType)>& bytes);

// What the reference decodes `golden_blocks` random_blocks() to, with the type's id as seed: floats, little-endian.
// tests/reference/dequant_test.cpp holds them to the reference, tests/quant/dequant_test.cpp holds the library to them.
inline constexpr std::size_t golden_blocks = 64;
std::span<const Golden> dequantize_goldens();

}  // namespace ggufkit::test
