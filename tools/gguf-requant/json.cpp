#include "common/json.hpp"

#include <ggufkit/remote.hpp>

#include "core/text.hpp"
#include "stream.hpp"
#include "views.hpp"

namespace ggufkit::tool::requant {

namespace {

void write_tensor(JsonWriter& json, const PlannedTensor& tensor) {
    json.begin_object()
        .field("name", tensor.name)
        .field("from", format_of(tensor.from).name)
        .field("to", format_of(tensor.to).name)
        .field("shape", std::span<const std::uint64_t>(tensor.ne.data(), tensor.n_dims))
        .field("bytes_in", tensor.bytes_in)
        .field("bytes_out", tensor.bytes_out)
        .field("file", tensor.file)
        .field("offset", tensor.offset)
        .field("reason", tensor.reason)
        .key("wanted");
    if (tensor.wanted) {
        json.value(format_of(*tensor.wanted).name);
    } else {
        json.null();
    }
    json.end_object();
}

void write_files(JsonWriter& json, const ggufkit::Output& output) {
    json.key("files").begin_array();
    const auto paths = output_paths(*output.plan, output.path);
    for (std::size_t i = 0; i < paths.size(); ++i) {
        json.begin_object()
            .field("path", paths[i].string())
            .field("bytes", output.plan->files[i].file_bytes)
            .end_object();
    }
    json.end_array();
}

void write_imatrix(JsonWriter& json, const Plan& plan) {
    json.key("imatrix");
    if (plan.imatrix == nullptr) {
        json.null();
    } else {
        const auto& [file, dataset, chunks] = plan.imatrix->origin();
        json.begin_object()
            .field("file", file)
            .field("dataset", dataset)
            .field("entries", plan.imatrix->entries().size())
            .field("chunks", chunks)
            .end_object();
    }
    json.key("imatrix_gaps").begin_array();
    for (const auto& [tensor, fatal, detail, kind] : plan.imatrix_gaps) {
        json.begin_object()
            .field("tensor", plan.tensors[tensor].name)
            .field("fatal", fatal)
            .field("detail", detail)
            .end_object();
    }
    json.end_array();
}

void write_notes(JsonWriter& json, const Plan& plan) {
    json.key("notes").begin_array();
    for (const auto& [kind, text, names] : notes_of(plan)) {
        json.begin_object().field("kind", name(kind)).field("text", text).key("names").begin_array();
        for (const std::string& one : names) json.value(std::string_view(one));
        json.end_array().end_object();
    }
    json.end_array();
}

void write_misfits(JsonWriter& json, const Plan& plan, std::span<const Misfit> misfits) {
    json.key("misfits").begin_array();
    for (const auto& [index, row, greatest] : misfits) {
        const PlannedTensor& tensor = plan.tensors[index];
        json.begin_object()
            .field("tensor", tensor.name)
            .field("type", format_of(tensor.to).name)
            .field("row", row)
            .field("greatest", greatest)
            .end_object();
    }
    json.end_array();
}

void write_unused(JsonWriter& json, const Plan& plan) {
    json.key("unused_overrides").begin_array();
    for (const auto& [row, detail] : plan.unused_overrides) {
        json.begin_object()
            .field("pattern", row.pattern())
            .field("type", format_of(row.type).name)
            .field("from", row.from.empty() ? "--tensor-type" : row.from)
            .field("detail", detail)
            .end_object();
    }
    json.end_array();
}

void write_target(JsonWriter& json, const std::optional<Request::Reached>& reached) {
    json.key("target");
    if (!reached) {
        json.null();
        return;
    }
    json.begin_object()
        .field("bytes", reached->budget)
        .field("loss", reached->loss)
        .field("bound", reached->bound)
        .key("device");
    if (const auto& device = reached->device) {
        json.begin_object()
            .field("bytes", device->bytes)
            .field("context", device->context)
            .field("cache", device->cache)
            .field("compute", device->compute)
            .end_object();
    } else {
        json.null();
    }
    json.end_object();
}

void write_problem(JsonWriter& json, const std::optional<Error>& problem) {
    json.key("problem");
    if (!problem) {
        json.null();
        return;
    }
    json.begin_object()
        .field("code", name(problem->code))
        .field("subject", printable(problem->subject))
        .field("detail", printable(problem->detail))
        .end_object();
}

}  // namespace

void print_json(Console& console, const Request& request, const ggufkit::Output& output, std::optional<double> seconds,
                const std::optional<Error>& problem, std::span<const Misfit> misfits) {
    const Plan& plan = *output.plan;
    JsonWriter json(console.out);
    json.begin_object()
        .field("input", shown_name(request.input.string()))
        .field("output", output.path.string())
        .field("file_type", type_name(plan.file_type))
        .field("effort", name(plan.effort));
    write_files(json, output);
    write_imatrix(json, plan);
    write_unused(json, plan);
    write_notes(json, plan);
    write_misfits(json, plan, misfits);
    json.key("metadata_notes").begin_array();
    for (const std::string& note : plan.metadata_notes) json.value(note);
    json.end_array();
    write_target(json, request.reached);
    json.key("tensors").begin_array();
    for (const PlannedTensor& tensor : plan.tensors) write_tensor(json, tensor);
    json.end_array()
        .field("bytes_in", plan.bytes_in())
        .field("bytes_out", plan.bytes_out())
        .field("bpw", plan.bpw() > 0 ? std::optional(plan.bpw()) : std::nullopt);
    json.key("compressed_bytes");
    const auto compressed = seconds ? compressed_bytes(output.path) : std::nullopt;
    if (compressed) {
        json.value(*compressed);
    } else {
        json.null();
    }
    write_problem(json, problem);
    json.key("seconds");
    if (seconds) {
        json.value(*seconds);
    } else {
        json.null();
    }
    json.end_object().finish();
}

}  // namespace ggufkit::tool::requant
