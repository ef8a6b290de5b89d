#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/checked.hpp"
#include "core/text.hpp"
#include "views.hpp"

namespace ggufkit::info {

using namespace cli;

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

std::string verdict_counts(const Inspection& inspection) {
    std::string text;
    for (const Severity severity : {Severity::error, Severity::warning, Severity::note}) {
        const std::size_t count = inspection.count(severity);
        if (count != 0) text += (text.empty() ? "" : ", ") + counted(count, name(severity));
    }
    return text.empty() ? "no problems found" : text;
}

}  // namespace

void print_metadata(Console& console, const Model& model) {
    Table table({{.title = "KEY", .cut = Cut::middle},
                 {.title = "TYPE", .style = Style::dim},
                 {.title = "VALUE", .cut = Cut::end}});
    for (const KeyValue& entry : model.header().metadata()) {
        table.add({printable(entry.key), type_text(entry.value), value_cell(entry.value)});
    }
    table.print(console, console.width());
}

void print_tensors(Console& console, const Model& model) {
    const bool split = model.shard_count() > 1;
    Table table({{.title = "TENSOR", .cut = Cut::middle},
                 {.title = "TYPE"},
                 {.title = "SHAPE"},
                 {.title = split ? "SHARD:OFFSET" : "OFFSET", .right = true},
                 {.title = "BYTES", .right = true}});
    for (const ModelTensor& tensor : model.tensors()) {
        const TensorInfo& info = *tensor.info;
        const std::string offset = std::to_string(info.offset);
        table.add({printable(info.name), type_text(info), shape_text(info.shape()),
                   split ? fmt::format("{}:{}", tensor.shard + 1, offset) : offset, bytes_text(info)});
    }
    table.print(console, console.width());
}

void print_diagnostics(Console& console, const Inspection& inspection, Profile profile) {
    Table table({{}, {.style = Style::dim}, {}, {}});
    for (const auto& [severity, error] : inspection.diagnostics) {
        table.add(
            {Cell(name(severity), style_of(severity)), place_text(error),
             error.rule.empty() ? name(error.code) : fmt::format("{} {}", error.rule, name(error.code)),
             printable(error.subject.empty() ? error.detail : fmt::format("{}: {}", error.subject, error.detail))});
    }
    table.print(console, std::nullopt);  // a finding is not cut short
    if (!table.empty()) console.out.write("\n");
    const bool valid = inspection.valid();
    console.out.print("{}: {}, {}{}\n", printable(inspection.path.string()),
                      console.paint(valid ? Style::green : Style::red, valid ? "valid" : "invalid"),
                      verdict_counts(inspection), profile == Profile::llama ? " (by what llama.cpp loads)" : "");
}

}  // namespace ggufkit::info
