#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quant/quantize.hpp>
#include <map>
#include <string>

#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "stream.hpp"
#include "views.hpp"

namespace ggufkit::tool::requant {

namespace {

std::span<const std::uint64_t> shape(const PlannedTensor& tensor) { return {tensor.ne.data(), tensor.n_dims}; }

std::string conversion(TensorType from, TensorType to) {
    return from == to ? fmt::format("{} (copied)", format_of(from).name)
                      : fmt::format("{} → {}", format_of(from).name, format_of(to).name);
}

// How many tensors go from which type to which, the most bytes first.
void print_conversions(Console& console, const Plan& plan) {
    struct Tally {
        std::uint64_t tensors = 0, bytes_in = 0, bytes_out = 0;
    };
    std::map<std::string, Tally> tallies;
    for (const PlannedTensor& tensor : plan.tensors) {
        Tally& tally = tallies[conversion(tensor.from, tensor.to)];
        ++tally.tensors;
        tally.bytes_in += tensor.bytes_in;
        tally.bytes_out += tensor.bytes_out;
    }
    std::vector<std::pair<std::string, Tally>> rows(tallies.begin(), tallies.end());
    std::ranges::stable_sort(rows, std::ranges::greater{}, [](const auto& row) { return row.second.bytes_out; });
    Table table({{}, {.right = true}, {.right = true}, {}, {.right = true}}, "  ");
    for (const auto& [types, tally] : rows) {
        table.add(
            {types, counted(tally.tensors, "tensor"), human_bytes(tally.bytes_in), "→", human_bytes(tally.bytes_out)});
    }
    table.print(console, std::nullopt);
}

std::string size_line(const Plan& plan) {
    const std::string size = fmt::format("{} ({} bytes)", human_bytes(plan.bytes_out()), grouped(plan.bytes_out()));
    if (plan.bpw() == 0) return size + ", no weights";  // a vocabulary
    return fmt::format("{}, {:.2f} bits a weight", size, plan.bpw());
}

// How good the choice is.
void print_target(Console& console, const Request& request) {
    if (!request.reached) return;
    const auto& [budget, loss, bound, device] = *request.reached;
    if (device) {
        console.out.print("device of {}: {} of cache for {} tokens of context, {} of buffers\n",
                          human_bytes(device->bytes), human_bytes(device->cache), grouped(device->context),
                          human_bytes(device->compute));
    }
    const std::string quality = loss == 0 ? "nothing is lost"
                                : bound > 0
                                    ? fmt::format("expected loss {:.2g}, {:.1f} % above what no choice can be below",
                                                  loss, 100 * (loss / bound - 1))
                                    : fmt::format("expected loss {:.2g}", loss);
    console.out.print("target of {} bytes: {}\n", grouped(budget), quality);
}

// "dir/m.gguf", or "dir/m-00001-of-00003.gguf to 00003".
std::string files_text(const ggufkit::Output& output) {
    const auto paths = output_paths(*output.plan, output.path);
    const std::string first = printable(paths.front().string());
    return paths.size() == 1 ? first : fmt::format("{} to {:05}", first, paths.size());
}

}  // namespace

void report_unused(const Console& console, const Plan& plan) {
    constexpr std::size_t shown = 8;  // of a recipe that was made for another model
    const std::size_t all = plan.unused_overrides.size();
    for (const auto& [row, detail] : std::span(plan.unused_overrides).first(std::min(all, shown))) {
        console.error(fmt::format("note: {} '{}' {}", row.from.empty() ? "--tensor-type" : row.from + ":",
                                  row.pattern(), detail));
    }
    if (all <= shown) return;
    console.error(fmt::format("note: {} more patterns change nothing; --json lists them", all - shown));
}

void report_edits(const Console& console, const Plan& plan) {
    for (const std::string& note : plan.metadata_notes) console.error("note: " + note);
}

void report_all_copied(const Console& console, const Model& model, const Plan& plan) {
    if (plan.file_type == nullptr || plan.converts()) return;
    const bool chosen = std::ranges::any_of(plan.tensors, [](const auto& t) { return t.chooser != Chooser::none; });
    const bool misfit = std::ranges::any_of(plan.tensors, [](const auto& t) { return t.wanted.has_value(); });
    const std::string_view why = model.header().get_string("general.type") == "adapter"
                                     ? "the input is an adapter (general.type), whose tensors are not quantized"
                                 : plan.tensors.empty() ? "the input has no tensors"
                                 : misfit               ? "the rows suit no smaller type than they have"
                                 : chosen               ? "the tensors have these types already"
                                                        : "the input has no tensor of a kind that is quantized";
    console.error(
        fmt::format("note: nothing is quantized to {}: {}; all is copied, and general.file_type stays as it is",
                    plan.file_type->name, why));
}

void print_types(Console& console) {
    Table table({{.title = "TYPE"}, {.title = "NUMBER", .right = true}, {.title = "WHAT IT IS", .cut = Cut::end}});
    for (const FileType& type : file_types()) {
        std::string summary(type.summary);
        if (!can_quantize(type.default_type)) summary += "; only --dry-run so far";
        table.add({type.name, std::to_string(type.id), summary});
    }
    table.add({type_name(nullptr), "", "every tensor as it is: merges shards, splits, prunes, edits metadata"});
    table.print(console, console.width());
}

void print_plan(Console& console, const Request& request, const ggufkit::Output& output) {
    const Plan& plan = *output.plan;
    const bool split = plan.files.size() > 1;
    Table table({{.title = "TENSOR", .cut = Cut::middle},
                 {.title = "SHAPE"},
                 {.title = "TYPE"},
                 {.title = "BYTES", .right = true},
                 {.title = "FILE", .right = true},
                 {.title = "REASON", .cut = Cut::end, .style = Style::dim}});
    for (const PlannedTensor& tensor : plan.tensors) {
        const std::string from(format_of(tensor.from).name);
        table.add({printable(tensor.name), shape_text(shape(tensor)),
                   tensor.from == tensor.to ? from : fmt::format("{} → {}", from, format_of(tensor.to).name),
                   std::to_string(tensor.bytes_out), split ? std::to_string(tensor.file + 1) : "",
                   printable(tensor.reason)});
    }
    table.print(console, console.width());
    console.out.write("\n");
    print_conversions(console, plan);
    const std::string target = output.path == "-" ? "standard output" : files_text(output);
    console.out.write("\n");
    print_target(console, request);
    console.out.print("{}: {}; nothing was written\n", target, size_line(plan));
}

void print_summary(Console& console, const Request& request, std::span<const ggufkit::Output> outputs, double seconds) {
    std::uint64_t bytes_in = 0, bytes_out = 0;
    for (const auto& [plan, path] : outputs) {
        bytes_in = std::max(bytes_in, plan->bytes_in());
        for (const PlannedTensor& tensor : plan->tensors) bytes_out += tensor.bytes_out;
        console.out.print("{}: {}\n", console.paint(Style::bold, files_text({plan, path})), size_line(*plan));
        if (const auto compressed = compressed_bytes(path)) {
            console.out.print("compressed to {} ({} bytes)\n", human_bytes(*compressed), grouped(*compressed));
        }
        print_target(console, request);
        console.out.write("\n");
        print_conversions(console, *plan);
        console.out.write("\n");
    }
    const double in = static_cast<double>(bytes_in);
    console.out.print("{} of weights to {} ({:.1f} %) in {}", human_bytes(bytes_in), human_bytes(bytes_out),
                      in > 0 ? 100.0 * static_cast<double>(bytes_out) / in : 100.0, human_duration(seconds));
    if (seconds > 0) console.out.print(", {}/s", human_bytes(static_cast<std::uint64_t>(in / seconds)));
    console.out.write("\n");
}

}  // namespace ggufkit::tool::requant
