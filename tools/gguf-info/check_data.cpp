#include "check_data.hpp"

#include <algorithm>
#include <ggufkit/check_data.hpp>

#include "common/interrupt.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "common/text.hpp"

namespace ggufkit::info {

namespace {

// Those whose data can be found: what is wrong with the others is known already.
std::vector<ModelTensor> readable(const Model& model) {
    std::vector<ModelTensor> tensors;
    for (const ModelTensor& tensor : model.tensors()) {
        if (model.data(tensor)) tensors.push_back(tensor);
    }
    return tensors;
}

void report(const Model& model, const ModelTensor& tensor, const TensorFaults& faults,
            std::vector<Diagnostic>& diagnostics) {
    static const std::string_view rule = std::ranges::find(rules(), Errc::bad_quant, &Rule::code)->id;
    std::string subject = fmt::format("tensor '{}'", tensor.info->name);
    if (model.shard_count() > 1)
        subject = fmt::format("{}: {}", model.shard_path(tensor.shard).filename().string(), subject);
    const auto add = [&](std::optional<std::uint64_t> offset, std::string detail) {
        diagnostics.push_back({Severity::error,
                               {.code = Errc::bad_quant,
                                .rule = rule,
                                .offset = offset,
                                .subject = subject,
                                .detail = std::move(detail)}});
    };
    for (const DataFault& fault : faults.first) add(fault.offset, fault.text(*tensor.info->format));
    if (const std::uint64_t more = faults.blocks - faults.first.size(); more != 0) {
        add({},
            fmt::format("and {} more {}", cli::grouped(more), tensor.info->format->quantized() ? "blocks" : "weights"));
    }
}

}  // namespace

int check_data(cli::Console& console, Inspection& inspection, unsigned threads) {
    if (!inspection.model) return 0;
    const Model& model = *inspection.model;
    const std::vector<ModelTensor> tensors = readable(model);
    const cli::Interrupt interrupt;
    const auto found = [&] {
        cli::ProgressBar bar;
        const auto progress = [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); };
        return ggufkit::check_data(model, tensors,
                                   {.threads = threads, .progress = progress, .stop = interrupt.token()});
    }();
    if (!found) {
        const bool stopped = found.error().code == Errc::cancelled;
        console.error(stopped ? "cancelled" : cli::sentence(inspection.path, found.error()));
        return stopped ? cli::cancelled : 1;
    }
    for (const TensorFaults& faults : *found) report(model, tensors[faults.tensor], faults, inspection.diagnostics);
    return 0;
}

}  // namespace ggufkit::info
