#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ggufkit/materialize.hpp>

#include "io/mapped_file.hpp"
#include "io/same_file.hpp"
#include "io/side_file.hpp"
#include "requant/fault.hpp"
#include "requant/inputs.hpp"
#include "requant/pieces.hpp"
#include "requant/read_back.hpp"
#include "view/fill.hpp"
#include "view/patience.hpp"
#include "view/segment.hpp"

namespace ggufkit {

using requant::Pieces;
using requant::refuse;
using requant::Segment;
using requant::SegmentNames;
using requant::stamp_of;
using requant::system_fault;

namespace {

// `error` of a file that the library does not know by name.
Error about(const std::filesystem::path& path, Error error) {
    if (error.subject.empty()) error.subject = path.string();
    return error;
}

bool is_input(const Model& model, const std::filesystem::path& path) {
    struct stat output {};
    return ::stat(path.c_str(), &output) == 0 && io::is_one_of(output, requant::inputs_of(model));
}

// One call of materialize(), step by step.
class Materialization {
  public:
    Materialization(const Model& model, const Pieces& pieces, SegmentNames names, const MaterializeOptions& options)
        : model_(model), pieces_(pieces), names_(std::move(names)), options_(options), run_(pieces.run_digest(model)) {}

    Result<Materialized> run() {
        auto segment = hold();
        if (!segment) return fail(std::move(segment).error());
        segment_ = *std::move(segment);
        if (is_whole()) return waited_ ? Materialized::awaited : Materialized::found;
        if (auto allowed = check_name(); !allowed) {
            if (segment_->run().empty()) ::unlink(names_.control.c_str());  // it was made by this call
            return fail(std::move(allowed).error());
        }
        if (auto done = make(); !done) {
            clean_up();
            return fail(about(names_.data, std::move(done).error()));
        }
        return resumed_ ? Materialized::resumed : Materialized::made;
    }

  private:
    // The segment, whoever had it, with its lock: from then on nobody else changes anything of this name.
    Result<Segment> hold() {
        requant::Wait wait(options_.patience);
        for (;;) {
            auto segment = Segment::open(names_, true);
            if (!segment) return segment;
            if (segment->lock()) {
                if (segment->is_current()) return segment;
                continue;  // it was replaced or removed before we had it
            }
            if (!options_.replace && !segment->run().empty() && !segment->is_of(run_, pieces_.count())) {
                return refuse(Errc::io_busy, names_.data, "is being made of another plan or another input");
            }
            waited_ = true;
            report(*segment);
            if (auto paused = wait.pause(names_.data); !paused) return fail(std::move(paused).error());
        }
    }

    void report(const Segment& segment) const {
        if (!options_.progress || segment.pieces() == 0) return;
        const double share = static_cast<double>(segment.count_ready()) / static_cast<double>(segment.pieces());
        const std::uint64_t total = pieces_.plan().bytes_in();
        options_.progress({static_cast<std::uint64_t>(share * static_cast<double>(total)), total});
    }

    // NAME is what this call would make. Only a file that was filled, and read back, gets the name.
    bool is_whole() const {
        const auto data = stamp_of(names_.data);
        return data && segment_->is_of(run_, pieces_.count()) && *data == segment_->data();
    }

    Result<void> check_name() const {
        if (is_input(model_, names_.data))
            return refuse(Errc::io_same_file, names_.data, "is an input of the same command");
        if (!options_.replace && stamp_of(names_.data)) {
            return refuse(Errc::io_exists, names_.data, "exists already, of another plan or another input");
        }
        return {};
    }

    Result<void> make() {
        if (!take_over()) {
            if (auto begun = begin(); !begun) return begun;
        }
        const requant::FillOptions how{.threads = options_.threads,
                                       .progress = options_.progress,
                                       .stop = options_.patience.stop,
                                       .is_ready = [this](std::uint64_t n) { return segment_->is_ready(n); },
                                       .ready = [this](std::uint64_t n) { segment_->set_ready(n); }};
        if (auto filled = requant::fill(pieces_, partial_.get(), how); !filled) return filled;
        if (auto same = model_.check_unchanged(); !same) return same;
        if (auto sound = requant::read_back(names_.partial, pieces_.plan()); !sound) return sound;
        if (options_.patience.stop.stop_requested()) {
            return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        }
        return publish();
    }

    // The segment stays where it is that of another file which is still there.
    void clean_up() const {
        ::unlink(names_.partial.c_str());
        if (segment_->run().empty() || segment_->is_of(run_, pieces_.count())) ::unlink(names_.control.c_str());
    }

