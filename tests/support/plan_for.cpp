#include "support/plan_for.hpp"

#include <string>

#include "support/must.hpp"

namespace ggufkit::test {

Plan plan_for(const Model& model, const Types& types, ByteOrder order) {
    Header header = must(Header::from(model.header()));
    header.byte_order = order;
    header.tensors.clear();
    Plan plan;
    plan.model = model.identity();
    plan.file_type = find_file_type("Q4_K_M");
    plan.byte_order = order;
    for (const auto& [info, shard] : model.tensors()) {
        const TensorType from = info->format->type();
        const auto wanted = types.find(std::string(info->name));
        const TensorType to = wanted == types.end() ? from : wanted->second;
        header.tensors.push_back({std::string(info->name), info->n_dims, info->ne, to});
        plan.tensors.push_back({.name = std::string(info->name),
                                .source = plan.tensors.size(),
                                .from = from,
                                .to = to,
                                .n_dims = info->n_dims,
                                .ne = info->ne,
                                .bytes_in = must(info->bytes()),
                                .bytes_out = 0,
                                .offset = 0,
                                .reason = {}});
    }
    plan.files = {must(make_layout(header))};
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        plan.tensors[i].bytes_out = plan.files[0].sizes[i];
        plan.tensors[i].offset = plan.files[0].offsets[i];
    }
    return plan;
}

}  // namespace ggufkit::test
