#include "common/json.hpp"

#include "common/show.hpp"
#include "views.hpp"

namespace ggufkit::diff {

using cli::JsonWriter;

namespace {

std::string_view change_name(bool in_a, bool in_b) { return !in_b ? "removed" : !in_a ? "added" : "changed"; }

void write_value(JsonWriter& json, std::string_view side, const std::optional<ValueView>& value) {
    json.key(side);
    if (!value) {
        json.null();
        return;
    }
    json.begin_object().field("type", name(value->type())).field("value", *value).end_object();
}

void write_tensor(JsonWriter& json, std::string_view side, const TensorInfo* tensor,
                  const std::optional<Digest>& digest) {
    json.key(side);
    if (tensor == nullptr) {
        json.null();
        return;
    }
    json.begin_object().field("type", cli::type_text(*tensor)).field("shape", tensor->shape());
    json.field("bytes", tensor->bytes().value_or(0));
    if (digest) json.field("xxh3_128", digest->hex());
    json.end_object();
}

}  // namespace

void print_json(cli::Console& console, const Diff& diff) {
    JsonWriter json(console.out);
    json.begin_object().field("same", diff.same()).key("metadata").begin_array();
    for (const KeyChange& change : diff.metadata) {
        json.begin_object()
            .field("key", change.key)
            .field("change", change_name(change.a.has_value(), change.b.has_value()));
        write_value(json, "a", change.a);
        write_value(json, "b", change.b);
        json.end_object();
    }
    json.end_array().key("tensors").begin_array();
    for (const TensorChange& change : diff.tensors) {
        json.begin_object()
            .field("name", change.name)
            .field("change", change_name(change.a != nullptr, change.b != nullptr));
        json.field("retyped", change.retyped)
            .field("reshaped", change.reshaped)
            .field("bytes_differ", change.bytes_differ);
        write_tensor(json, "a", change.a, change.digest_a);
        write_tensor(json, "b", change.b, change.digest_b);
        json.end_object();
    }
    json.end_array().field("tensors_equal", diff.tensors_equal).end_object().finish();
}

}  // namespace ggufkit::diff
