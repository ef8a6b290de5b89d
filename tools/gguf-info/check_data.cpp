#include "check_data.hpp"

#include <algorithm>
#include <ggufkit/inspect/check_data.hpp>
#include <utility>

#include "common/interrupt.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "common/text.hpp"
#include "container/rules.hpp"

namespace ggufkit::tool::info {

namespace {

// Those whose data can be found and is no other tensor's: what is wrong with the others is known already. So no byte of a
// file is read twice.
std::vector<ModelTensor> readable(const Model& model) {
    std::vector<ModelTensor> tensors;
    for (const ModelTensor& tensor : model.tensors()) {
        if (model.data(tensor)) tensors.push_back(tensor);
    }
    const auto place = [](const ModelTensor& tensor) { return std::pair(tensor.shard, tensor.info->offset); };
    std::ranges::stable_sort(tensors, {}, place);
    std::uint32_t shard = 0;
    std::uint64_t end = 0;
    std::erase_if(tensors, [&](const ModelTensor& tensor) {
        if (tensor.shard != std::exchange(shard, tensor.shard)) end = 0;
        if (tensor.info->offset < end) return true;
        end = tensor.info->offset + tensor.info->bytes().value_or(0);
        return false;
    });
    std::ranges::sort(tensors, {}, [](const ModelTensor& tensor) { return std::pair(tensor.shard, tensor.info); });
    return tensors;
}

void report_zeros(const Model& model, std::span<const ModelTensor> tensors, const DataFindings& found, bool strict,
                  std::vector<Diagnostic>& diagnostics) {
    const Rule& rule = container::rule(container::R::no_gaps);
    for (const ZeroRun& run : found.zeros) {
        const std::string where = run.to_the_end ? "from here on" : fmt::format("from here to 0x{:x}", run.end);
        diagnostics.push_back(
            {strict ? Severity::error : Severity::warning,
             {.code = rule.code,
              .rule = rule.id,
              .offset = run.begin,
              .subject = model.shard_count() == 1 ? "file" : model.shard_path(run.shard).filename().string(),
              .detail =
                  fmt::format("holds nothing but zeros {}, beginning in tensor '{}': {} of {} all zeros; the download "
                              "may be unfinished: compare the file's hash or download it again",
                              where, tensors[run.first_tensor].info->name, grouped(found.zero_tensors),
                              tensors.size() == 1 ? "1 tensor is" : grouped(tensors.size()) + " tensors are")}});
    }
}

void report(const Model& model, const ModelTensor& tensor, const TensorFaults& faults,
            std::vector<Diagnostic>& diagnostics) {
    const std::string_view rule = container::rule(container::R::finite_scales).id;
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
        add({}, fmt::format("and {} more {}", grouped(more), tensor.info->format->quantized() ? "blocks" : "weights"));
    }
}

}  // namespace

int check_data(Console& console, Inspection& inspection, const ValidateOptions& rules, unsigned threads) {
    if (!inspection.model) return 0;
    const Model& model = *inspection.model;
    const std::vector<ModelTensor> tensors = readable(model);
    const Interrupt interrupt;
    const auto found = [&] {
        ProgressBar bar;
        const auto progress = [&](const Progress& now) { bar.update(now); };
        return ggufkit::check_data(model, tensors,
                                   {.threads = threads, .progress = progress, .stop = interrupt.token()});
    }();
    if (!found) {
        const bool stopped = found.error().code == Errc::cancelled;
        console.error(stopped ? "cancelled" : sentence(inspection.path, found.error()));
        return stopped ? cancelled : 1;
    }
    report_zeros(model, tensors, *found, rules.strict, inspection.diagnostics);
    for (const TensorFaults& faults : found->faults) {
        report(model, tensors[faults.tensor], faults, inspection.diagnostics);
    }
    return 0;
}

}  // namespace ggufkit::tool::info
