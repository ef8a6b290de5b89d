#include "requant/output_set.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "core/try.hpp"
#include "requant/inputs.hpp"

namespace ggufkit::requant {

Result<OutputSet> OutputSet::create(const Model& model, const Assembly& assembly, std::span<const Output> outputs,
                                    bool overwrite, Continue what) {
    io::OutputFile::Options options{.overwrite = overwrite,
                                    .resume = what != Continue::nothing,
                                    .may_be_published = what == Continue::all,
                                    .inputs = inputs_of(model)};
    OutputSet set(assembly);
    std::set<std::filesystem::path> names;
    for (const auto& [plan, output] : outputs) {
        for (const std::filesystem::path& path : output_paths(*plan, output)) {
            if (!names.insert(path.lexically_normal()).second) {
                return fail({.code = Errc::bad_argument, .subject = path.string(), .detail = "is written twice"});
            }
            options.beside = set.files_.empty() ? nullptr : &set.files_.back();
            TRY_LET(auto file, io::OutputFile::create(path, assembly.layout(set.files_.size()).file_bytes, options));
            set.files_.push_back(std::move(file));
        }
    }
    return set;
}

Result<void> OutputSet::write(const Segment& segment, std::span<const std::byte> bytes) {
    io::OutputFile& file = files_[segment.file];
    const auto& [source, first, units] = segment.piece;
    if (segment.target == nullptr || !source->verbatim(*segment.target)) return file.write(segment.offset, bytes);
    return file.copy(segment.offset, source->place->fd, source->place->offset + first * source->unit_bytes,
                     bytes.size());
}

Result<void> OutputSet::read(const Segment& segment, std::span<std::byte> into) const {
    return files_[segment.file].read(segment.offset, into);
}

const std::filesystem::path* OutputSet::published() const {
    const auto file = std::ranges::find_if(files_, &io::OutputFile::published);
    return file == files_.end() ? nullptr : &file->path();
}

void OutputSet::keep(bool wanted) {
    for (io::OutputFile& file : files_) file.keep(wanted);
}

Result<void> OutputSet::write_frames() {
    for (const FileSegments& file : assembly_->files()) {
        auto written = file.each_of_frame([&](const Segment& segment) {
            return files_[segment.file].published() ? Result<void>{} : write(segment, frame_bytes(segment));
        });
        if (!written) return written;
    }
    return {};
}

Result<bool> OutputSet::published_frames_match() const {
    bool match = true;
    std::vector<std::byte> found;
    for (const FileSegments& file : assembly_->files()) {
        auto compared = file.each_of_frame([&](const Segment& segment) {
            if (!match || !files_[segment.file].published()) return Result<void>{};
            found.resize(segment.bytes);
            return read(segment, found).map([&] { match = std::ranges::equal(found, frame_bytes(segment)); });
        });
        if (!compared) return fail(std::move(compared).error());
    }
    return match;
}

std::vector<WrittenFile> OutputSet::written() const {
    std::vector<WrittenFile> written;
    for (std::size_t i = 0; i < files_.size(); ++i) {
        written.push_back({files_[i].partial_path(), &assembly_->layout(i)});
    }
    return written;
}

Result<void> OutputSet::commit() {
    TRY(each(&io::OutputFile::prepare));
    return each(&io::OutputFile::commit);
}

Result<void> OutputSet::each(Result<void> (io::OutputFile::*step)()) {
    for (io::OutputFile& file : files_) {
        TRY(std::invoke(step, file));
    }
    return {};
}

}  // namespace ggufkit::requant
