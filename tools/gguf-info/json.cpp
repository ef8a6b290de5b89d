#include "common/json.hpp"

#include "common/show.hpp"
#include "core/text.hpp"
#include "views.hpp"

namespace ggufkit::info {

using cli::JsonWriter;

namespace {

// The fields of a file as a whole; null where its header could not be read.
void write_container(JsonWriter& json, const ModelView* view) {
    if (view == nullptr) {
        for (const auto* key : {"version", "byte_order", "alignment", "data_offset"}) json.key(key).null();
        return;
    }
    json.field("version", view->version())
        .field("byte_order", view->byte_order() == ByteOrder::little ? "little" : "big")
        .field("alignment", view->alignment())
        .field("data_offset", view->data_offset());
}

void write_shards(JsonWriter& json, const Model& model) {
    json.key("shards").begin_array();
    for (std::size_t i = 0; i < model.shard_count(); ++i) {
        json.begin_object().field("path", model.shard_path(i).string());
        write_container(json, &model.shard(i));
        json.field("tensors", model.shard(i).tensors().size()).end_object();
    }
    json.end_array();
}

void write_metadata(JsonWriter& json, const ModelView& view) {
    for (const KeyValue& entry : view.metadata()) {
        json.begin_object()
            .field("key", entry.key)
            .field("type", name(entry.value.type()))
            .field("value", entry.value)
            .end_object();
    }
}

void write_tensors(JsonWriter& json, const Model& model) {
    for (const ModelTensor& tensor : model.tensors()) {
        const TensorInfo& info = *tensor.info;
        json.begin_object()
            .field("name", info.name)
            .field("type", cli::type_text(info))
            .field("shape", info.shape())
            .field("offset", info.offset)
            .key("bytes");
        if (const auto bytes = info.bytes()) {
            json.value(*bytes);
        } else {
            json.null();
        }
        json.end_object();
    }
}

void write_diagnostics(JsonWriter& json, const Inspection& inspection) {
    for (const auto& [severity, error] : inspection.diagnostics) {
        json.begin_object()
            .field("severity", name(severity))
            .field("rule", error.rule)
            .field("code", name(error.code))
            .key("offset");
        if (error.offset) {
            json.value(*error.offset);
        } else {
            json.null();
        }
        json.field("subject", printable(error.subject)).field("detail", printable(error.detail)).end_object();
    }
}

}  // namespace

void print_json(cli::Console& console, const Inspection& inspection) {
    JsonWriter json(console.out);
    const Model* model = inspection.model ? &*inspection.model : nullptr;
    json.begin_object();
    write_container(json, model == nullptr ? nullptr : &model->header());
    if (model != nullptr && model->shard_count() > 1) write_shards(json, *model);
    json.key("metadata").begin_array();
    if (model != nullptr) write_metadata(json, model->header());
    json.end_array().key("tensors").begin_array();
    if (model != nullptr) write_tensors(json, *model);
    json.end_array().key("diagnostics").begin_array();
    write_diagnostics(json, inspection);
    json.end_array().end_object().finish();
}

}  // namespace ggufkit::info
