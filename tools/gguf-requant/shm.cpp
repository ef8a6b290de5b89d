#include "shm.hpp"

#include <chrono>
#include <ggufkit/requant/shared.hpp>
#include <optional>

#include "common/interrupt.hpp"
#include "common/progress.hpp"
#include "core/text.hpp"
#include "views.hpp"

namespace ggufkit::tool::requant {

namespace {

std::string_view story(Materialized how) {
    switch (how) {
        case Materialized::found: return "is there already, made of the same input in the same way";
        case Materialized::awaited: return "was made by another process meanwhile";
        case Materialized::resumed: return "was begun by a process that has died; the rest was made here";
        case Materialized::made: break;
    }
    return {};
}

}  // namespace

Result<void> share(Console& console, const Model& model, const Request& request, const ggufkit::Output& output,
                   const Sharing& sharing) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    const auto how = [&] {
        const Interrupt interrupt;
        ProgressBar bar;
        return materialize(model, *output.plan, sharing.name,
                           {.work = {.threads = request.threads,
                                     .progress = [&](const Progress& progress) { bar.update(progress); },
                                     .stop = interrupt.token()},
                            .replace = sharing.replace});
    }();
    if (!how) return fail(how.error());
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const bool here = *how == Materialized::made || *how == Materialized::resumed;
    if (sharing.json) {
        print_json(console, request, output, here ? std::optional(seconds) : std::nullopt, std::nullopt);
        return {};
    }
    if (*how != Materialized::made) console.out.print("{} {}\n", printable(output.path.string()), story(*how));
    if (here) print_summary(console, request, {&output, 1}, seconds);
    return {};
}

}  // namespace ggufkit::tool::requant
