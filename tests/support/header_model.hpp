// Models that are all header: metadata and tensor shapes, and a hole for data. They are for tests of planning, which reads
// nothing else, and of long work on zeros; whatever they claim to hold, they cost a few kilobytes of disk. small_model.hpp
// has models with data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/model.hpp>
#include <ggufkit/writer.hpp>

namespace ggufkit::test {

class HeaderModel {
  public:
    // `weights` is the type of matrices; F16 where a row is not a whole number of its blocks.
    explicit HeaderModel(std::string_view architecture, TensorType weights = TensorType::F16);

    // Keys are without the architecture: "block_count".
    HeaderModel& set(std::string_view key, std::uint32_t value);
    HeaderModel& set(std::string_view key, float value);
    HeaderModel& set(std::string_view key, bool value);
    HeaderModel& set(std::string_view key, const std::vector<std::uint32_t>& values);
    HeaderModel& matrix(std::string_view name, std::initializer_list<std::uint64_t> ne);
    HeaderModel& vector(std::string_view name, std::uint64_t ne0);  // F32, as norms and biases are
    HeaderModel& tensor(std::string_view name, std::initializer_list<std::uint64_t> ne, TensorType type);

    Header& header() { return header_; }
    const Header& header() const { return header_; }
    const std::string& architecture() const { return architecture_; }

    // Writes the header and a hole.
    void save(const std::filesystem::path& path) const;

  private:
    std::string architecture_;
    TensorType weights_;
    Header header_;
};

}  // namespace ggufkit::test
