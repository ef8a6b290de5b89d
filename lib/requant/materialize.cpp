#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ggufkit/requant/shared.hpp>
#include <thread>
#include <utility>

#include "core/try.hpp"
#include "io/free_memory.hpp"
#include "io/mapped_file.hpp"
#include "io/same_file.hpp"
#include "io/side_file.hpp"
#include "io/write_at.hpp"
#include "requant/control.hpp"
#include "requant/fault.hpp"
#include "requant/inputs.hpp"
#include "requant/read_back.hpp"
#include "requant/run_digest.hpp"
#include "requant/runner.hpp"

namespace ggufkit {

using requant::Assembly;
using requant::Control;
using requant::refuse;
using requant::SharedNames;
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

// Reserves the space and writes the header; padding is zeros already. Errors: IO_NO_SPACE, IO_WRITE.
Result<void> prepare(const Assembly& assembly, int fd) {
    TRY(io::reserve_memory(fd, assembly.layout(0).file_bytes));
    return io::write_at(fd, 0, assembly.layout(0).header);
}

// Writes the pieces; with `control`, those that are not ready yet, and says which are. Then reads back what `path` has.
Result<void> fill(const Model& model, const Assembly& assembly, int fd, const std::filesystem::path& path,
                  Control* control, const MaterializeOptions& options) {
    TRY_LET(const auto workers, requant::choose_workers(assembly, assembly.pieces(), options.work.threads));
    Meter meter(options.work.progress, assembly.source_bytes(), Meter::Interval(0));
    meter.report();
    requant::Runner runner(workers);
    const auto make = [&](std::uint64_t number, requant::Workspace& workspace) -> Result<void> {
        const requant::Piece piece = assembly.piece(number);
        if (control == nullptr || !control->is_ready(number)) {
            for (const requant::Segment& segment : segments_of(piece)) {
                TRY_LET(const auto bytes, requant::make(segment, workspace));
                TRY(io::write_at(fd, segment.offset, bytes));
            }
            if (control != nullptr) control->set_ready(number);
        }
        meter.add(piece.source_bytes());
        return {};
    };
    const std::stop_token& stop = options.work.stop;
    TRY(runner.each(0, assembly.pieces(), stop, make));
    meter.report();
    const requant::WrittenFile written[]{{path, &assembly.layout(0)}};
    return requant::check_written(model, written, stop);
}

// One call of materialize(), step by step.
class Materialization {
  public:
    Materialization(const Model& model, const Assembly& assembly, SharedNames names, const MaterializeOptions& options)
        : model_(model),
          assembly_(assembly),
          names_(std::move(names)),
          options_(options),
          run_(requant::run_digest(model, assembly)) {}

    Result<Materialized> run() {
        TRY_LET(control_, hold());
        if (is_whole()) return waited_ ? Materialized::awaited : Materialized::found;
        if (auto allowed = check_name(); !allowed) {
            if (control_->run().empty()) ::unlink(names_.control.c_str());  // it was made by this call
            return fail(std::move(allowed).error());
        }
        if (auto done = make(); !done) {
            clean_up();
            return fail(about(names_.data, std::move(done).error()));
        }
        return resumed_ ? Materialized::resumed : Materialized::made;
    }

  private:
    // The control file, whoever had it, with its lock: from then on nobody else changes anything of this name.
    Result<Control> hold() {
        const auto start = std::chrono::steady_clock::now();
        for (;;) {
            auto control = Control::open(names_, true);
            if (!control) return control;
            if (control->lock()) {
                if (control->is_current()) return control;
                continue;  // it was replaced or removed before we had it
            }
            if (!options_.replace && !control->run().empty() && !is_ours(*control)) {
                return refuse(Errc::io_busy, names_.data, "is being made of another plan or another input");
            }
            waited_ = true;
            report(*control);
            if (options_.work.stop.stop_requested()) {
                return refuse(Errc::cancelled, names_.data, "stopped on request");
            }
            if (options_.patience && std::chrono::steady_clock::now() - start >= *options_.patience) {
                return refuse(Errc::cancelled, names_.data,
                              "another process has not made it in the time that there was");
            }
            // Looks again and again: the other process may die at any moment, and then nobody would wake us.
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }

    void report(const Control& control) const {
        if (!options_.work.progress || control.pieces() == 0) return;
        const double share = static_cast<double>(control.count_ready()) / static_cast<double>(control.pieces());
        const std::uint64_t total = assembly_.source_bytes();
        options_.work.progress({static_cast<std::uint64_t>(share * static_cast<double>(total)), total});
    }

    bool is_ours(const Control& control) const { return control.is_of(run_, assembly_.pieces()); }

    // NAME is what this call would make. Only a file that was filled, and read back, gets the name.
    bool is_whole() const {
        const auto data = stamp_of(names_.data);
        return data && is_ours(*control_) && *data == control_->data();
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
            TRY(begin());
        }
        auto filled = fill(model_, assembly_, partial_.get(), names_.partial, &*control_, options_);
        return filled ? publish() : filled;
    }

