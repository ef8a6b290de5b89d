#include "requant/read_back.hpp"

#include <algorithm>
#include <string>

namespace ggufkit::requant {

Result<void> read_back(const std::filesystem::path& path, const Plan& plan) {
    const auto wrong = [&](const std::string& detail) {
        return fail({.code = Errc::io_write, .subject = path.string(), .detail = "does not read back: " + detail});
    };
    const auto written = Model::open(path, {.follow_shards = false});
    if (!written) return wrong(written.error().message());
    const ModelView& view = written->header();
    const auto as_planned = [&](const TensorInfo& found, const PlannedTensor& planned) {
        return found.name == planned.name && found.ne == planned.ne && found.type_id == format_of(planned.to).id &&
               view.data_offset() + found.offset == planned.offset;
    };
    if (!std::ranges::equal(view.tensors(), plan.tensors, as_planned)) return wrong("the tensors are not as planned");
    return {};
}

}  // namespace ggufkit::requant
