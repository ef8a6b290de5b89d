#include "requant/read_back.hpp"

#include <algorithm>
#include <string>

namespace ggufkit::requant {

Result<void> read_back(const std::filesystem::path& path, const Plan& plan, std::uint32_t file) {
    const auto wrong = [&](const std::string& detail) {
        return fail({.code = Errc::io_write, .subject = path.string(), .detail = "does not read back: " + detail});
    };
    const auto written = Model::open(path, {.follow_shards = false});
    if (!written) return wrong(written.error().message());
    const ModelView& view = written->header();
    auto found = view.tensors().begin();
    for (const PlannedTensor& planned : std::ranges::equal_range(plan.tensors, file, {}, &PlannedTensor::file)) {
        const bool there = found != view.tensors().end() && found->name == planned.name && found->ne == planned.ne &&
                           found->type_id == format_of(planned.to).id &&
                           view.data_offset() + found->offset == planned.offset;
        if (!there) return wrong("the tensors are not as planned");
        ++found;
    }
    if (found != view.tensors().end()) return wrong("there are more tensors than planned");
    return {};
}

}  // namespace ggufkit::requant