    // The control file stays where it is about another file which is still there.
    void clean_up() const {
        ::unlink(names_.partial.c_str());
        if (control_->run().empty() || is_ours(*control_)) ::unlink(names_.control.c_str());
    }

    // What a process that died left of the same run.
    bool take_over() {
        if (!is_ours(*control_)) return false;
        auto file = io::open_side_file(names_.partial, io::SideAccess::write);
        if (!file) return false;
        const auto stamp = stamp_of(file->get());
        const auto expected = control_->data();
        if (!stamp || stamp->inode != expected.inode || stamp->bytes != expected.bytes) return false;
        partial_ = *std::move(file);
        resumed_ = true;
        return true;
    }

    Result<void> begin() {
        ::unlink(names_.partial.c_str());
        partial_ = io::FileHandle(::open(names_.partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (partial_.get() < 0) return system_fault(Errc::io_open, names_.partial, "create it");
        TRY(prepare(assembly_, partial_.get()));
        const auto stamp = stamp_of(partial_.get());
        if (!stamp) return system_fault(Errc::io_open, names_.partial, "look at it");
        TRY_LET(control_, Control::replace(names_, run_, assembly_.pieces(), *stamp));
        return {};
    }

    Result<void> publish() {
        const auto stamp = stamp_of(partial_.get());
        if (!stamp) return system_fault(Errc::io_write, names_.partial, "look at it");
        TRY(control_->set_data(*stamp));
        const unsigned flags = options_.replace ? 0 : RENAME_NOREPLACE;
        if (::renameat2(AT_FDCWD, names_.partial.c_str(), AT_FDCWD, names_.data.c_str(), flags) == 0) return {};
        return system_fault(errno == EEXIST ? Errc::io_exists : Errc::io_write, names_.data, "give it its name");
    }

    const Model& model_;
    const Assembly& assembly_;
    const SharedNames names_;
    const MaterializeOptions& options_;
    const std::string run_;
    std::optional<Control> control_;
    io::FileHandle partial_;
    bool waited_ = false;
    bool resumed_ = false;
};

}  // namespace

Result<Materialized> materialize(const Model& model, const Plan& plan, std::string_view name,
                                 const MaterializeOptions& options) {
    TRY_LET(auto names, SharedNames::of(name));
    TRY_LET(const auto assembly, Assembly::of_one_file(model, plan));
    return Materialization(model, assembly, std::move(names), options).run();
}

Result<std::filesystem::path> shared_path(std::string_view name) {
    return SharedNames::of(name).map(&SharedNames::data);
}

Result<void> remove_shared(std::string_view name) {
    TRY_LET(const auto names, SharedNames::of(name));
    const auto control = Control::open(names, false);
    if (!control && control.error().code == Errc::not_found) {
        return refuse(Errc::not_found, names.data, "is nothing that was made here");
    }
    if (!control) return fail(control.error());
    if (!control->lock()) return refuse(Errc::io_busy, names.data, "is being made by another process");
    if (!control->is_current()) return refuse(Errc::io_exists, names.data, "was replaced a moment ago");
    // The control file last: until then a failure can be tried again.
    for (const auto& path : {names.data, names.partial, names.new_control, names.control}) {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_fault(Errc::io_write, path, "remove it");
    }
    return {};
}

Result<int> materialize_memfd(const Model& model, const Plan& plan, const MaterializeOptions& options) {
    TRY_LET(const auto assembly, Assembly::of_one_file(model, plan));
    io::FileHandle file(::memfd_create("ggufkit", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const std::filesystem::path path = fmt::format("/proc/self/fd/{}", file.get());
    if (file.get() < 0) return system_fault(Errc::io_open, "memfd", "create it");
    auto filled = prepare(assembly, file.get());
    if (filled) filled = fill(model, assembly, file.get(), path, nullptr, options);
    if (!filled) return fail(about("memfd", std::move(filled).error()));
    if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        return system_fault(Errc::io_write, "memfd", "seal it");
    }
    return file.release();
}

}  // namespace ggufkit
