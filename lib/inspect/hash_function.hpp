// Hash functions of libraries behind one face.
#pragma once

#include <cstddef>
#include <ggufkit/inspect/manifest.hpp>
#include <memory>
#include <span>
#include <string>

namespace ggufkit::inspect {

class HashFunction {
  public:
    // UNSUPPORTED where the system's OpenSSL does not have it (SHA-1, where a policy forbids it).
    static Result<std::unique_ptr<HashFunction>> make(HashKind kind);

    virtual ~HashFunction() = default;
    virtual void add(std::span<const std::byte> bytes) = 0;
    // As programs print it: numbers of XXH in big-endian order.
    virtual std::string hex() const = 0;
};

}  // namespace ggufkit::inspect
