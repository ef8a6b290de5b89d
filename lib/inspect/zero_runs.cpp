#include "inspect/zero_runs.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

namespace ggufkit::inspect {

namespace {

// What is written at a time is no less than a sector of a disk: fewer zeros than that before a row's end are chance.
constexpr std::uint64_t sector = 512;
// A run within one tensor: weights that are zero side by side are seldom so many.
constexpr std::uint64_t least_run = 4096;

// A stop request leaves this false.
bool is_zero(std::span<const std::byte> bytes, const std::stop_token& stop) {
    constexpr std::size_t part = 1 << 20;
    for (std::size_t at = 0; at < bytes.size(); at += part) {
        const auto some = bytes.subspan(at, std::min(part, bytes.size() - at));
        if (stop.stop_requested() || !std::ranges::all_of(some, [](std::byte byte) { return byte == std::byte{0}; }))
            return false;
    }
    return true;
}

// A tensor in its file, with what is needed to judge a run.
struct Place {
    std::size_t tensor;
    std::uint32_t shard;
    std::uint64_t begin;
    std::uint64_t end;
    std::uint64_t row;  // bytes
    bool matrix;
    Zeros zeros;

    // Whether a run that begins or ends here cuts a row, by a sector at least.
    bool cuts_row(std::uint64_t at) const {
        const std::uint64_t before = (at - begin) % row;
        return before >= sector && row - before >= sector;
    }
};

std::vector<Place> places_of(const Model& model, std::span<const ModelTensor> tensors, std::span<const Zeros> zeros) {
    std::vector<Place> places;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const TensorInfo& info = *tensors[i].info;
        if (zeros[i].bytes == 0) continue;
        const std::uint64_t begin = model.shard(tensors[i].shard).data_offset() + info.offset;
        const std::uint64_t rows = info.ne[1] * info.ne[2] * info.ne[3];
        places.push_back({.tensor = i,
                          .shard = tensors[i].shard,
                          .begin = begin,
                          .end = begin + zeros[i].bytes,
                          .row = std::max<std::uint64_t>(zeros[i].bytes / std::max<std::uint64_t>(rows, 1), 1),
                          .matrix = rows > 1,
                          .zeros = zeros[i]});
    }
    std::ranges::sort(places, {}, [](const Place& place) { return std::tuple(place.shard, place.begin); });
    return places;
}

// Builds the runs from tensors in the order of the file.
class Runs {
  public:
    Runs(const Model& model, const std::stop_token& stop) : model_(model), stop_(stop) {}

    void add(const Place& place) {
        const bool goes_on =
            run_ && place.shard == run_->shard && place.begin >= run_->end && place.zeros.leading != 0 &&
            is_zero(model_.shard(place.shard).file().subspan(run_->end, place.begin - run_->end), stop_);
        if (goes_on) {
            run_->end = place.begin + place.zeros.leading;
            cut_ = cut_ || (!place.zeros.all() && place.cuts_row(run_->end));
            count(place);
            if (place.zeros.all()) return;
        }
        finish();
        if (place.zeros.all()) {
            start(place, place.begin);
            count(place);
        } else if (place.zeros.trailing != 0) {
            start(place, place.end - place.zeros.trailing);
            cut_ = place.cuts_row(run_->begin);
        }
    }

    std::vector<ZeroRun> take() {
        finish();
        return std::move(runs_);
    }

  private:
    void start(const Place& place, std::uint64_t begin) {
        run_ = ZeroRun{.shard = place.shard, .begin = begin, .end = place.end, .first_tensor = place.tensor};
        matrices_ = 0;
        cut_ = false;
    }

    void count(const Place& place) {
        if (!place.zeros.all()) return;
        ++run_->tensors;
        matrices_ += place.matrix ? 1 : 0;
    }

    void finish() {
        if (!run_) return;
        const auto file = model_.shard(run_->shard).file();
        const bool many = run_->tensors >= 2 && matrices_ != 0;
        const bool large = run_->end - run_->begin >= least_run;
        if (many || (cut_ && large)) {
            run_->to_the_end = is_zero(file.subspan(std::min<std::uint64_t>(run_->end, file.size())), stop_);
            runs_.push_back(*run_);
        }
        run_.reset();
    }

    const Model& model_;
    const std::stop_token& stop_;
    std::optional<ZeroRun> run_;
    std::size_t matrices_ = 0;
    bool cut_ = false;
    std::vector<ZeroRun> runs_;
};

}  // namespace

void Zeros::add(const Zeros& next) {
    if (leading == bytes) leading += next.leading;
    trailing = next.trailing == next.bytes ? trailing + next.bytes : next.trailing;
    bytes += next.bytes;
}

Zeros count_zeros(std::span<const std::byte> bytes) {
    const auto is_set = [](std::byte byte) { return byte != std::byte{0}; };
    const auto first = std::ranges::find_if(bytes, is_set);
    if (first == bytes.end()) return {bytes.size(), bytes.size(), bytes.size()};
    const auto last = std::find_if(bytes.rbegin(), bytes.rend(), is_set);
    return {bytes.size(), static_cast<std::uint64_t>(first - bytes.begin()),
            static_cast<std::uint64_t>(last - bytes.rbegin())};
}

std::vector<ZeroRun> find_runs(const Model& model, std::span<const ModelTensor> tensors, std::span<const Zeros> zeros,
                               const std::stop_token& stop) {
    Runs runs(model, stop);
    for (const Place& place : places_of(model, tensors, zeros)) runs.add(place);
    return runs.take();
}

}  // namespace ggufkit::inspect
