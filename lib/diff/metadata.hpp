// Which keys differ.
#pragma once

#include <ggufkit/diff.hpp>
#include <vector>

namespace ggufkit::diff {

std::vector<KeyChange> compare_metadata(const ModelView& a, const ModelView& b, const DiffOptions& options);

}  // namespace ggufkit::diff
