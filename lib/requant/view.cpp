#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/detail/name_index.hpp>
#include <ggufkit/requant/view.hpp>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "core/try.hpp"
#include "requant/assembly.hpp"
#include "requant/piece_cache.hpp"

namespace ggufkit {

using requant::Assembly;
using requant::PieceCache;
using requant::Segment;
using requant::Workspace;

// make() behind a cache.
struct RequantView::State {
    const Model model;
    const Plan plan;
    std::optional<Assembly> assembly;  // looks at the plan; made once that is here
    mutable PieceCache cache;          // by number of segment
    detail::NameIndex by_name;

    // For by_name.
    auto name_of() const {
        return [this](std::uint32_t i) -> std::string_view { return plan.tensors[i].name; };
    }

    State(const Model& source, Plan of_source, std::uint64_t cache_bytes)
        : model(source), plan(std::move(of_source)), cache(cache_bytes) {
        for (std::uint32_t i = 0; i < plan.tensors.size(); ++i) by_name.insert(i, name_of());
    }

    const requant::FileSegments& file() const { return assembly->files().front(); }

    Result<PieceCache::Bytes> cached(std::uint64_t number, const Segment& segment) const {
        return cache.get(number, [&]() -> Result<PieceCache::Bytes> {
            std::unique_ptr<Workspace> workspace = take_workspace();
            TRY_LET(const auto bytes, requant::make(segment, *workspace));
            auto kept = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
            workspace->forget();  // the cache may drop the piece, and then it is read again
            const std::lock_guard lock(mutex_);
            idle_.push_back(std::move(workspace));
            return kept;
        });
    }

  private:
    // One that another piece was made in, where one is idle.
    std::unique_ptr<Workspace> take_workspace() const {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) return std::make_unique<Workspace>();
        auto workspace = std::move(idle_.back());
        idle_.pop_back();
        return workspace;
    }

    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<Workspace>> idle_;
};

namespace {

// Copies what of `bytes`, which begin at `at` in the file, lies within `out`, which begins at `offset`.
void place(std::span<const std::byte> bytes, std::uint64_t at, std::span<std::byte> out, std::uint64_t offset) {
    const std::uint64_t begin = std::max(at, offset);
    const std::uint64_t end = std::min(at + bytes.size(), offset + out.size());
    if (begin < end)
        std::ranges::copy(bytes.subspan(begin - at, end - begin),
                          out.begin() + static_cast<std::ptrdiff_t>(begin - offset));
}

// Makes the units from `begin` on that fill `out`, and no others.
Result<void> make_units(const requant::SourceTensor& tensor, std::uint64_t begin, std::span<std::byte> out) {
    const requant::Target& target = tensor.targets.front();
    Workspace workspace;
    while (!out.empty()) {
        const std::uint64_t units = std::min(tensor.piece_units, out.size() / target.unit_bytes);
        const Segment segment = requant::segment_of({&tensor, begin, units}, target);
        TRY_LET(const auto bytes, requant::make(segment, workspace));
        std::ranges::copy(bytes, out.begin());
        out = out.subspan(bytes.size());
        begin += units;
    }
    return {};
}

}  // namespace

Result<RequantView> RequantView::make(const Model& model, Plan plan, Options options) {
    auto state = std::make_shared<State>(model, std::move(plan), options.cache_bytes);
    TRY_LET(auto assembly, Assembly::of_one_file(state->model, state->plan));
    state->assembly.emplace(std::move(assembly));
    return RequantView(std::move(state));
}

RequantView::RequantView(std::shared_ptr<const State> state) : state_(std::move(state)) {}

const Plan& RequantView::plan() const { return state_->plan; }
std::uint64_t RequantView::size() const { return state_->plan.files.front().file_bytes; }

Result<void> RequantView::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > size() || out.size() > size() - offset) {
        return fail({.code = Errc::out_of_range,
                     .offset = offset,
                     .detail = fmt::format("{} bytes from there on are not all within the {} of the file", out.size(),
                                           size())});
    }
    const requant::FileSegments& file = state_->file();
    const std::uint64_t end = offset + out.size();
    for (std::uint64_t number = file.find(offset); number < file.count(); ++number) {
        const Segment segment = file.at(number);
        if (segment.offset >= end) break;
        if (segment.target == nullptr) {
            place(requant::frame_bytes(segment), segment.offset, out, offset);
            continue;
        }
        TRY_LET(const auto bytes, state_->cached(number, segment));
        place(*bytes, segment.offset, out, offset);
    }
    return {};
}

std::size_t RequantView::read_callback(void* view, void* out, std::size_t offset, std::size_t bytes) noexcept {
    const auto& self = *static_cast<const RequantView*>(view);
    if (offset > self.size()) return 0;
    const std::size_t there = std::min(bytes, self.size() - offset);
    try {
        return self.read(offset, {static_cast<std::byte*>(out), there}) ? there : 0;
    } catch (...) {  // must not pass through C
        return 0;
    }
}

Result<TensorView> RequantView::tensor(std::string_view name) const {
    const std::uint32_t found = state_->by_name.find(name, state_->name_of());
    if (found != detail::NameIndex::none) return TensorView(state_, found);
    return fail({.code = Errc::not_found,
                 .subject = fmt::format("tensor '{}'", name),
                 .detail = "the plan has no such tensor"});
}

const PlannedTensor& TensorView::planned() const { return view_->plan.tensors[index_]; }

Result<std::uint64_t> TensorView::row_bytes(TensorType type) const {
    auto bytes = ggufkit::row_bytes(format_of(type), planned().ne[0]);
    if (!bytes) bytes.error().subject = fmt::format("tensor '{}'", planned().name);
    return bytes;
}

Result<void> TensorView::rows(std::uint64_t first, std::uint64_t count, TensorType type,
                              std::span<std::byte> out) const {
    const PlannedTensor& tensor = planned();
    const auto refuse = [&](Errc code, std::string detail) {
        return fail({.code = code, .subject = fmt::format("tensor '{}'", tensor.name), .detail = std::move(detail)});
    };
    TRY_LET(const auto one_row, row_bytes(type));
    const std::uint64_t all = tensor.rows();
    if (first > all || count > all - first) {
        return refuse(Errc::out_of_range, fmt::format("of {} rows there are no {} from row {} on", all, count, first));
    }
    if (out.size() != count * one_row) {
        return refuse(Errc::bad_argument,
                      fmt::format("{} rows take {} bytes, not {}", count, count * one_row, out.size()));
    }
    PlannedTensor wanted = tensor;
    wanted.to = type;
    wanted.bytes_out = all * one_row;
    TRY(check_executable(wanted));
    TRY_LET(auto source, requant::find_source(view_->model, wanted));
    const bool converts = wanted.from != wanted.to;
    source.targets.push_back({.tensor = &wanted, .effort = view_->plan.effort, .checked = converts});
    requant::divide(source);
    return out.empty() ? Result<void>{} : make_units(source, first * (source.units / all), out);
}

Result<void> TensorView::rows(std::uint64_t first, std::uint64_t count, std::span<float> out) const {
    return rows(first, count, TensorType::F32, std::as_writable_bytes(out));
}

}  // namespace ggufkit
