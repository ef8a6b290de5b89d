#include "target.hpp"

#include <fmt/format.h>

#include <ggufkit/inspect/memory.hpp>

#include "common/interrupt.hpp"
#include "common/progress.hpp"
#include "common/size.hpp"

namespace ggufkit::tool::requant {

namespace {

tl::unexpected<Error> misuse(std::string detail) {
    return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
}

Result<target::Measurement> measure_visibly(const Model& model, const Recipe& recipe, unsigned threads) {
    const Interrupt interrupt;
    ProgressBar bar("tensors measured");
    return target::measure(model, recipe,
                           {.work = {.threads = threads,
                                     .progress = [&](const Progress& now) { bar.update(now); },
                                     .stop = interrupt.token()}});
}

// What a device has, and what of it the weights cannot have; nothing where the target is none.
Result<std::optional<Request::DeviceRoom>> room_on_device(const Console& console, const Model& model,
                                                          const Target& target) {
    if (!target.device) return std::nullopt;
    const auto memory = estimate_memory(model, {.context = target.context});
    if (!memory) return fail(memory.error());
    for (const std::string& assumption : memory->assumptions) {
        console.error(fmt::format("note: the memory that the model takes is estimated: {}", assumption));
    }
    if (memory->besides_weights() < *target.device) {
        return Request::DeviceRoom{*target.device, memory->context, memory->kv_cache + memory->recurrent,
                                   memory->compute};
    }
    return fail({.code = Errc::out_of_range,
                 .subject = target.flag,
                 .detail = fmt::format("is too small: for {} tokens of context, cache and buffers alone take {} bytes",
                                       memory->context, memory->besides_weights())});
}

Error too_small(const Error& error, const Target& target, const Recipe& recipe) {
    return {.code = error.code,
            .subject = target.flag,
            .detail = fmt::format("is too small: {}{}", error.detail,
                                  recipe.mix()->imatrix == nullptr ? "; with --imatrix there are smaller types" : "")};
}

}  // namespace

Result<std::optional<Target>> target_of(const Options& options) {
    Target target;
    if (options.target_bpw) {
        const auto bits = read_bits(*options.target_bpw);
        if (!bits) return fail(bits.error());
        target.bits = *bits;
        target.label = *options.target_bpw + "bpw";
        target.flag = "--target-bpw " + *options.target_bpw;
        return target;
    }
    const auto& size = options.target_size ? options.target_size : options.target_device;
    if (!size) return std::nullopt;
    const auto bytes = read_size(*size);
    if (!bytes) return fail(bytes.error());
    target.label = *size;
    if (options.target_size) {
        target.bytes = *bytes;
        target.flag = "--target-size " + *size;
        return target;
    }
    target.device = *bytes;
    target.context = options.ctx.value_or(0);
    target.label += options.ctx ? fmt::format("-ctx{}", *options.ctx) : "-device";
    target.flag = "--target-device " + *size;
    return target;
}

Result<void> check_target(const Request& request, const Recipe& recipe) {
    if (request.outputs.size() != 1) return misuse("a target is for one output");
    if (request.outputs.front().copy)
        return misuse("COPY keeps every tensor as it is: a target has no types to choose");
    if (recipe.mix()->pure) return misuse("--pure has one type for all: a target has no types to choose");
    return {};
}

Result<Plan> reach(const Console& console, const Model& model, const Recipe& recipe, const Target& target,
                   Request& request) {
    const auto room = room_on_device(console, model, target);
    if (!room) return fail(room.error());
    const auto measurement = measure_visibly(model, recipe, request.threads);
    if (!measurement) return fail(measurement.error());
    const std::uint64_t budget = *room         ? (*room)->bytes - (*room)->cache - (*room)->compute
                                 : target.bits ? target::budget_of(*measurement, *target.bits)
                                               : *target.bytes;
    auto made = target::fit(model, recipe, *measurement, budget);
    if (!made && made.error().code == Errc::out_of_range) return fail(too_small(made.error(), target, recipe));
    if (!made) return fail(std::move(made).error());
    request.reached = {budget, made->solution.loss, made->solution.bound, *room};
    if (made->solution.loss == 0) {
        console.error("note: the target leaves room for every tensor as it is; nothing is converted that need not be");
    }
    return std::move(made->plan);
}

}  // namespace ggufkit::tool::requant
