#include "reference/divergence.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

#include "reference/oracle.hpp"

namespace ggufkit::test {

std::vector<double> divergences(const std::string& base, const std::string& text, int chunks,
                                const std::vector<std::string>& files) {
    std::vector<std::string> arguments{base, text, std::to_string(chunks)};
    arguments.insert(arguments.end(), files.begin(), files.end());
    const auto judged = judge(arguments);
    REQUIRE_MESSAGE(judged.exit_code == 0, judged.err);
    std::vector<double> kld;
    std::istringstream lines(judged.text());
    std::string file;
    int tokens = 0;
    for (double mean = 0, agreement = 0, base_perplexity = 0, own = 0;
         lines >> file >> tokens >> mean >> agreement >> base_perplexity >> own;) {
        REQUIRE(file == files[kld.size()]);
        REQUIRE(tokens >= 4000);
        kld.push_back(mean);
    }
    REQUIRE(kld.size() == files.size());
    return kld;
}

double geometric_mean(const std::vector<double>& ratios) {
    double sum = 0;
    for (const double ratio : ratios) sum += std::log(ratio);
    return std::exp(sum / static_cast<double>(ratios.size()));
}

}  // namespace ggufkit::test
