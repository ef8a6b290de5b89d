#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <ggufkit/detail/name_index.hpp>
#include <ggufkit/requant_view.hpp>
#include <mutex>
#include <new>
#include <vector>

#include "requant/job.hpp"
#include "requant/pieces.hpp"
#include "view/piece_cache.hpp"

namespace ggufkit {

using requant::Job;
using requant::PieceCache;
using requant::Pieces;
using requant::Tile;

struct RequantView::State {
    const Model& model;
    Pieces pieces;
    mutable PieceCache cache;
    detail::NameIndex by_name;

    // For by_name.
    auto name_of() const {
        return [this](std::uint32_t i) -> std::string_view { return pieces.plan().tensors[i].name; };
    }

    State(const Model& source, Pieces plan_pieces, std::uint64_t cache_bytes)
        : model(source), pieces(std::move(plan_pieces)), cache(cache_bytes) {
        for (std::uint32_t i = 0; i < pieces.plan().tensors.size(); ++i) by_name.insert(i, name_of());
    }

    Result<PieceCache::Bytes> piece(std::uint64_t number) const {
        return cache.get(number, [&] { return make_piece(number); });
    }

  private:
    Result<PieceCache::Bytes> make_piece(std::uint64_t number) const {
        std::unique_ptr<Tile> tile = take_tile();
        const auto piece = pieces.make_piece(number, *tile);
        if (!piece) return fail(piece.error());
        auto bytes = std::make_shared<const std::vector<std::byte>>(piece->bytes.begin(), piece->bytes.end());
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(tile));
        return bytes;
    }

    // One that another piece was made in, where one is idle.
    std::unique_ptr<Tile> take_tile() const {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto tile = std::move(idle_.back());
                idle_.pop_back();
                return tile;
            }
        }
        return std::make_unique<Tile>(pieces.jobs());
    }

    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<Tile>> idle_;
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

// A plan of one tensor alone, in another type and in native byte order.
Plan plan_of_one(const Plan& plan, const PlannedTensor& tensor, TensorType type, std::uint64_t bytes) {
    Plan one;
    one.effort = plan.effort;
    one.tensors = {tensor};
    one.tensors[0].to = type;
    one.tensors[0].bytes_out = bytes;
    one.tensors[0].file = 0;
    one.tensors[0].offset = 0;
    one.files.emplace_back().file_bytes = bytes;
    return one;
}

// Makes the units from `begin` on that fill `out`, and no others. A piece begins at a multiple of its size, so the range is
// cut at powers of two.
Result<void> make_units(Job job, std::uint64_t begin, std::uint64_t units, std::span<std::byte> out) {
    const std::uint64_t unit_bytes = out.size() / units;
    const std::uint64_t most = std::bit_floor(std::min(job.piece_units, units));
    job.piece_units = most;
    Tile tile({&job, 1});
    for (std::uint64_t at = begin, end = begin + units; at < end; at += job.piece_units) {
        job.piece_units = std::min(most, std::bit_floor(end - at));
        if (at != 0) job.piece_units = std::min(job.piece_units, std::uint64_t{1} << std::countr_zero(at));
        const auto piece = requant::make_piece(job, at / job.piece_units, tile);
        if (!piece) return fail(piece.error());
        std::ranges::copy(piece->bytes, out.begin() + static_cast<std::ptrdiff_t>((at - begin) * unit_bytes));
    }
    return {};
}

}  // namespace

Result<RequantView> RequantView::make(const Model& model, const Plan& plan, Options options) {
    auto pieces = Pieces::make(model, plan);
    if (!pieces) return fail(std::move(pieces).error());
    return RequantView(std::make_unique<State>(model, *std::move(pieces), options.cache_bytes));
}

RequantView::RequantView(std::unique_ptr<State> state) : state_(std::move(state)) {}
RequantView::RequantView(RequantView&&) noexcept = default;
RequantView& RequantView::operator=(RequantView&&) noexcept = default;
RequantView::~RequantView() = default;

const Plan& RequantView::plan() const { return state_->pieces.plan(); }
std::uint64_t RequantView::size() const { return state_->pieces.file_bytes(); }

Result<void> RequantView::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > size() || out.size() > size() - offset) {
        return fail({.code = Errc::out_of_range,
                     .offset = offset,
                     .detail = fmt::format("{} bytes from there on are not all within the {} of the file", out.size(),
                                           size())});
    }
    const Pieces& pieces = state_->pieces;
    std::ranges::fill(out, std::byte{0});  // padding is what nothing else is
    place(pieces.header(), 0, out, offset);
    const std::uint64_t end = offset + out.size();
    for (std::uint64_t number = pieces.first_behind(offset); number < pieces.count(); ++number) {
        const auto [piece_begin, piece_end] = pieces.range(number);
        if (piece_begin >= end) break;
        const auto bytes = state_->piece(number);
        if (!bytes) return fail(bytes.error());
        place(**bytes, piece_begin, out, offset);
    }
    return {};
}

std::size_t RequantView::read_callback(void* view, void* out, std::size_t offset, std::size_t bytes) noexcept {
    const auto& self = *static_cast<const RequantView*>(view);
    if (offset > self.size()) return 0;
    const std::size_t there = std::min(bytes, self.size() - offset);
    try {
        return self.read(offset, {static_cast<std::byte*>(out), there}) ? there : 0;
    } catch (const std::bad_alloc&) {  // which must not pass through C
        return 0;
    }
}

Result<TensorView> RequantView::tensor(std::string_view name) const {
    const std::uint32_t found = state_->by_name.find(name, state_->name_of());
    if (found != detail::NameIndex::none) return TensorView(*state_, found);
    return fail({.code = Errc::not_found,
                 .subject = fmt::format("tensor '{}'", name),
                 .detail = "the plan has no such tensor"});
}

const PlannedTensor& TensorView::planned() const { return view_->pieces.plan().tensors[index_]; }

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
    const auto one_row = row_bytes(type);
    if (!one_row) return fail(one_row.error());
    const std::uint64_t all = tensor.rows();
    if (first > all || count > all - first) {
        return refuse(Errc::out_of_range, fmt::format("of {} rows there are no {} from row {} on", all, count, first));
    }
    if (out.size() != count * *one_row) {
        return refuse(Errc::bad_argument,
                      fmt::format("{} rows take {} bytes, not {}", count, count * *one_row, out.size()));
    }
    const Plan one = plan_of_one(view_->pieces.plan(), tensor, type, all * *one_row);
    if (auto possible = check_executable(one); !possible) return possible;
    const auto job = requant::make_job(view_->model, one, one.tensors.front());
    if (!job) return fail(job.error());
    if (out.empty()) return {};
    const std::uint64_t row_units = job->units / all;
    return make_units(*job, first * row_units, count * row_units, out);
}

Result<void> TensorView::rows(std::uint64_t first, std::uint64_t count, std::span<float> out) const {
    return rows(first, count, TensorType::F32, std::as_writable_bytes(out));
}

}  // namespace ggufkit
