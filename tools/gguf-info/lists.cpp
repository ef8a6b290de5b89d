#include <fnmatch.h>
#include <ggufkit/remote.hpp>

#include <algorithm>

#include "common/markdown.hpp"
#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/checked.hpp"
#include "core/text.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

Style style_of(Severity severity) {
    switch (severity) {
        case Severity::error: return Style::red;
        case Severity::warning: return Style::yellow;
        case Severity::note: return Style::dim;
    }
    return Style::plain;
}

std::string place_text(const Error& error) { return error.offset ? fmt::format("@0x{:x}", *error.offset) : ""; }

std::string bytes_text(const TensorInfo& tensor) {
    const auto bytes = tensor.bytes();
    return bytes ? std::to_string(*bytes) : "?";
}

bool matches(const std::string& pattern, std::string_view name) {
    return ::fnmatch(pattern.c_str(), std::string(name).c_str(), 0) == 0;
}

std::vector<ModelTensor> selected(const Model& model, const Selection& selection) {
    std::vector<ModelTensor> tensors;
    for (const ModelTensor& tensor : model.tensors()) {
        if (matches(selection.pattern, tensor.info->name)) tensors.push_back(tensor);
    }
    const auto name = [](const ModelTensor& tensor) { return tensor.info->name; };
    const auto size = [](const ModelTensor& tensor) { return tensor.info->bytes().value_or(0); };
    const auto type = [](const ModelTensor& tensor) { return tensor.info->type_id; };
    const auto offset = [](const ModelTensor& tensor) { return std::pair(tensor.shard, tensor.info->offset); };
    switch (selection.sort) {
        case Sort::file: break;
        case Sort::offset: std::ranges::stable_sort(tensors, {}, offset); break;
        case Sort::name: std::ranges::stable_sort(tensors, {}, name); break;
        case Sort::size: std::ranges::stable_sort(tensors, std::ranges::greater{}, size); break;
        case Sort::type: std::ranges::stable_sort(tensors, {}, type); break;
    }
    return tensors;
}

std::vector<const KeyValue*> selected_keys(const Model& model, const Selection& selection) {
    std::vector<const KeyValue*> entries;
    for (const KeyValue& entry : model.header().metadata()) {
        if (matches(selection.pattern, entry.key)) entries.push_back(&entry);
    }
    const auto size = [](const KeyValue* entry) { return entry->value.bytes().size(); };
    const auto type = [](const KeyValue* entry) { return name(entry->value.type()); };
    switch (selection.sort) {
        case Sort::file:
        case Sort::offset: break;
        case Sort::name: std::ranges::stable_sort(entries, {}, &KeyValue::key); break;
        case Sort::size: std::ranges::stable_sort(entries, std::ranges::greater{}, size); break;
        case Sort::type: std::ranges::stable_sort(entries, {}, type); break;
    }
    return entries;
}

std::string verdict_counts(const Inspection& inspection) {
    std::string text;
    for (const Severity severity : {Severity::error, Severity::warning, Severity::note}) {
        const std::size_t count = inspection.count(severity);
        if (count != 0) text += (text.empty() ? "" : ", ") + counted(count, name(severity));
    }
    return text.empty() ? "no problems found" : text;
}

}  // namespace

bool print_metadata(Console& console, const Model& model, const Selection& selection) {
    Table table({{.title = "KEY", .cut = Cut::middle},
                 {.title = "TYPE", .style = Style::dim},
                 {.title = "VALUE", .cut = Cut::end}});
    const auto entries = selected_keys(model, selection);
    if (entries.empty() && !model.header().metadata().empty()) return false;
    for (const KeyValue* entry : entries) {
        table.add({printable(entry->key), type_text(entry->value), value_cell(entry->value)});
    }
    table.print(console, console.width());
    return true;
}

bool print_tensors(Console& console, const Model& model, const Selection& selection) {
    const auto tensors = selected(model, selection);
    if (tensors.empty() && !model.tensors().empty()) return false;
    const bool split = model.split_count() > 1;
    std::vector<Column> columns{{.title = "TENSOR", .cut = Cut::middle},
                                {.title = "TYPE"},
                                {.title = "SHAPE"},
                                {.title = split ? "SHARD:OFFSET" : "OFFSET", .right = true},
                                {.title = "BYTES", .right = true}};
    if (selection.in_full) {
        columns.insert(columns.end(), {{.title = "WEIGHTS", .right = true, .cut = Cut::spare},
                                       {.title = "BPW", .right = true, .cut = Cut::drop},
                                       {.title = "IN FILE", .right = true, .cut = Cut::drop}});
    }
    Table table(std::move(columns));
    for (const ModelTensor& tensor : tensors) {
        const TensorInfo& info = *tensor.info;
        const std::string offset = std::to_string(info.offset);
        std::vector<Cell> row{printable(info.name), type_text(info), shape_text(info.shape()),
                              split ? fmt::format("{}:{}", model.shard_number(tensor.shard) + 1, offset) : offset,
                              bytes_text(info)};
        if (selection.in_full) {
            const auto elements = info.elements();
            const ModelView& shard = model.shard(tensor.shard);
            const auto place = shard.placed() ? checked_add(shard.data_offset(), info.offset) : std::nullopt;
            row.insert(row.end(), {elements ? std::to_string(*elements) : "?",
                                   info.format != nullptr ? fmt::format("{:.4f}", info.format->bpw()) : "?",
                                   place ? fmt::format("0x{:x}", *place) : "?"});
        }
        table.add(std::move(row));
    }
    table.print(console, console.width());
    return true;
}

void print_diagnostics(Console& console, const Inspection& inspection, Profile profile) {
    Table table({{}, {.style = Style::dim}, {}, {}});
    for (const auto& [severity, error] : inspection.diagnostics) {
        table.add(
            {Cell(name(severity), style_of(severity)), place_text(error),
             error.rule.empty() ? name(error.code) : fmt::format("{} {}", error.rule, name(error.code)),
             printable(error.subject.empty() ? error.detail : fmt::format("{}: {}", error.subject, error.detail))});
    }
    if (!table.empty()) table.print(console, std::nullopt);  // a finding is not cut short
    if (!table.empty()) console.out.write("\n");
    const std::string path = printable(shown_name(inspection.path.string()));
    const bool valid = inspection.valid();
    if (inspection.unknown()) {
        console.out.print("{}: {}\n", console.markdown() ? markdown_text(path) : path,
                          console.paint(Style::red, "could not be checked"));
        return;
    }
    console.out.print("{}: {}, {}{}\n", console.markdown() ? markdown_text(path) : path,
                      console.paint(valid ? Style::green : Style::red, valid ? "valid" : "invalid"),
                      verdict_counts(inspection), profile == Profile::llama ? " (by what llama.cpp loads)" : "");
}

}  // namespace ggufkit::tool::info