    // What a process that died left of the same run.
    bool take_over() {
        if (!segment_->is_of(run_, pieces_.count())) return false;
        auto file = io::open_side_file(names_.partial, io::SideAccess::write);
        if (!file) return false;
        const auto stamp = stamp_of(file->get());
        const auto expected = segment_->data();
        if (!stamp || stamp->inode != expected.inode || stamp->bytes != expected.bytes) return false;
        partial_ = *std::move(file);
        resumed_ = true;
        return true;
    }

    Result<void> begin() {
        ::unlink(names_.partial.c_str());
        partial_ = io::FileHandle(::open(names_.partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (partial_.get() < 0) return system_fault(Errc::io_open, names_.partial, "create it");
        if (auto prepared = requant::prepare(pieces_, partial_.get()); !prepared) return prepared;
        const auto stamp = stamp_of(partial_.get());
        if (!stamp) return system_fault(Errc::io_open, names_.partial, "look at it");
        auto fresh = Segment::replace(names_, run_, pieces_.count(), *stamp);
        if (!fresh) return fail(std::move(fresh).error());
        segment_ = *std::move(fresh);
        return {};
    }

    Result<void> publish() {
        const auto stamp = stamp_of(partial_.get());
        if (!stamp) return system_fault(Errc::io_write, names_.partial, "look at it");
        if (auto set = segment_->set_data(*stamp); !set) return set;
        const unsigned flags = options_.replace ? 0 : RENAME_NOREPLACE;
        if (::renameat2(AT_FDCWD, names_.partial.c_str(), AT_FDCWD, names_.data.c_str(), flags) == 0) return {};
        return system_fault(errno == EEXIST ? Errc::io_exists : Errc::io_write, names_.data, "give it its name");
    }

    const Model& model_;
    const Pieces& pieces_;
    const SegmentNames names_;
    const MaterializeOptions& options_;
    const std::string run_;
    std::optional<Segment> segment_;
    io::FileHandle partial_;
    bool waited_ = false;
    bool resumed_ = false;
};

}  // namespace

Result<Materialized> materialize(const Model& model, const Plan& plan, std::string_view name,
                                 const MaterializeOptions& options) {
    auto names = SegmentNames::of(name);
    if (!names) return fail(std::move(names).error());
    const auto pieces = Pieces::make(model, plan);
    if (!pieces) return fail(pieces.error());
    return Materialization(model, *pieces, *std::move(names), options).run();
}

Result<std::filesystem::path> shared_path(std::string_view name) {
    return SegmentNames::of(name).map(&SegmentNames::data);
}

Result<void> remove_shared(std::string_view name) {
    const auto names = SegmentNames::of(name);
    if (!names) return fail(names.error());
    const auto segment = Segment::open(*names, false);
    if (!segment && segment.error().code == Errc::not_found) {
        return refuse(Errc::not_found, names->data, "is nothing that was made here");
    }
    if (!segment) return fail(segment.error());
    if (!segment->lock()) return refuse(Errc::io_busy, names->data, "is being made by another process");
    if (!segment->is_current()) return refuse(Errc::io_exists, names->data, "was replaced a moment ago");
    // The segment last: until then a failure can be tried again.
    for (const auto& path : {names->data, names->partial, names->new_control, names->control}) {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_fault(Errc::io_write, path, "remove it");
    }
    return {};
}

Result<int> materialize_memfd(const Model& model, const Plan& plan, const MaterializeOptions& options) {
    const auto pieces = Pieces::make(model, plan);
    if (!pieces) return fail(pieces.error());
    io::FileHandle file(::memfd_create("ggufkit", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const std::filesystem::path path = fmt::format("/proc/self/fd/{}", file.get());
    if (file.get() < 0) return system_fault(Errc::io_open, "memfd", "create it");
    const requant::FillOptions how{
        .threads = options.threads, .progress = options.progress, .stop = options.patience.stop};
    auto filled = requant::prepare(*pieces, file.get());
    if (filled) filled = requant::fill(*pieces, file.get(), how);
    if (!filled) return fail(about("memfd", std::move(filled).error()));
    if (auto same = model.check_unchanged(); !same) return fail(std::move(same).error());
    if (auto sound = requant::read_back(path, plan); !sound) return fail(std::move(sound).error());
    if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        return system_fault(Errc::io_write, "memfd", "seal it");
    }
    return file.release();
}

}  // namespace ggufkit
