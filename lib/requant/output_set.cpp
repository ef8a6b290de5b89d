#include "requant/output_set.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <utility>

#include "requant/inputs.hpp"
#include "requant/read_back.hpp"

namespace ggufkit::requant {

Result<OutputSet> OutputSet::create(const Model& model, std::span<const Output> outputs, bool overwrite, Take take) {
    io::OutputFile::Options options{.overwrite = overwrite,
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
            options.beside = set.files_.empty() ? nullptr : &set.files_.back();
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

void OutputSet::keep(bool wanted) {
    for (io::OutputFile& file : files_) file.keep(wanted);
}

Result<void> OutputSet::sync() { return each(&io::OutputFile::sync); }

Result<void> OutputSet::clear() { return each(&io::OutputFile::clear); }

Result<void> OutputSet::write_frames() {
    return each_frame([&](std::size_t file, std::uint64_t offset, std::span<const std::byte> bytes) {
        return files_[file].published() ? Result<void>{} : files_[file].write(offset, bytes);
    });
}

Result<bool> OutputSet::published_frames_match() const {
    bool match = true;
    std::vector<std::byte> found;
    auto read = each_frame([&](std::size_t file, std::uint64_t offset, std::span<const std::byte> bytes) {
        if (!match || !files_[file].published()) return Result<void>{};
        found.resize(bytes.size());
        return files_[file].read(offset, found).map([&] { match = std::ranges::equal(found, bytes); });
    });
    if (!read) return fail(std::move(read).error());
    return match;
}

Result<void> OutputSet::each_frame(const Frame& take) const {
    static constexpr std::array<std::byte, 64 << 10> zeros{};
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        const Plan& plan = *outputs_[i].plan;
        std::vector<std::vector<std::pair<std::uint64_t, std::uint64_t>>> tensors(plan.files.size());
        for (const PlannedTensor& tensor : plan.tensors) {
            tensors[tensor.file].emplace_back(tensor.offset, tensor.offset + tensor.bytes_out);
        }
        for (std::size_t number = 0; number < plan.files.size(); ++number) {
            const std::size_t file = first_[i] + number;
            const Layout& layout = plan.files[number];
            if (auto taken = take(file, 0, layout.header); !taken) return taken;
            std::ranges::sort(tensors[number]);
            tensors[number].emplace_back(layout.file_bytes, layout.file_bytes);
            std::uint64_t at = layout.header.size();
            for (const auto& [begin, end] : tensors[number]) {
                while (at < begin) {
                    const auto padding = std::span(zeros).first(std::min<std::uint64_t>(zeros.size(), begin - at));
                    if (auto taken = take(file, at, padding); !taken) return taken;
                    at += padding.size();
                }
                at = std::max(at, end);
            }
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
