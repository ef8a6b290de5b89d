#include <ggufkit/requant/report.hpp>

#include "plan/totals.hpp"

namespace ggufkit {

std::vector<QualityTotal> totals(const Plan& plan, const QualityReport& report, Grouping grouping) {
    return plan::totals<QualityTotal>(
        plan.tensors.size(), grouping, [&](std::size_t i) -> std::string_view { return plan.tensors[i].name; },
        [&](std::size_t i) { return format_of(plan.tensors[i].to).name; },
        [&](QualityTotal& total, std::size_t i) {
            const PlannedTensor& tensor = plan.tensors[i];
            const TensorQuality& quality = report.tensors[i];
            total.measured += quality.measured ? 1 : 0;
            total.bytes_in += tensor.bytes_in;
            total.bytes_out += tensor.bytes_out;
            total.seconds += quality.seconds;
            total.sums.add(quality.sums);
        });
}

}  // namespace ggufkit
