// What one or more plans make of a model: output files as ordered lists of segments.
//
// Two orders lead through the work. Pieces are numbered through, tensor after tensor, and each becomes a
// segment of every output that has the tensor: so that a source is read once. Segments of one file are numbered
// from its first byte to its last, headers and padding among them. Any of them can be made alone, in any order,
// by any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/plan.hpp>
#include <span>
#include <vector>

#include "core/try.hpp"
#include "requant/segment.hpp"

namespace ggufkit::requant {

// A header, a tensor or padding: a run of segments that are equally long, but for the last one.
struct Part {
    std::uint64_t begin;  // in the file
    std::uint64_t end;
    std::uint64_t step;                    // bytes of a segment
    std::uint64_t first;                   // number of its first segment
    const SourceTensor* source = nullptr;  // of a tensor
    const Target* target = nullptr;
    std::span<const std::byte> header{};  // of a header

    std::uint64_t count() const { return (end - begin + step - 1) / step; }
};

// One output file, from its first byte to its last.
class FileSegments {
  public:
    std::span<const Part> parts() const { return parts_; }
    std::uint64_t count() const { return parts_.empty() ? 0 : parts_.back().first + parts_.back().count(); }
    Segment at(std::uint64_t number) const;
    std::uint64_t find(std::uint64_t offset) const;  // the segment that has this byte; count() where there is none

    // Gives each segment of the header and of padding to `take`, which returns Result<void>.
    template <class Take>
    Result<void> each_of_frame(Take&& take) const {
        for (const Part& part : parts_) {
            for (std::uint64_t i = 0; part.target == nullptr && i < part.count(); ++i) {
                TRY(take(at(part, i)));
            }
        }
        return {};
    }

  private:
    friend class Assembly;
    Segment at(const Part& part, std::uint64_t index) const;
    void add(Part part);  // dropped where it has no bytes
    void add_padding(std::uint64_t begin, std::uint64_t end);

    std::size_t file_ = 0;
    std::vector<Part> parts_;
};

class Assembly {
  public:
    // Borrows the plans. With `wanted`, of these tensors only. Errors: those of check_executable() and Model::data();
    // BAD_ARGUMENT (a plan of another model, tensors that are not one after the other).
    static Result<Assembly> make(const Model& model, std::vector<const Plan*> plans,
                                 const std::function<bool(const PlannedTensor&)>& wanted = {});
    // Of a plan of one file, whose segments can be made one by one. Errors: the same; UNSUPPORTED (several files, rows
    // that are too long for any worker).
    static Result<Assembly> of_one_file(const Model& model, const Plan& plan);

    Assembly(Assembly&&) = default;
    Assembly& operator=(Assembly&&) = default;

    std::span<const Plan* const> plans() const { return plans_; }
    std::span<const SourceTensor> tensors() const { return tensors_; }
    std::span<const FileSegments> files() const { return files_; }
    const Layout& layout(std::size_t file) const { return *layouts_[file]; }

    std::uint64_t pieces() const { return first_.back(); }
    Piece piece(std::uint64_t number) const;
    std::uint64_t source_bytes(std::uint64_t pieces) const;  // of the first so many pieces
    std::uint64_t source_bytes() const { return source_bytes(pieces()); }
    std::uint64_t workspace_bytes() const;  // enough for any piece

  private:
    explicit Assembly(std::vector<const Plan*> plans) : plans_(std::move(plans)) {}
    Result<void> add_files(std::uint32_t plan, std::span<const std::size_t> tensor_of_source);

    std::vector<const Plan*> plans_;
    std::vector<SourceTensor> tensors_;    // in the order of the first plan that has them
    std::vector<std::uint64_t> first_{0};  // piece of each tensor, and the number of all
    std::vector<FileSegments> files_;      // of the first plan, of the second, …
    std::vector<const Layout*> layouts_;
};

}  // namespace ggufkit::requant
