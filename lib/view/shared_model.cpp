#include <fcntl.h>
#include <fmt/format.h>

#include <ggufkit/materialize.hpp>
#include <utility>

#include "io/mapped_file.hpp"
#include "io/read_at.hpp"
#include "requant/pieces.hpp"
#include "view/patience.hpp"
#include "view/segment.hpp"

namespace ggufkit {

using requant::Pieces;
using requant::Segment;
using requant::SegmentNames;
using requant::Wait;

namespace {

// Without its maker a file is given up only after a while: the next one may be about to take it over.
constexpr int looks_before_giving_up = std::chrono::milliseconds(500) / Wait::step;

// The file that a segment is about, under whichever name it has.
io::FileHandle open_data(const SegmentNames& names, const Segment& segment) {
    for (const auto& path : {names.partial, names.data, names.partial, names.data}) {
        io::FileHandle file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
        const auto stamp = requant::stamp_of(file.get());
        if (stamp && stamp->inode == segment.data().inode) return file;
    }
    return io::FileHandle();
}

}  // namespace

struct SharedModel::State {
    Pieces pieces;
    SegmentNames names;
    Segment segment;
    io::FileHandle data;

    Result<void> check_range(std::uint64_t offset, std::uint64_t bytes) const {
        if (offset <= pieces.file_bytes() && bytes <= pieces.file_bytes() - offset) return {};
        return fail({.code = Errc::out_of_range,
                     .offset = offset,
                     .subject = names.data.string(),
                     .detail = fmt::format("{} bytes from there on are not all within the {} of the file", bytes,
                                           pieces.file_bytes())});
    }

    // The first piece from `number` on that is not ready and has bytes below `end`; count() where there is none.
    std::uint64_t first_missing(std::uint64_t number, std::uint64_t end) const {
        for (; number < pieces.count() && pieces.range(number).begin < end; ++number) {
            if (!segment.is_ready(number)) return number;
        }
        return pieces.count();
    }

    Result<void> await(std::uint64_t offset, std::uint64_t end, const Patience& patience) const {
        Wait wait(patience);
        int looks = 0;
        std::uint64_t number = pieces.first_behind(offset);
        while ((number = first_missing(number, end)) < pieces.count()) {
            looks = segment.is_abandoned() ? looks + 1 : 0;
            if (looks > looks_before_giving_up && !segment.is_ready(number)) {
                return fail({.code = Errc::not_found,
                             .subject = names.data.string(),
                             .detail = "is not complete, and nobody makes the rest of it"});
            }
            if (auto paused = wait.pause(names.data); !paused) return paused;
        }
        return {};
    }
};

Result<SharedModel> SharedModel::open(const Model& model, const Plan& plan, std::string_view name) {
    auto names = SegmentNames::of(name);
    if (!names) return fail(std::move(names).error());
    auto pieces = Pieces::make(model, plan);
    if (!pieces) return fail(std::move(pieces).error());
    const auto refuse = [&](Errc code, std::string detail) {
        return fail({.code = code, .subject = names->data.string(), .detail = std::move(detail)});
    };
    auto segment = Segment::open(*names, false);
    const bool begun = segment && !segment->run().empty();
    if (!begun && (segment || segment.error().code == Errc::not_found)) {
        return refuse(Errc::not_found, "nobody has begun to make it");
    }
    if (!segment) return fail(std::move(segment).error());
    if (!segment->is_of(pieces->run_digest(model), pieces->count())) {
        return refuse(Errc::io_exists, "is made of another plan or another input");
    }
    io::FileHandle data = open_data(*names, *segment);
    if (data.get() < 0) return refuse(Errc::not_found, "was removed");
    return SharedModel(
        std::make_unique<State>(State{*std::move(pieces), *std::move(names), *std::move(segment), std::move(data)}));
}

SharedModel::SharedModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
SharedModel::SharedModel(SharedModel&&) noexcept = default;
SharedModel& SharedModel::operator=(SharedModel&&) noexcept = default;
SharedModel::~SharedModel() = default;

std::uint64_t SharedModel::size() const { return state_->pieces.file_bytes(); }

bool SharedModel::ready(std::uint64_t offset, std::uint64_t bytes) const {
    if (!state_->check_range(offset, bytes)) return false;
    const Pieces& pieces = state_->pieces;
    return state_->first_missing(pieces.first_behind(offset), offset + bytes) == pieces.count();
}

Result<void> SharedModel::read(std::uint64_t offset, std::span<std::byte> out, const Patience& patience) const {
    if (auto inside = state_->check_range(offset, out.size()); !inside) return inside;
    if (auto there = state_->await(offset, offset + out.size(), patience); !there) return there;
    auto read = io::read_at(state_->data.get(), offset, out);
    if (!read) read.error().subject = state_->names.data.string();
    return read;
}

}  // namespace ggufkit
