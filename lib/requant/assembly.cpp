#include "requant/assembly.hpp"

#include <fmt/format.h>

#include <iterator>
#include <limits>
#include <utility>

#include "core/try.hpp"
#include "requant/runner.hpp"

namespace ggufkit::requant {

namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

// A plan that only copies must not depend on what it copies.
bool checks(const Plan& plan) { return plan.file_type != nullptr || plan.converts(); }

}  // namespace

Segment FileSegments::at(std::uint64_t number) const {
    const Part& part = *std::prev(std::ranges::upper_bound(parts_, number, {}, &Part::first));
    return at(part, number - part.first);
}

Segment FileSegments::at(const Part& part, std::uint64_t index) const {
    if (part.target != nullptr) return segment_of(part.source->piece(index), *part.target);
    const std::uint64_t begin = part.begin + index * part.step, bytes = std::min(part.step, part.end - begin);
    const auto header = part.header.empty() ? part.header : part.header.subspan(begin, bytes);
    return {.file = file_, .offset = begin, .bytes = bytes, .header = header};
}

std::uint64_t FileSegments::find(std::uint64_t offset) const {
    const auto part = std::ranges::upper_bound(parts_, offset, {}, &Part::end);
    return part == parts_.end() ? count() : part->first + (offset - part->begin) / part->step;
}

void FileSegments::add(Part part) {
    part.first = count();
    if (part.begin < part.end) parts_.push_back(part);
}

// What is no whole number of the longest segments comes first.
void FileSegments::add_padding(std::uint64_t begin, std::uint64_t end) {
    const std::uint64_t middle = begin + (end - begin) % longest_frame_segment;
    add({.begin = begin, .end = middle, .step = longest_frame_segment, .first = 0});
    add({.begin = middle, .end = end, .step = longest_frame_segment, .first = 0});
}

Result<Assembly> Assembly::make(const Model& model, std::vector<const Plan*> plans,
                                const std::function<bool(const PlannedTensor&)>& wanted) {
    Assembly made(std::move(plans));
    const std::uint64_t identity = model.identity();
    std::vector<std::size_t> tensor_of_source(model.tensors().size(), none);
    std::size_t files = 0;
    for (std::uint32_t number = 0; number < made.plans_.size(); ++number) {
        const Plan& plan = *made.plans_[number];
        TRY(check_executable(plan));
        if (plan.model != identity) {
            return fail({.code = Errc::bad_argument, .detail = "the plan was not made from this model"});
        }
        const bool checked = checks(plan);
        for (const PlannedTensor& tensor : plan.tensors) {
            if (wanted && !wanted(tensor)) continue;
            TRY_LET(auto source, find_source(model, tensor));
            std::size_t& index = tensor_of_source[tensor.source];
            if (index == none) {
                index = made.tensors_.size();
                made.tensors_.push_back(std::move(source));
            }
            made.tensors_[index].targets.push_back({.tensor = &tensor,
                                                    .plan = number,
                                                    .file = files + tensor.file,
                                                    .effort = plan.effort,
                                                    .big_endian = plan.byte_order == ByteOrder::big,
                                                    .checked = checked});
        }
        files += plan.files.size();
    }
    for (SourceTensor& tensor : made.tensors_) {
        divide(tensor);
        made.first_.push_back(made.first_.back() + tensor.pieces());
    }
    for (std::uint32_t number = 0; number < made.plans_.size(); ++number) {
        TRY(made.add_files(number, tensor_of_source));
    }
    return made;
}

Result<void> Assembly::add_files(std::uint32_t number, std::span<const std::size_t> tensor_of_source) {
    const Plan& plan = *plans_[number];
    const std::size_t first_file = files_.size();
    std::vector<std::uint64_t> ends;
    for (const Layout& layout : plan.files) {
        FileSegments& file = files_.emplace_back();
        file.file_ = files_.size() - 1;
        file.add({.begin = 0,
                  .end = layout.header.size(),
                  .step = longest_frame_segment,
                  .first = 0,
                  .header = layout.header});
        ends.push_back(layout.header.size());
        layouts_.push_back(&layout);
    }
    for (const PlannedTensor& tensor : plan.tensors) {
        const std::size_t index = tensor_of_source[tensor.source];
        if (index == none) continue;
        const SourceTensor& source = tensors_[index];
        const auto target = std::ranges::find(source.targets, &tensor, &Target::tensor);
        std::uint64_t& end = ends[tensor.file];
        const std::uint64_t size = plan.files[tensor.file].file_bytes;
        if (tensor.offset < end || tensor.offset > size || tensor.bytes_out > size - tensor.offset) {
            return fail({.code = Errc::bad_argument,
                         .subject = fmt::format("tensor '{}'", tensor.name),
                         .detail = "the plan does not put it behind what comes before it"});
        }
        FileSegments& file = files_[first_file + tensor.file];
        file.add_padding(end, tensor.offset);
        end = tensor.offset + tensor.bytes_out;
        file.add({.begin = tensor.offset,
                  .end = end,
                  .step = source.piece_units * target->unit_bytes,
                  .first = 0,
                  .source = &source,
                  .target = &*target});
    }
    for (std::size_t i = 0; i < ends.size(); ++i) files_[first_file + i].add_padding(ends[i], plan.files[i].file_bytes);
    return {};
}

Result<Assembly> Assembly::of_one_file(const Model& model, const Plan& plan) {
    if (plan.files.size() != 1) {
        return fail({.code = Errc::unsupported,
                     .detail = fmt::format("the plan is of {} files, which have no one view", plan.files.size())});
    }
    TRY_LET(auto made, make(model, {&plan}));
    TRY(choose_workers(made, 1, 1));
    return made;
}

Piece Assembly::piece(std::uint64_t number) const {
    const auto tensor = static_cast<std::size_t>(std::ranges::upper_bound(first_, number) - first_.begin()) - 1;
    return tensors_[tensor].piece(number - first_[tensor]);
}

std::uint64_t Assembly::source_bytes(std::uint64_t pieces) const {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < tensors_.size() && first_[i] < pieces; ++i) {
        const SourceTensor& tensor = tensors_[i];
        bytes += std::min(tensor.units, (pieces - first_[i]) * tensor.piece_units) * tensor.unit_bytes;
    }
    return bytes;
}

std::uint64_t Assembly::workspace_bytes() const {
    std::uint64_t bytes = 0;
    for (const SourceTensor& tensor : tensors_) bytes = std::max(bytes, tensor.workspace_bytes());
    return bytes;
}

}  // namespace ggufkit::requant
