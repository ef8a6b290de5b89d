#include "common/json.hpp"

#include <ggufkit/remote.hpp>

#include "common/show.hpp"
#include "core/text.hpp"
#include "tally.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

// The fields of a file as a whole; null where its header could not be read.
void write_container(JsonWriter& json, const ModelView* view) {
    if (view == nullptr) {
        for (const auto* key :
             {"version", "byte_order", "alignment", "data_offset", "announced_keys", "announced_tensors"}) {
            json.key(key).null();
        }
        return;
    }
    json.field("version", view->version())
        .field("byte_order", view->byte_order() == ByteOrder::little ? "little" : "big")
        .field("alignment", view->alignment())
        .field("data_offset", view->placed() ? std::optional(view->data_offset()) : std::nullopt)
        .field("announced_keys", view->announced_keys())
        .field("announced_tensors", view->announced_tensors());
}

std::optional<std::uint64_t> known(const Result<std::uint64_t>& number) {
    return number ? std::optional(*number) : std::nullopt;
}

// What the file and its tensors add up to.
void write_sums(JsonWriter& json, const Inspection& inspection) {
    using Count = std::optional<std::uint64_t>;
    Tally all;
    Count active;
    std::optional<std::string> file_type;
    if (inspection.model) {
        for (const auto& [type, tally] : count_types(*inspection.model)) all.add(tally);
        active = active_parameters(*inspection.model);
        const auto id = inspection.model->header().get_unsigned("general.file_type");
        if (id) file_type = file_type_text(*id);
    }
    json.field("file_bytes", inspection.model ? Count(inspection.file_bytes()) : std::nullopt);
    json.field("parameters", inspection.model ? Count(all.elements) : std::nullopt);
    json.field("active_parameters", active);
    json.field("bpw", all.sized != 0 ? std::optional(all.bpw()) : std::nullopt);
    json.field("file_type", file_type);
}

void write_shards(JsonWriter& json, const Model& model) {
    json.key("shards").begin_array();
    for (std::size_t i = 0; i < model.shard_count(); ++i) {
        json.begin_object().field("number", model.shard_number(i) + 1).field("path", model.shard_path(i).string());
        write_container(json, &model.shard(i));
        json.field("tensors", model.shard(i).tensors().size()).end_object();
    }
    json.end_array();
}

void write_metadata(JsonWriter& json, const ModelView& view) {
    for (const KeyValue& entry : view.metadata()) {
        json.begin_object()
            .field("key", entry.key)
            .field("record", entry.offset)
            .field("type", name(entry.value.type()));
        if (const auto array = entry.value.as_array()) json.field("element_type", name(array->element_type()));
        json.field("value", entry.value).end_object();
    }
}

void write_tensors(JsonWriter& json, const Model& model) {
    for (const ModelTensor& tensor : model.tensors()) {
        const TensorInfo& info = *tensor.info;
        json.begin_object()
            .field("name", info.name)
            .field("type", type_text(info))
            .field("shape", info.shape())
            .field("record", info.info_offset)
            .field("offset", info.offset);
        json.field("elements", known(info.elements()));
        json.field("bytes", known(info.bytes()));
        json.end_object();
    }
}

void write_diagnostics(JsonWriter& json, const Inspection& inspection) {
    for (const auto& [severity, error] : inspection.diagnostics) {
        json.begin_object().field("severity", name(severity)).field("rule", error.rule).field("code", name(error.code));
        json.field("offset", error.offset);
        json.field("subject", printable(error.subject)).field("detail", printable(error.detail)).end_object();
    }
}

}  // namespace

namespace {

void write_members(JsonWriter& json, const Inspection& inspection) {
    const Model* model = inspection.model ? &*inspection.model : nullptr;
    write_container(json, model == nullptr ? nullptr : &model->header());
    json.field("complete", model != nullptr && model->complete());
    write_sums(json, inspection);
    if (model != nullptr && model->split_count() > 1) {
        json.field("split_count", model->split_count());
        write_shards(json, *model);
    }
    json.key("metadata").begin_array();
    if (model != nullptr) write_metadata(json, model->header());
    json.end_array().key("tensors").begin_array();
    if (model != nullptr) write_tensors(json, *model);
    json.end_array().key("diagnostics").begin_array();
    write_diagnostics(json, inspection);
    json.end_array();
}

}  // namespace

void print_json(Console& console, const Inspection& inspection) {
    JsonWriter json(console.out);
    json.begin_object();
    write_members(json, inspection);
    json.end_object().finish();
}

void write_file(JsonWriter& json, const Inspection& inspection) {
    json.begin_object().field("file", shown_name(inspection.path.string()));
    write_members(json, inspection);
    json.end_object();
}

}  // namespace ggufkit::tool::info
