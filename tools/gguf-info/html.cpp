// --html: a page for a browser that shows what the sections show, with a map of the tensors.
#include "common/html.hpp"

#include "common/json.hpp"
#include "common/save.hpp"
#include "common/show.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "page/info.js.hpp"
#include "plan/place.hpp"
#include "tally.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

constexpr std::size_t longest_value = 400;     // columns of one in the table
constexpr std::size_t longest_text = 1 << 20;  // bytes of the chat template

void write_facts(JsonWriter& json, const Inspection& inspection) {
    json.key("facts").begin_array();
    for (const Row& row : summary_rows(inspection)) {
        json.begin_object().field("label", row.label).field("text", row.cell.text).end_object();
    }
    json.end_array();
}

void write_sums(JsonWriter& json, const Inspection& inspection) {
    Tally all;
    const Histogram types = count_types(*inspection.model);
    json.key("types").begin_array();
    for (const auto& [type, tally] : types) {
        all.add(tally);
        json.begin_object()
            .field("name", type)
            .field("tensors", tally.tensors)
            .field("bytes", tally.bytes)
            .field("bpw", tally.bpw())
            .end_object();
    }
    json.end_array()
        .field("file_bytes", inspection.file_bytes())
        .field("parameters", all.elements)
        .field("active_parameters", active_parameters(*inspection.model))
        .field("bpw", all.bpw());
}

void write_metadata(JsonWriter& json, const ModelView& view) {
    json.key("metadata").begin_array();
    for (const KeyValue& entry : view.metadata()) {
        const Cell cell = value_cell(entry.value);
        const std::string shown = elide(cell.text, longest_value);
        json.begin_object()
            .field("key", printable(entry.key))
            .field("type", type_text(entry.value))
            .field("value", shown.size() == cell.text.size() ? shown : shown + cell.tail)
            .end_object();
    }
    json.end_array();
}

void write_tensors(JsonWriter& json, const Model& model) {
    json.key("tensors").begin_array();
    for (const ModelTensor& tensor : model.tensors()) {
        const TensorInfo& info = *tensor.info;
        const auto [layer, part] = plan::place_of(info.name);
        const auto elements = info.elements(), bytes = info.bytes();
        json.begin_object()
            .field("name", printable(info.name))
            .field("layer", layer)
            .field("part", printable(part))
            .field("type", type_text(info))
            .field("shape", info.shape())
            .field("elements", elements ? std::optional(*elements) : std::nullopt)
            .field("bytes", bytes ? std::optional(*bytes) : std::nullopt)
            .field("offset", info.offset)
            .field("shard", model.shard_number(tensor.shard) + 1)
            .end_object();
    }
    json.end_array();
}

void write_problems(JsonWriter& json, const Inspection& inspection) {
    json.key("problems").begin_array();
    for (const auto& [severity, error] : inspection.diagnostics) {
        json.begin_object()
            .field("severity", name(severity))
            .field("rule", error.rule)
            .field("text", error.message())
            .end_object();
    }
    json.end_array();
}

std::string html(const Inspection& inspection, const std::optional<MemoryChart>& memory, std::string_view tool) {
    const Model& model = *inspection.model;
    const std::string title = printable(shown(inspection.path.filename()));
    const auto chat_template = model.header().get_string("tokenizer.chat_template");
    Output out(Output::Sink::memory);
    JsonWriter json(out);
    json.begin_object().field("tool", tool).field("file", title).field("shards", model.split_count());
    write_facts(json, inspection);
    write_sums(json, inspection);
    write_problems(json, inspection);
    write_metadata(json, model.header());
    write_tensors(json, model);
    json.key("memory");
    write_memory_chart(json, memory);
    json.field("chat_template",
               chat_template ? std::optional(printable_lines(chat_template->substr(0, longest_text))) : std::nullopt);
    json.end_object();
    const std::string data = out.take();
    return tool::html({.title = title, .script = page::info_js, .data = data});
}

}  // namespace

Result<void> save_html(Console& console, const std::filesystem::path& path, const Inspection& inspection,
                       const std::optional<MemoryChart>& memory, std::string_view tool, bool overwrite) {
    Inputs inputs;
    inputs.add(*inspection.model);
    return save(console, path, html(inspection, memory, tool), inputs, overwrite);
}

}  // namespace ggufkit::tool::info
