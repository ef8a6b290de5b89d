// What --fit found, for people and for programs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/json.hpp"
#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "fit.hpp"

namespace ggufkit::tool::info {

namespace {

std::string device_name(std::size_t i) { return fmt::format("GPU {}", i); }

std::string cache_text(const Fit& fit) {
    const auto& layers = fit.estimate.layers;
    const auto caching = std::ranges::count_if(layers, [](const LayerMemory& layer) { return layer.kv_cache != 0; });
    const auto sliding = std::ranges::count_if(layers, &LayerMemory::sliding);
    std::string text = fmt::format("{}, {}", human_bytes(fit.estimate.kv_cache), format_of(fit.options.cache_k).name);
    if (static_cast<std::size_t>(caching) != layers.size()) text += fmt::format(", of {} layers", caching);
    if (sliding != 0) text += fmt::format("; {} of them see a window", sliding);
    return text;
}

void print_parts(Console& console, const Fit& fit) {
    Table table({{.style = Style::dim}, {.cut = Cut::end}}, "  ");
    const auto row = [&](std::string_view label, const std::string& text) {
        table.add({fmt::format("{:<9}", label), text});
    };
    const MemoryEstimate& estimate = fit.estimate;
    const auto as_it_is =
        std::ranges::find_if(fit.candidates, [](const Candidate& one) { return one.type == nullptr; });
    row("context", fmt::format("{} tokens; the model was trained for {}", grouped(estimate.context),
                               grouped(fit.trained_context)));
    row("weights", fmt::format("{}, {:.2f} bits each", human_bytes(estimate.weights()), as_it_is->bpw));
    if (estimate.kv_cache != 0) row("KV cache", cache_text(fit));
    if (estimate.recurrent != 0) row("state", human_bytes(estimate.recurrent));
    row("compute", fmt::format("about {}, for {} tokens at once", human_bytes(estimate.compute),
                               grouped(std::min({fit.options.ubatch, largest_ubatch, estimate.context}))));
    row("all",
        fmt::format("{} on {}, {} on the host", human_bytes(needed_on_devices(estimate, fit.placement)),
                    fit.placement.devices.size() == 1 ? "the device" : "the devices", human_bytes(estimate.on_host())));
    for (const std::string& assumption : estimate.assumptions) row("assumed", assumption);
    table.print(console, console.width());
}

void print_devices(Console& console, const Fit& fit) {
    Table table({{.title = "DEVICE"},
                 {.title = "SIZE", .right = true, .cut = Cut::spare},
                 {.title = "LAYERS", .right = true},
                 {.title = "WEIGHTS", .right = true},
                 {.title = "CACHE", .right = true},
                 {.title = "COMPUTE", .right = true},
                 {.title = "FREE", .right = true}},
                "  ");
    const auto add = [&](const std::string& name, const DeviceLoad& device) {
        const bool known = device.capacity != 0;
        table.add({name, known ? human_bytes(device.capacity) : "", grouped(device.layers), human_bytes(device.weights),
                   human_bytes(device.cache), human_bytes(device.compute),
                   known ? human_bytes(device.capacity - std::min(device.capacity, device.total())) : ""});
    };
    for (std::size_t i = 0; i < fit.placement.devices.size(); ++i) add(device_name(i), fit.placement.devices[i]);
    add("host", fit.placement.host);
    table.print(console, console.width());
}

std::string runtime_flags(const Fit& fit) {
    std::vector<std::uint64_t> split;
    split.reserve(fit.placement.devices.size());
    for (const DeviceLoad& device : fit.placement.devices) split.push_back(device.layers);
    std::string text = fmt::format("--ctx-size {} --n-gpu-layers {}", fit.estimate.context, fit.placement.gpu_layers);
    if (split.size() > 1 && fit.placement.gpu_layers != 0)
        text += fmt::format(" --tensor-split {}", fmt::join(split, ","));
    if (fit.options.cache_k != TensorType::F16) {
        std::string type(format_of(fit.options.cache_k).name);
        std::ranges::transform(type, type.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        text += fmt::format(" --cache-type-k {0} --cache-type-v {0}", type);
    }
    return text;
}

std::string bits_text(double bpw) {
    if (bpw < 1) return "not even one bit a weight would fit:";
    if (bpw > 32) return "it would fit in every type:";
    return fmt::format("up to about {:.2f} bits a weight would fit:", bpw);
}

void print_margin(Console& console, const Fit& fit) {
    if (fit.placement.whole() || fit.margin == 0) return;
    console.out.print("  --margin keeps {} of {} free; {}.\n", human_bytes(fit.margin),
                      fit.placement.devices.size() == 1 ? "the device" : "each device",
                      fit.fits_without_margin ? "without it, all layers fit" : "without it, not all layers fit either");
}

void print_verdict(Console& console, const Fit& fit) {
    const Placement& placement = fit.placement;
    const std::string all = placement.whole()
                                ? console.paint(Style::green, "All of it fits.")
                                : console.paint(Style::yellow, fmt::format("{} of {} layers fit.", placement.gpu_layers,
                                                                           placement.all_layers));
    console.out.print("\n  {}\n", all);
    print_margin(console, fit);
    const bool margin_alone = !placement.whole() && fit.fits_without_margin;  // which was said
    if (fit.largest_context == 0 && !margin_alone) {
        console.out.write("  However short the context, not all of it would.\n");
    } else if (fit.largest_context != 0 && fit.largest_context < fit.trained_context) {
        console.out.print("  It fits as a whole with a context of up to {} tokens.\n", grouped(fit.largest_context));
    }
    console.out.print("  For llama.cpp: {}\n", runtime_flags(fit));
    console.out.print("  With this context{} {}\n\n", margin_alone ? " and the margin" : "",
                      bits_text(fit.largest_bpw));
}

void print_candidates(Console& console, const Fit& fit) {
    Table table({{.title = "FILE TYPE"},
                 {.title = "BPW", .right = true},
                 {.title = "WEIGHTS", .right = true},
                 {.title = "ON DEVICES", .right = true},
                 {.title = "FITS"},
                 {.cut = Cut::drop, .style = Style::dim}},
                "  ");
    for (const Candidate& one : fit.candidates) {
        table.add({one.type == nullptr ? Cell("as it is", Style::bold) : Cell(one.type->name),
                   fmt::format("{:.2f}", one.bpw), human_bytes(one.weights), human_bytes(one.devices),
                   one.fits ? Cell("yes", Style::green) : Cell("no", Style::dim),
                   one.needs_imatrix ? "needs an imatrix" : ""});
    }
    table.print(console, console.width());
}

void write_load(JsonWriter& json, const DeviceLoad& device) {
    json.begin_object()
        .field("capacity", device.capacity)
        .field("layers", device.layers)
        .field("weights", device.weights)
        .field("cache", device.cache)
        .field("compute", device.compute)
        .end_object();
}

void write_layers(JsonWriter& json, const MemoryEstimate& estimate) {
    json.key("layers").begin_array();
    for (const LayerMemory& layer : estimate.layers) {
        json.begin_object()
            .field("weights", layer.weights)
            .field("kv_cache", layer.kv_cache)
            .field("recurrent", layer.recurrent)
            .field("sliding", layer.sliding)
            .end_object();
    }
    json.end_array();
}

void write_candidates(JsonWriter& json, const Fit& fit) {
    json.key("file_types").begin_array();
    for (const Candidate& one : fit.candidates) {
        json.begin_object().key("name");
        if (one.type == nullptr) {
            json.null();
        } else {
            json.value(one.type->name);
        }
        json.field("bpw", one.bpw)
            .field("weights", one.weights)
            .field("devices", one.devices)
            .field("fits", one.fits)
            .field("needs_imatrix", one.needs_imatrix)
            .end_object();
    }
    json.end_array();
}

void print_text(Console& console, const Model& model, const Fit& fit) {
    console.out.print("{}\n\n", console.paint(Style::bold, printable(shown(model.shard_path(0)))));
    print_parts(console, fit);
    console.out.write("\n");
    print_devices(console, fit);
    print_verdict(console, fit);
    print_candidates(console, fit);
}

void print_json(Console& console, const Model& model, const Fit& fit) {
    const MemoryEstimate& estimate = fit.estimate;
    JsonWriter json(console.out);
    json.begin_object()
        .field("file", model.shard_path(0).string())
        .field("context", estimate.context)
        .field("trained_context", fit.trained_context)
        .field("ubatch", fit.options.ubatch)
        .field("cache_type", format_of(fit.options.cache_k).name)
        .field("flash_attention", fit.options.flash_attention)
        .field("margin", fit.margin)
        .field("weights", estimate.weights())
        .field("kv_cache", estimate.kv_cache)
        .field("recurrent", estimate.recurrent)
        .field("compute", estimate.compute)
        .field("input_weights", estimate.input_weights)
        .field("output_weights", estimate.output_weights)
        .field("output_copy", estimate.output_copy);
    write_layers(json, estimate);
    json.key("assumptions").begin_array();
    for (const std::string& assumption : estimate.assumptions) json.value(std::string_view(assumption));
    json.end_array()
        .field("fits", fit.placement.whole())
        .field("fits_without_margin", fit.fits_without_margin)
        .field("gpu_layers", fit.placement.gpu_layers)
        .field("all_layers", fit.placement.all_layers)
        .key("devices")
        .begin_array();
    for (const DeviceLoad& device : fit.placement.devices) write_load(json, device);
    json.end_array().key("host");
    write_load(json, fit.placement.host);
    json.field("largest_context", fit.largest_context).field("largest_bpw", fit.largest_bpw);
    write_candidates(json, fit);
    json.end_object().finish();
}

}  // namespace

void print_fit(Console& console, const Model& model, const Fit& fit, bool json) {
    json ? print_json(console, model, fit) : print_text(console, model, fit);
}

}  // namespace ggufkit::tool::info
