// Models compared in the plainest way: whole tensors, summed in long doubles.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/imatrix.hpp>
#include <string>
#include <vector>

namespace ggufkit::test {

// Fails the test where the file cannot be opened.
Model open_model(const std::filesystem::path& path);

// Writes `source` in file type `type` to `output`, in shards of `shard_tensors` tensors where that is not 0.
void requantize(const std::filesystem::path& source, const std::string& type, const std::filesystem::path& output,
                std::uint64_t shard_tensors = 0);

// The tensors that both models have and whose values can be compared.
std::vector<TensorPair> pairs_of(const Model& a, const Model& b);

// Checks that a sum is as wanted, but for the order of its terms.
void check_close(double ours, double wanted);

// Checks compare_values() of two files against plain sums.
void check_files(const std::filesystem::path& path_a, const std::filesystem::path& path_b,
                 const Imatrix* imatrix = nullptr);

}  // namespace ggufkit::test
