// The two forms of importance matrix files: spec/imatrix.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/imatrix.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"

namespace ggufkit::imatrix {

constexpr std::string_view wanted = "an importance matrix";

// The form of 2025 and later: GGUF. `view` has no structural errors. Errors as Imatrix::parse().
Result<Imatrix> read_gguf(const ModelView& view);

// The older form, without a magic number. Errors as Imatrix::parse().
Result<Imatrix> read_older(std::span<const std::byte> bytes);

tl::unexpected<Error> fault(Errc code, std::string subject, std::string detail,
                            std::optional<std::uint64_t> offset = {});

// BAD_SEMANTICS names the first value that is negative, NaN or infinite; `offset` is the first value's place in the file.
Result<void> check_weights(const std::string& subject, std::span<const float> values,
                           std::optional<std::uint64_t> offset = {});

std::vector<float> floats(std::span<const std::byte> bytes, ByteOrder order);

}  // namespace ggufkit::imatrix
