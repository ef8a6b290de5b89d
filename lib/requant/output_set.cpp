#include "requant/output_set.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "requant/inputs.hpp"
#include "requant/read_back.hpp"

namespace ggufkit::requant {

Result<OutputSet> OutputSet::create(const Model& model, std::span<const Output> outputs, bool overwrite, Take take) {
    const io::OutputFile::Options options{.overwrite = overwrite,
                                          .resume = take != Take::nothing,
                                          .may_be_published = take == Take::all,
                                          .inputs = inputs_of(model)};
    OutputSet set(outputs);
    std::set<std::filesystem::path> names;
    for (const auto& [plan, path] : outputs) {
        const auto paths = output_paths(*plan, path);
        set.first_.push_back(set.files_.size());
        for (std::size_t i = 0; i < paths.size(); ++i) {
            if (!names.insert(paths[i].lexically_normal()).second) {
                return fail({.code = Errc::bad_argument, .subject = paths[i].string(), .detail = "is written twice"});
            }
            auto file = io::OutputFile::create(paths[i], plan->files[i].file_bytes, options);
            if (!file) return fail(std::move(file).error());
            set.files_.push_back(*std::move(file));
        }
    }
    return set;
}

const std::filesystem::path* OutputSet::published() const {
    const auto file = std::ranges::find_if(files_, &io::OutputFile::published);
    return file == files_.end() ? nullptr : &file->path();
}

void OutputSet::keep() { std::ranges::for_each(files_, &io::OutputFile::keep); }

Result<void> OutputSet::sync() { return each(&io::OutputFile::sync); }

Result<void> OutputSet::write_headers() {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        const auto& layouts = outputs_[i].plan->files;
        for (std::size_t file = 0; file < layouts.size(); ++file) {
            io::OutputFile& output = files_[first_[i] + file];
            if (output.published()) continue;
            if (auto written = output.write(0, layouts[file].header); !written) return written;
        }
    }
    return {};
}

Result<void> OutputSet::verify() const {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        for (std::uint32_t file = 0; file < outputs_[i].plan->files.size(); ++file) {
            auto sound = read_back(files_[first_[i] + file].partial_path(), *outputs_[i].plan, file);
            if (!sound) return sound;
        }
    }
    return {};
}

Result<void> OutputSet::commit() {
    if (auto prepared = each(&io::OutputFile::prepare); !prepared) return prepared;
    return each(&io::OutputFile::commit);
}

Result<void> OutputSet::each(Result<void> (io::OutputFile::*step)()) {
    for (io::OutputFile& file : files_) {
        if (auto done = std::invoke(step, file); !done) return done;
    }
    return {};
}

}  // namespace ggufkit::requant
