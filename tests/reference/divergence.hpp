// KL divergence as the reference's runtime measures it.
#pragma once

#include <string>
#include <vector>

namespace ggufkit::test {

// The mean divergence of what each of `files` predicts from what `base` does, over the first `chunks` times 128 tokens of a text. The base
// is run once. Fails the test where fewer than 4,000 tokens are judged.
std::vector<double> divergences(const std::string& base, const std::string& text, int chunks,
                                const std::vector<std::string>& files);

double geometric_mean(const std::vector<double>& ratios);

}  // namespace ggufkit::test
