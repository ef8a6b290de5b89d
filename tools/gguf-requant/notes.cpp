// What a user has to know of a plan before and after it is carried out, on standard error.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/text.hpp"
#include "views.hpp"

namespace ggufkit::tool::requant {

namespace {

// "a, b, c, d and 3 more".
std::string some_of(const std::vector<std::string_view>& names) {
    constexpr std::size_t shown = 4;
    if (names.size() <= shown + 1) return fmt::format("{}", fmt::join(names, ", "));
    return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + shown, ", "), names.size() - shown);
}

std::string counted_tensors(std::size_t count, std::string_view one, std::string_view several) {
    return fmt::format("{} {}", counted(count, "tensor"), count == 1 ? one : several);
}

// Tensors that cannot be made for one reason.
struct Lacking {
    std::vector<std::string_view> names;
    std::set<std::string_view> types;
    std::string detail;  // of the first
};

std::string why(ImatrixGap::Kind kind, const Lacking& lacking, const Plan& plan) {
    const std::size_t count = lacking.names.size();
    const std::string types = fmt::format("{}", fmt::join(lacking.types, ", "));
    const std::string file = plan.imatrix == nullptr ? "" : plan.imatrix->origin().file;
    switch (kind) {
        case ImatrixGap::Kind::no_imatrix:
            return fmt::format("{} an imatrix ({} in the file type {}), and there is no --imatrix",
                               counted_tensors(count, "needs", "need"), types, plan.file_type->name);
        case ImatrixGap::Kind::no_entry:
            return fmt::format("{} no entry in {}, and {} needs one", counted_tensors(count, "has", "have"), file,
                               types);
        case ImatrixGap::Kind::uncounted:
            return fmt::format("{} only counts of 0 in {}, so no importance, and {} needs it",
                               counted_tensors(count, "has", "have"), file, types);
        case ImatrixGap::Kind::other_size:
            return fmt::format("{} an entry of another size in {} ({})", counted_tensors(count, "has", "have"), file,
                               lacking.detail);
    }
    return {};
}

}  // namespace

bool report_gaps(const Console& console, const Plan& plan) {
    std::map<std::string_view, std::vector<std::string_view>> tolerated;
    std::map<ImatrixGap::Kind, Lacking> fatal;
    for (const ImatrixGap& gap : plan.imatrix_gaps) {
        const PlannedTensor& tensor = plan.tensors[gap.tensor];
        if (!gap.fatal) {
            tolerated[gap.detail].push_back(tensor.name);
            continue;
        }
        Lacking& lacking = fatal[gap.kind];
        if (lacking.names.empty()) lacking.detail = gap.detail;
        lacking.names.push_back(tensor.name);
        lacking.types.insert(format_of(tensor.to).name);
    }
    for (const auto& [kind, lacking] : fatal) {
        console.error(fmt::format("{}: {}; --imatrix-missing warn makes {} without, --tensor-type gives {}",
                                  why(kind, lacking, plan), some_of(lacking.names),
                                  lacking.names.size() == 1 ? "it" : "them",
                                  lacking.names.size() == 1 ? "it another type" : "them other types"));
    }
    for (const auto& [detail, names] : tolerated) {
        console.error(fmt::format("note: made without importance, {}: {}", detail, some_of(names)));
    }
    return !fatal.empty();
}

void report_notes(const Console& console, std::span<const ggufkit::Output> outputs) {
    std::set<std::string> said;
    for (const ggufkit::Output& output : outputs) {
        for (const PlanNote& note : notes_of(*output.plan)) {
            const std::vector<std::string_view> names(note.names.begin(), note.names.end());
            // A wish that could not be met names all that it was for.
            const bool all = note.kind == PlanNote::Kind::forced_fallback;
            const std::string line = fmt::format("note: {}: {}", note.text,
                                                 all ? fmt::format("{}", fmt::join(names, ", ")) : some_of(names));
            if (said.insert(line).second) console.error(line);
        }
    }
}

void report_misfits(const Console& console, const Plan& plan, std::span<const Misfit> misfits,
                    std::string_view written) {
    std::vector<std::string> names;
    for (const auto& [index, row, greatest] : misfits) {
        const PlannedTensor& tensor = plan.tensors[index];
        names.push_back(fmt::format("{} ({}, values to {:.3g})", tensor.name, format_of(tensor.to).name, greatest));
    }
    const bool one = names.size() == 1;
    console.error(fmt::format("{} values too large for {}: {}; BF16 or F32 holds them: --tensor-type '{}=BF16'{}; {}",
                              counted_tensors(names.size(), "has", "have"), one ? "its type" : "their types",
                              fmt::join(names, ", "), plan.tensors[misfits.front().tensor].name,
                              one ? "" : " and so on", written));
}

}  // namespace ggufkit::tool::requant
