#include "target/sensitivity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ggufkit/quant/quantize.hpp>
#include <map>

#include "core/parallel.hpp"
#include "core/try.hpp"
#include "plan/header.hpp"
#include "plan/roles.hpp"
#include "target/spread.hpp"
#include "tensor/reader.hpp"

namespace ggufkit::target {

namespace {

using plan::block_of;
using plan::Role;
using plan::role_of;

// The divergence that an error in the residual stream as large as the stream would make if it went on growing like that of a
// small one.
constexpr double of_stream = 0.1;

enum class Part : std::uint8_t { none, attention, ffn };

struct RoleWeight {
    Role role;
    Part part;
    double in_part;  // how much an error counts beside one of the matrix that writes to the stream
    double alone;    // of the whole, where it is not known what the part adds: the geometric mean of some layers
};

// Measured: one tensor of a trained model at a time was quantized, and the divergence divided by the relative error.
constexpr std::array weights{
    RoleWeight{Role::output, Part::none, 0, 0.6},          RoleWeight{Role::token_embd, Part::none, 0, 0.13},
    RoleWeight{Role::attn_v, Part::attention, 1, 0.006},   RoleWeight{Role::attn_k, Part::attention, 0.7, 0.004},
    RoleWeight{Role::attn_q, Part::attention, 0.5, 0.003}, RoleWeight{Role::attn_output, Part::attention, 1, 0.006},
    RoleWeight{Role::ffn_up, Part::ffn, 0.6, 0.006},       RoleWeight{Role::ffn_gate, Part::ffn, 0.9, 0.009},
    RoleWeight{Role::ffn_down, Part::ffn, 1, 0.01},        RoleWeight{Role::other, Part::none, 0, 0.006},
};

// The first layers write what the others build on; often a few huge numbers.
constexpr double first_layers_attention = 2, first_layers_ffn = 4;

const RoleWeight& weight_of(Role role) { return *std::ranges::find(weights, role, &RoleWeight::role); }

// Of each matrix that writes to the stream, so many weights are looked at.
constexpr std::uint64_t most_weights = 1 << 20;

// What one tensor adds to the stream of each token: its mean square summed over the stream's width.
struct Contribution {
    Part part;            // none: the embeddings
    std::uint64_t layer;  // in the output
    const ModelTensor* tensor;
    std::span<const float> importance;  // of its input; empty: ones
    double energy = 0;
};

// The mean over tokens of the squared length of the output, if the inputs of different columns are not correlated. Of a large
// tensor some rows stand for all.
Result<double> output_energy(const Model& model, const Contribution& of) {
    const TensorInfo& info = *of.tensor->info;
    const std::uint64_t matrices = info.ne[2] * info.ne[3];
    const std::uint64_t rows = info.ne[1] * matrices;
    const auto sample = spread(most_weights / info.ne[0], rows);
    if (sample.empty()) return 0;
    TRY_LET(const auto reader, tensor::Reader::open(model, *of.tensor, {.via = tensor::Via::read}));
    tensor::Workspace workspace;
    double sum = 0;
    for (const std::uint64_t row : sample) {
        for (std::uint64_t first = 0; first < info.ne[0]; first += most_columns) {
            const tensor::Range range{row * info.ne[0] + first, std::min(most_columns, info.ne[0] - first)};
            TRY_LET(const auto values, reader.values(range, workspace, tensor::Check::finite));
            const float* w = of.importance.empty() ? nullptr : &of.importance[row / info.ne[1] * info.ne[0] + first];
            for (std::size_t i = 0; i < values.size(); ++i) {
                const double value = values[i];
                sum += (w != nullptr ? w[i] : 1.0) * (value * value);
            }
        }
    }
    return sum / static_cast<double>(matrices) * (static_cast<double>(rows) / static_cast<double>(sample.size()));
}

// Norms that scale what a part adds set its size, whatever the matrix before them makes.
const ModelTensor* norm_after(const Model& model, std::uint64_t source_layer, Part part) {
    const auto* attention = model.find_tensor(fmt::format("blk.{}.post_attention_norm.weight", source_layer));
    const auto* ffn = model.find_tensor(fmt::format("blk.{}.post_ffw_norm.weight", source_layer));
    if (attention == nullptr || ffn == nullptr) return nullptr;  // one alone is the norm before the next part
    const auto* norm = part == Part::attention ? attention : ffn;
    return can_dequantize(norm->info->format->type()) ? norm : nullptr;
}

std::vector<Contribution> list_contributions(const Model& model, const Plan& plan, const Imatrix& imatrix) {
    std::vector<Contribution> all;
    for (const PlannedTensor& tensor : plan.tensors) {
        const Role role = role_of(tensor.name, false).role;
        const auto layer = block_of(tensor.name);
        const ModelTensor* source = &model.tensors()[tensor.source];
        if (!can_dequantize(tensor.from) || source->info->ne[0] == 0) continue;
        if (tensor.name == "token_embd.weight") all.push_back({Part::none, 0, source, {}});
        if ((role != Role::attn_output && role != Role::ffn_down) || !layer) continue;
        if (!tensor.name.ends_with("weight")) continue;
        const Part part = weight_of(role).part;
        // Where blocks are pruned, names in the source have other numbers.
        const std::string_view source_name = source->info->name;
        if (const auto* norm = norm_after(model, block_of(source_name).value_or(*layer), part)) {
            const auto known = [&](const Contribution& c) { return c.tensor == norm; };
            if (std::ranges::none_of(all, known)) all.push_back({part, *layer, norm, {}});
            continue;
        }
        const auto importance = imatrix.find(source_name);
        const bool fits = importance.size() == tensor.ne[0] * tensor.ne[2] * tensor.ne[3];
        if (fits) all.push_back({part, *layer, source, importance});
    }
    return all;
}

// How much larger the embeddings are in the stream than in their matrix, squared.
double embedding_scale(const plan::ModelFacts& facts, const Model& model, const TensorInfo& embeddings) {
    if (facts.architecture.starts_with("gemma")) return static_cast<double>(embeddings.ne[0]);
    const double scale = model.header().get_float(facts.architecture + ".embedding_scale").value_or(1);
    return std::isfinite(scale) ? scale * scale : 1;
}

}  // namespace

Result<Sensitivities> Sensitivities::find(const Model& model, const Recipe& recipe, const Plan& plan, unsigned threads,
                                          const std::stop_token& stop) {
    Sensitivities made;
    TRY_LET(const auto metadata, plan::edit_metadata(model, recipe, plan::Label::of_recipe));
    made.facts_ = plan::read_facts(model, metadata.header);
    if (plan.imatrix == nullptr) return made;
    auto all = list_contributions(model, plan, *plan.imatrix);
    const auto sum = [&](std::size_t i, unsigned) -> Result<void> {
        TRY_LET(const auto energy, output_energy(model, all[i]));
        all[i].energy = energy;
        return {};
    };
    TRY(parallel_for(all.size(), threads, stop, sum));

    double stream = 0;
    std::map<std::uint64_t, Shares> added;
    for (const Contribution& c : all) {
        if (c.part == Part::none) {
            const TensorInfo& info = *c.tensor->info;
            stream = c.energy / static_cast<double>(info.ne[1]) * embedding_scale(made.facts_, model, info);
            continue;
        }
        (c.part == Part::attention ? added[c.layer].attention : added[c.layer].ffn) += c.energy;
    }
    for (const auto& [number, layer] : added) {
        const auto share = [&](double energy) {
            stream += energy;
            return stream > 0 ? energy / stream : 0;
        };
        const double attention = share(layer.attention);
        made.layers_[number] = {attention, share(layer.ffn)};
    }
    return made;
}

double Sensitivities::of(std::string_view tensor) const {
    const RoleWeight& weight = weight_of(role_of(tensor, facts_.tied).role);
    const auto layer = block_of(tensor);
    if (weight.role == Role::output && facts_.tied) return weight.alone + weight_of(Role::token_embd).alone;
    if (!layer || weight.part == Part::none) return weight.alone;
    if (const auto found = layers_.find(*layer); found != layers_.end()) {
        const double share = weight.part == Part::attention ? found->second.attention : found->second.ffn;
        if (share > 0) return of_stream * share * weight.in_part;
    }
    const bool first = *layer < std::max<std::uint64_t>(1, facts_.layers / 8);
    if (!first) return weight.alone;
    return weight.alone * (weight.part == Part::attention ? first_layers_attention : first_layers_ffn);
}

}  // namespace ggufkit::target
