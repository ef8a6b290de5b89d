// Files in tests: a folder of a test's own, and whole files read and written in one call. Whatever fails throws, which
// fails the test: two files that are both missing are never equal.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::test {

// Gone with the test.
class TemporaryFolder {
  public:
    TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();

    const std::filesystem::path& path() const { return path_; }
    std::string operator/(const std::string& name) const;

  private:
    std::filesystem::path path_;
};

std::string read_text(const std::filesystem::path& path);
std::vector<std::byte> read_bytes(const std::filesystem::path& path);

// Replaces what is there.
void write_file(const std::filesystem::path& path, std::string_view text);
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

// The names of what a folder has, sorted.
std::vector<std::string> names_in(const std::filesystem::path& folder);

}  // namespace ggufkit::test
