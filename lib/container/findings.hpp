// Collecting what is wrong, at the severity that the profile gives each rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ggufkit/validate.hpp>

#include "container/rules.hpp"

namespace ggufkit::container {

class Findings {
  public:
    explicit Findings(const ValidateOptions& options) : options_(options) {}

    // What parse() refuses is an error in every profile.
    void add(Error fault) { report_.diagnostics.push_back({Severity::error, std::move(fault)}); }
    void add(R which, std::optional<std::uint64_t> offset, std::string subject, std::string detail);

    void about(R which, const TensorInfo& tensor, std::string detail) {
        add(which, tensor.info_offset, subject("tensor", tensor.name), std::move(detail));
    }
    void about_key(R which, const KeyValue& entry, std::string detail) {
        add(which, entry.offset, subject("key", entry.key), std::move(detail));
    }
    void about_value(R which, const KeyValue& entry, std::string detail) {
        add(which, entry.value.offset(), subject("key", entry.key), std::move(detail));
    }

    // In order of offset; those without one come first.
    Report take();

  private:
    ValidateOptions options_;
    Report report_;
};

}  // namespace ggufkit::container
