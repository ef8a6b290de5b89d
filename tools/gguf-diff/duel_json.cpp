#include "common/json.hpp"
#include "common/show.hpp"
#include "duel.hpp"
#include "error_json.hpp"
#include "plan/place.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

void write_contender(JsonWriter& json, std::string_view side, const Contender& one) {
    json.key(side).begin_object().field("file", one.name).field("bytes", one.bytes).field("nearer_in", one.wins);
    write_imatrix(json, "imatrix", one.imatrix);
    json.key("error");
    write_error(json, one.total, nullptr, nullptr);
    json.end_object();
}

void write_both(JsonWriter& json, std::string_view list, const Ranking& ranking, Grouping grouping) {
    const auto a = totals(ranking.pairs_a, ranking.a, grouping), b = totals(ranking.pairs_b, ranking.b, grouping);
    json.key(list).begin_array();
    for (std::size_t i = 0; i < a.size(); ++i) {
        json.begin_object();
        write_group(json, a[i], grouping).key("a");
        write_error(json, a[i].sums, nullptr, nullptr);
        json.key("b");
        write_error(json, b[i].sums, nullptr, nullptr);
        json.end_object();
    }
    json.end_array();
}

void write_side(JsonWriter& json, std::string_view side, const TensorPair& pair, const ValueDifference& values) {
    json.key(side).begin_object().field("type", type_text(*pair.b->info));
    json.field("bytes", pair.b->info->bytes().value_or(0)).key("error");
    write_error(json, values.sums, pair.a->info, values.sampled ? &values.relative_rmse : nullptr);
    json.end_object();
}

void write_names(JsonWriter& json, std::string_view list, const std::vector<std::string>& names) {
    json.key(list).begin_array();
    for (const std::string& name : names) json.value(std::string_view(name));
    json.end_array();
}

void write_keys(JsonWriter& json, const std::vector<KeyOfThree>& keys) {
    json.key("metadata").begin_array();
    for (const KeyOfThree& key : keys) {
        json.begin_object().field("key", key.key).field("about_quantization", is_about_quantization(key.key));
        write_value(json, "base", key.key, key.base);
        if (key.differs_in_a) write_value(json, "a", key.key, key.a);
        if (key.differs_in_b) write_value(json, "b", key.key, key.b);
        if (key.differs_in_a && key.differs_in_b) json.field("alike", key.alike);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

void write_json(Output& out, const Duel& duel) {
    JsonWriter json(out);
    const auto& [pairs_a, pairs_b, a, b, not_compared, not_in_base] = duel.ranking;
    json.begin_object().field("base", duel.base);
    write_contender(json, "a", duel.a);
    write_contender(json, "b", duel.b);
    json.field("decided_by", duel.weighted ? "weighted_relative_rmse" : "relative_rmse").key("nearer");
    if (duel.verdict() == 0) {
        json.null();
    } else {
        json.value(duel.verdict() < 0 ? "a" : "b");
    }
    json.field("sample", duel.sample);
    write_keys(json, duel.keys);
    write_both(json, "parts", duel.ranking, Grouping::part);
    write_both(json, "layers", duel.ranking, Grouping::layer);
    json.key("tensors").begin_array();
    for (std::size_t i = 0; i < a.size(); ++i) {
        const TensorInfo& base = *pairs_a[i].a->info;
        const auto [layer, part] = plan::place_of(base.name);
        json.begin_object().field("name", base.name).field("part", part);
        write_optional(json, "layer", layer);
        json.field("type", type_text(base)).field("shape", base.shape());
        write_side(json, "a", pairs_a[i], a[i]);
        write_side(json, "b", pairs_b[i], b[i]);
        json.end_object();
    }
    json.end_array();
    write_names(json, "not_compared", not_compared);
    write_names(json, "not_in_base", not_in_base);
    json.end_object().finish();
}

}  // namespace ggufkit::tool::diff
