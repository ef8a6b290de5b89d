#include "common/json.hpp"

#include <utility>

#include "common/show.hpp"
#include "error_json.hpp"
#include "plan/place.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

std::string_view change_name(bool in_a, bool in_b) { return !in_b ? "removed" : !in_a ? "added" : "changed"; }

void write_list(JsonWriter& json, std::string_view name, const ListChange& list) {
    json.key(name).begin_object().field("a", list.size_a).field("b", list.size_b).field("added", list.added);
    json.field("removed", list.removed).field("moved", list.moved).end_object();
}

void write_tokenizer(JsonWriter& json, const std::optional<TokenizerChange>& change) {
    if (!change) {
        json.null();
        return;
    }
    json.begin_object();
    write_list(json, "tokens", change->tokens);
    write_list(json, "merges", change->merges);
    json.field("scores", change->scores).field("max_score_change", change->max_score_change);
    json.field("types", change->types).end_object();
}

void write_side(JsonWriter& json, std::string_view side, const ModelTensor* tensor,
                const std::optional<Digest>& digest) {
    json.key(side);
    if (tensor == nullptr) {
        json.null();
        return;
    }
    json.begin_object().field("type", type_text(*tensor->info)).field("shape", tensor->info->shape());
    json.field("bytes", tensor->info->bytes().value_or(0));
    if (digest) json.field("xxh3_128", digest->hex());
    json.end_object();
}

void write_tensor(JsonWriter& json, const TensorChange& change, const ValueDifference* values) {
    const auto [layer, part] = plan::place_of(change.name);
    json.begin_object()
        .field("name", change.name)
        .field("change", change.renamed ? "renamed" : change_name(change.a != nullptr, change.b != nullptr))
        .field("part", part);
    write_optional(json, "layer", layer);
    if (change.renamed) json.field("new_name", change.b->info->name);
    json.field("retyped", change.retyped).field("reshaped", change.reshaped).field("bytes_differ", change.bytes_differ);
    json.field("rescaled", change.rescaled);
    if (change.blocks.differ != 0) {
        json.key("blocks").begin_object().field("count", change.blocks.blocks).field("differ", change.blocks.differ);
        json.field("first", std::span<const std::uint64_t>(change.blocks.first)).end_object();
    }
    write_side(json, "a", change.a, change.digest_a);
    write_side(json, "b", change.b, change.digest_b);
    json.key("error");
    if (values == nullptr) {
        json.null();
    } else {
        write_error(json, values->sums, change.a->info, values->sampled ? &values->relative_rmse : nullptr);
    }
    json.end_object();
}

void write_blocks(JsonWriter& json, const Comparison& comparison) {
    json.key("blocks").begin_array();
    for (const auto& [tensor, block, parts] : comparison.blocks) {
        json.begin_object().field("tensor", comparison.diff.tensors[tensor].name).field("block", block);
        json.key("parts").begin_array();
        for (const PartChange& part : parts) {
            json.begin_object().field("name", part.name).field("count", part.count).field("differ", part.differ);
            json.key("first").begin_array();
            for (const auto& [index, a, b] : part.first) {
                json.begin_object().field("index", index).field("a", a).field("b", b).end_object();
            }
            json.end_array().end_object();
        }
        json.end_array().end_object();
    }
    json.end_array();
}

}  // namespace

void write_value(JsonWriter& json, std::string_view field, std::string_view key,
                 const std::optional<ValueView>& value) {
    json.key(field);
    if (!value) {
        json.null();
        return;
    }
    json.begin_object().field("type", name(value->type())).field("value", *value);
    if (const FileType* const type = file_type_named(key, *value)) json.field("file_type", type->name);
    json.end_object();
}

void write_json(Output& out, const Comparison& comparison) {
    const Diff& diff = comparison.diff;
    JsonWriter json(out);
    json.begin_object()
        .field("a", comparison.names.a)
        .field("b", comparison.names.b)
        .field("same", diff.same())
        .field("sample", comparison.sample);
    write_imatrix(json, "imatrix_a", comparison.imatrix_a);
    write_imatrix(json, "imatrix_b", comparison.imatrix_b);
    json.key("metadata").begin_array();
    for (const KeyChange& change : diff.metadata) {
        json.begin_object()
            .field("key", change.key)
            .field("change", change_name(change.a.has_value(), change.b.has_value()));
        write_value(json, "a", change.key, change.a);
        write_value(json, "b", change.key, change.b);
        json.end_object();
    }
    json.end_array().key("tokenizer");
    write_tokenizer(json, comparison.tokenizer);
    json.key("tensors").begin_array();
    for (std::size_t i = 0; i < diff.tensors.size(); ++i) {
        write_tensor(json, diff.tensors[i], comparison.values_of(i));
    }
    json.end_array().field("tensors_equal", diff.tensors_equal);
    if (!comparison.blocks.empty()) write_blocks(json, comparison);
    json.key("total");
    if (comparison.pairs.empty()) {
        json.null();
    } else {
        write_error(json, whole(comparison), nullptr, nullptr);
    }
    for (const auto& [list, grouping] : {std::pair("parts", Grouping::part), std::pair("layers", Grouping::layer)}) {
        write_totals(json, list, totals(comparison.pairs, comparison.values, grouping), grouping);
    }
    json.end_object().finish();
}

}  // namespace ggufkit::tool::diff
