#include "plan/choose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "core/try.hpp"
#include "plan/facts.hpp"
#include "plan/roles.hpp"
#include "plan/rules.hpp"

namespace ggufkit::plan {

namespace {

// A tensor's place among those of its role, counted before any type is chosen.
struct Place {
    std::uint64_t order = 0;  // how many tensors of this role the mix met before
    std::uint64_t layer = 0;
    std::uint64_t layers = 0;  // that `layer` is one of
};

struct Verdict {
    TensorType type;
    std::string reason;
    std::optional<TensorType> wanted{};  // another type, where rows are no whole number of its blocks
};

struct Candidate {
    const TensorInfo* tensor;
    std::size_t source;
    std::string name;  // in the output
    std::optional<std::uint64_t> block;
    RoleName role;
    std::string kept{};               // why it is copied whatever the recipe; empty if it need not be
    std::optional<Verdict> forced{};  // by the user; nothing if the recipe decides
    Place place{};

    bool mixed() const { return kept.empty() && !forced; }
};

bool is_integer(TensorType type) {
    using enum TensorType;
    return type == I8 || type == I16 || type == I32 || type == I64;
}

// Why this tensor is copied whatever the recipe says; empty if it is a matrix of weights.
std::string why_kept(const TensorInfo& tensor) {
    if (tensor.ne[1] == 1 && tensor.ne[2] == 1 && tensor.ne[3] == 1) return "one-dimensional";
    if (!tensor.name.ends_with("weight")) return "not a weight";
    if (const auto why = kept_as_it_is(tensor.name)) return std::string(*why);
    if (tensor.format != nullptr && is_integer(tensor.format->type())) return "integers";
    return {};
}

// Why this recipe copies a tensor, empty if it does not. A copy has no mix.
std::string why_kept(const TensorInfo& tensor, const Mix* mix) {
    if (mix == nullptr) return "all tensors are";
    if (mix->leave_output && tensor.name == "output.weight") return "--leave-output-tensor";
    return why_kept(tensor);
}

// The type that the user asked for, if any: the flag for embeddings or output goes before --tensor-type, but for
// per_layer_token_embd.weight, where it goes after, as in llama.cpp.
Result<std::optional<Verdict>> wish(const Candidate& candidate, const Mix& mix, const Overrides& overrides) {
    const auto by_flag = [&]() -> std::optional<Verdict> {
        const bool embeds = role_of(candidate.name, false).role == Role::token_embd;
        if (embeds && mix.token_embedding_type) return Verdict{*mix.token_embedding_type, "--token-embedding-type"};
        if (candidate.role.role == Role::output && mix.output_type)
            return Verdict{*mix.output_type, "--output-tensor-type"};
        return std::nullopt;
    };
    const bool flag_first = candidate.name != "per_layer_token_embd.weight";
    if (auto verdict = flag_first ? by_flag() : std::nullopt) return verdict;
    TRY_LET(const auto match, overrides.find(candidate.name));
    if (match == nullptr) return flag_first ? std::nullopt : by_flag();
    const TypeOverride& row = *match;
    return Verdict{row.type, row.from.empty() ? "--tensor-type " + row.pattern() : row.from};
}

Result<std::vector<Candidate>> list_candidates(const Model& model, const Recipe& recipe, const Overrides& overrides,
                                               const ModelFacts& facts, const Pruning& pruning,
                                               const std::stop_token& stop) {
    std::vector<Candidate> candidates;
    candidates.reserve(model.tensors().size());
    for (std::size_t source = 0; source < model.tensors().size(); ++source) {
        if (stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        const TensorInfo& tensor = *model.tensors()[source].info;
        auto name = pruning.rename(tensor.name);
        if (!name) continue;
        const auto block = block_of(*name);
        const RoleName role = role_of(*name, facts.tied);
        Candidate& candidate = candidates.emplace_back(
            Candidate{&tensor, source, *std::move(name), block, role, why_kept(tensor, recipe.mix())});
        if (!candidate.kept.empty()) continue;
        TRY_LET(auto forced, wish(candidate, *recipe.mix(), overrides));
        candidate.forced = std::move(forced);
    }
    if (std::holds_alternative<SplitLimits>(recipe.split)) {
        std::ranges::sort(candidates, {},
                          [](const Candidate& c) { return std::tuple(c.block, std::string_view(c.name)); });
    }
    return candidates;
}

// Values are counted among themselves, since not every layer has them. The feed-forward matrices stand for their
// layers: by number where there are experts (several matrices a layer), else by order.
void find_places(std::vector<Candidate>& candidates, const ModelFacts& facts) {
    std::array<std::uint64_t, static_cast<std::size_t>(Role::other) + 1> met{};
    const auto values = std::ranges::count(candidates, Role::attn_v, [](const Candidate& c) { return c.role.role; });
    for (Candidate& candidate : candidates) {
        if (!candidate.mixed()) continue;
        const bool is_value = candidate.role.role == Role::attn_v;
        const std::uint64_t order = met[static_cast<std::size_t>(candidate.role.role)]++;
        const bool by_number = facts.experts > 1 && !is_value;
        candidate.place = {order, by_number ? candidate.block.value_or(order) : order,
                           is_value ? static_cast<std::uint64_t>(values) : facts.layers};
    }
}

bool in_first_eighth(const Place& at) { return at.layer < at.layers / 8; }
bool in_last_eighth(const Place& at) { return at.layer >= at.layers - at.layers / 8 - (at.layers % 8 != 0 ? 1 : 0); }
bool gets_more_bits(const Place& at) {
    return in_first_eighth(at) || in_last_eighth(at) || (at.layer - at.layers / 8) % 3 == 2;
}

// The rules of a mix's file type, in a model.
class MixRules {
  public:
    MixRules(const Mix& mix, const ModelFacts& facts)
        : file_type_(*mix.file_type), default_(format_of(file_type_.default_type)), pure_(mix.pure) {
        using enum Condition;
        of_model_.add(eight_experts, facts.experts == 8);
        of_model_.add(four_experts, facts.experts >= 4);
        of_model_.add(four_heads_a_kv_head, facts.heads_per_kv_head() >= 4);
        of_model_.add(large_70b, facts.is_70b());
        of_model_.add(facts.architecture == "falcon" ? falcon : not_falcon, true);
        of_model_.add(not_bailingmoe3, facts.architecture != "bailingmoe3");
        of_model_.add(mix.imatrix != nullptr ? with_imatrix : without_imatrix, true);
    }

    Verdict decide(const Candidate& candidate) const {
        if (pure_) return {default_.type(), "pure: the default type"};
        if (!default_.quantized()) return {default_.type(), "recipe: the default type"};
        const Rule* rule = find_rule(id_of(file_type_), candidate.role.role, truths(candidate));
        if (rule == nullptr) return {default_.type(), "recipe: the default type"};
        return {rule->type, explain(candidate, *rule), type_of_whole_rows(candidate, *rule)};
    }

  private:
    // The type for rows of whole blocks, where `rule` is for others.
    std::optional<TensorType> type_of_whole_rows(const Candidate& candidate, const Rule& rule) const {
        if (!rule.conditions.contains(Condition::ragged_row)) return std::nullopt;
        const Rule* const other = find_rule(id_of(file_type_), candidate.role.role, truths(candidate, false));
        return other == nullptr ? default_.type() : other->type;
    }

    Conditions truths(const Candidate& candidate) const {
        return truths(candidate, candidate.tensor->ne[0] % default_.block_elements != 0);
    }

    Conditions truths(const Candidate& candidate, bool ragged) const {
        using enum Condition;
        const Place& at = candidate.place;
        Conditions all = of_model_;
        all.add(three_dimensional, candidate.tensor->ne[2] > 1);
        all.add(ragged_row, ragged);
        all.add(first_two_layers, at.layer < 2);
        all.add(first_four_layers, at.layer < 4);
        all.add(first_sixteenth, at.layer < at.layers / 16);
        all.add(first_eighth, in_first_eighth(at));
        all.add(first_eighth_in_order, at.order < at.layers / 8);
        all.add(middle_layers, !in_first_eighth(at) && !in_last_eighth(at));
        all.add(more_bits, gets_more_bits(at));
        return all;
    }

    static std::string explain(const Candidate& candidate, const Rule& rule) {
        const auto& [role, label] = candidate.role;
        std::string reason = fmt::format("recipe: {}", label.empty() ? "any tensor" : label);
        if (role == Role::output && label != "output") reason += ", which is the output too";
        if (const std::string conditions = describe(rule.conditions); !conditions.empty()) reason += ", " + conditions;
        return reason;
    }

    const FileType& file_type_;
    const FormatInfo& default_;
    bool pure_;
    Conditions of_model_;
};

// The type itself where rows are whole blocks of it; else its fallback, else F16.
Verdict fit_row(const TensorInfo& tensor, Verdict wanted) {
    const FormatInfo& format = format_of(wanted.type);
    const std::uint64_t ne0 = tensor.ne[0];
    const auto fits = [&](const FormatInfo& candidate) { return ne0 % candidate.block_elements == 0; };
    if (fits(format)) return wanted;
    const FormatInfo& fallback = *find_format(format.fallback);
    const std::string mismatch = fmt::format("ne[0] {} is no multiple of {}", ne0, format.block_elements);
    return {fits(fallback) ? fallback.type() : TensorType::F16, "fallback: " + mismatch};
}

}  // namespace

Result<std::vector<Choice>> choose_types(const Model& model, const Recipe& recipe, const Overrides& overrides,
                                         const ModelFacts& facts, const Pruning& pruning, const std::stop_token& stop) {
    TRY_LET(auto candidates, list_candidates(model, recipe, overrides, facts, pruning, stop));
    find_places(candidates, facts);

    std::optional<MixRules> rules;
    if (recipe.mix() != nullptr) rules.emplace(*recipe.mix(), facts);
    std::vector<Choice> choices;
    choices.reserve(candidates.size());
    for (const Candidate& candidate : candidates) {
        const TensorInfo& tensor = *candidate.tensor;
        TRY_LET(const auto bytes, tensor.bytes());
        const FormatInfo& from = *tensor.format;
        Choice& choice = choices.emplace_back(
            Choice{&tensor, candidate.name, candidate.source, bytes, from.type(), "copied: " + candidate.kept});
        if (!candidate.kept.empty()) {
            if (rules && why_kept(tensor).empty()) choice.chooser = Chooser::user;  // --leave-output-tensor
            continue;
        }
        choice.chooser = candidate.forced ? Chooser::user : Chooser::file_type;
        const Verdict wanted = candidate.forced ? *candidate.forced : rules->decide(candidate);
        const Verdict verdict = fit_row(tensor, wanted);
        choice.wanted = verdict.type != wanted.type ? wanted.type : wanted.wanted;
        choice.type = verdict.type;
        choice.reason = choice.type == from.type() ? fmt::format("copied: already {}", from.name) : verdict.reason;
    }
    return choices;
}

}  // namespace ggufkit::plan
