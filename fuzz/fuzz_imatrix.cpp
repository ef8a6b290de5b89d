// Any bytes: reading them as an importance matrix returns; what was accepted is in order, finite and not negative, and
// no larger than its file.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ggufkit/quant/imatrix.hpp>
#include <span>

using namespace ggufkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto imatrix = Imatrix::parse(std::as_bytes(std::span(data, size)));
    if (!imatrix) return imatrix.error().message().empty() ? (std::abort(), 0) : 0;
    std::size_t numbers = 0;
    bool sound = std::ranges::is_sorted(imatrix->entries(), {}, &Imatrix::Entry::tensor);
    for (const auto& [tensor, weights, unseen, made_from] : imatrix->entries()) {
        numbers += weights.size();
        const auto found = imatrix->find(tensor);
        sound = sound && made_from.empty() && std::ranges::is_sorted(unseen) && found.data() == weights.data() &&
                !weights.empty() &&
                std::ranges::all_of(weights, [](float weight) { return std::isfinite(weight) && weight >= 0; });
    }
    if (!sound || numbers * sizeof(float) > size) {
        std::fprintf(stderr, "accepted, but broken\n");
        std::abort();
    }
    return 0;
}
