// Models that are all header: the metadata and tensor shapes of well-known families, with a hole for data. They are for
// tests of planning, which reads nothing else, and cost a few kilobytes of disk whatever they claim to hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/model.hpp>
#include <ggufkit/writer.hpp>

namespace ggufkit::test {

class SyntheticModel {
  public:
    // `weights` is the type of matrices; F16 where a row is not a whole number of its blocks.
    explicit SyntheticModel(std::string_view architecture, TensorType weights = TensorType::F16);

    // Keys are without the architecture: "block_count".
    SyntheticModel& set(std::string_view key, std::uint32_t value);
    SyntheticModel& set(std::string_view key, float value);
    SyntheticModel& set(std::string_view key, bool value);
    SyntheticModel& set(std::string_view key, const std::vector<std::uint32_t>& values);
    SyntheticModel& matrix(std::string_view name, std::initializer_list<std::uint64_t> ne);
    SyntheticModel& vector(std::string_view name, std::uint64_t ne0);  // F32, as norms and biases are
    SyntheticModel& tensor(std::string_view name, std::initializer_list<std::uint64_t> ne, TensorType type);

    Header& header() { return header_; }
    const std::string& architecture() const { return architecture_; }

    // Writes the header and a hole.
    void save(const std::filesystem::path& path) const;

  private:
    std::string architecture_;
    TensorType weights_;
    Header header_;
};

struct Shape {
    std::string_view name;  // "llama-3-8b"
    std::function<SyntheticModel(TensorType weights)> make;
    bool reference_aborts = false;  // llama.cpp asks for heads that the model has not, in most file types
};

// One for every fork in the recipes: heads, experts, tied embeddings, fused attention, odd widths, other families.
const std::vector<Shape>& shapes();
SyntheticModel make_shape(std::string_view name, TensorType weights = TensorType::F16);

}  // namespace ggufkit::test
