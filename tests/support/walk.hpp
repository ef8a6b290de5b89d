// What has to be safe with any view that parse() accepted, and what has to hold for one that validate() accepted. Used
// by the mutation tests and the fuzz targets.
#pragma once

#include <cstdint>
#include <ggufkit/model.hpp>
#include <string>

namespace ggufkit::test {

// Asks a view for everything it has and reads every byte of it. The sum is of no interest except that it is read.
std::uint64_t walk(const ModelView& view);

// An accepted file's tensors lie inside the file, aligned, disjoint, and of exactly the size that shape and type give.
// Returns what is broken, in arithmetic of its own that cannot wrap; "" where all is well.
std::string broken_invariant(const ModelView& view);

}  // namespace ggufkit::test
