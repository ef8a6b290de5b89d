#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/inspect/manifest.hpp>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/parallel.hpp"
#include "core/text.hpp"
#include "core/try.hpp"
#include "inspect/hash_function.hpp"
#include "io/read_at.hpp"
#include "tensor/reader.hpp"

namespace ggufkit {

namespace inspect {

namespace {

// What is hashed at a time.
constexpr std::size_t part_bytes = 1 << 20;

// One hash to be taken of a model.
struct Task {
    HashKind kind;
    HashLine::Of of;
    std::size_t index = 0;  // of the tensor, or of the file
    friend auto operator<=>(const Task&, const Task&) = default;
};

// Hashes parts of a model, tells how far that has come and whether to go on.
class Hashing {
  public:
    Hashing(const Model& model, const Work& work, std::uint64_t total) : model_(model), work_(work), total_(total) {}

    static std::uint64_t bytes_of(const Model& model, const Task& task) {
        if (task.of == HashLine::Of::tensor) return model.tensors()[task.index].info->bytes().value_or(0);
        if (task.of == HashLine::Of::file) return model.shard(task.index).file().size();
        std::uint64_t sum = 0;
        for (const ModelTensor& tensor : model.tensors()) sum += tensor.info->bytes().value_or(0);
        return sum;
    }

    Result<std::string> hash(const Task& task) {
        TRY_LET(auto function, HashFunction::make(task.kind));
        Result<void> done;
        if (task.of == HashLine::Of::file) {
            done = add_file(*function, task.index);
        } else if (task.of == HashLine::Of::tensor) {
            done = add_tensor(*function, model_.tensors()[task.index]);
        } else {
            for (const ModelTensor& tensor : model_.tensors()) {
                if (done) done = add_tensor(*function, tensor);
            }
        }
        if (!done) return fail(std::move(done).error());
        return function->hex();
    }

  private:
    Result<void> add_tensor(HashFunction& function, const ModelTensor& tensor) {
        TRY_LET(const auto reader, tensor::Reader::open(model_, tensor));
        tensor::Workspace workspace;
        return tensor::for_each_part(reader, part_bytes, workspace, [&](std::span<const std::byte> blocks) {
            function.add(blocks);
            return note(blocks.size());
        });
    }

    Result<void> add_file(HashFunction& function, std::size_t shard) {
        if (model_.opened_fd(shard) != model_.shard_fd(shard)) return add_compressed(function, shard);
        const auto bytes = model_.shard(shard).file();
        for (std::size_t at = 0; at < bytes.size(); at += part_bytes) {
            const auto part = bytes.subspan(at, std::min(part_bytes, bytes.size() - at));
            model_.advise(shard, at, part.size(), Access::will_need);
            function.add(part);
            TRY(note(part.size()));
        }
        return {};
    }

    // A file that is not the one in memory.
    Result<void> add_compressed(HashFunction& function, std::size_t shard) {
        const int fd = model_.opened_fd(shard);
        TRY_LET(const auto size, io::file_size(fd));
        std::vector<std::byte> memory(part_bytes);
        for (std::uint64_t at = 0; at < size; at += part_bytes) {
            const auto part = std::span(memory).first(std::min<std::uint64_t>(part_bytes, size - at));
            TRY(io::read_at(fd, at, part));
            function.add(part);
            TRY(note(0));
        }
        return note(model_.shard(shard).file().size());
    }

    Result<void> note(std::uint64_t bytes) {
        if (work_.stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        if (!work_.progress || bytes == 0) return {};
        const std::lock_guard lock(mutex_);
        work_.progress({done_ += bytes, total_});
        return {};
    }

    const Model& model_;
    const Work& work_;
    const std::uint64_t total_;
    std::mutex mutex_;
    std::uint64_t done_ = 0;
};

// Takes every hash; the longest task is begun first.
Result<void> hash_all(const Model& model, std::map<Task, std::string>& hashes, const Work& work) {
    struct Item {
        std::uint64_t bytes;
        const Task* task;
        std::string* hash;
    };
    std::vector<Item> items;
    std::uint64_t total = 0;
    for (auto& [task, hash] : hashes) {
        items.push_back({Hashing::bytes_of(model, task), &task, &hash});
        total += items.back().bytes;
    }
    std::ranges::stable_sort(items, std::ranges::greater{}, &Item::bytes);
    Hashing hashing(model, work, total);
    auto done = parallel_for(items.size(), work.threads, work.stop, [&](std::size_t i, unsigned) -> Result<void> {
        TRY_LET(auto hex, hashing.hash(*items[i].task));
        *items[i].hash = std::move(hex);
        return {};
    });
    return done ? model.check_unchanged() : done;
}

// What a line of a manifest is about, in a model; nothing where the model has no such thing.
std::optional<Task> task_of(const Model& model, const HashLine& line,
                            const std::unordered_map<std::string, std::size_t>& tensors) {
    if (line.of == HashLine::Of::data) return Task{line.kind, line.of};
    if (line.of == HashLine::Of::tensor) {
        const auto found = tensors.find(printable(line.tensor));
        return found == tensors.end() ? std::nullopt : std::optional(Task{line.kind, line.of, found->second});
    }
    if (model.shard_count() == 1) return Task{line.kind, line.of};
    const auto file_name = std::filesystem::path(line.file).filename();
    for (std::size_t shard = 0; shard < model.shard_count(); ++shard) {
        if (model.shard_path(shard).filename() == file_name) return Task{line.kind, line.of, shard};
    }
    return std::nullopt;
}

}  // namespace

}  // namespace inspect

Result<Manifest> hash_model(const Model& model, HashKind kind, const Work& work) {
    std::map<inspect::Task, std::string> hashes;
    for (std::size_t i = 0; i < model.tensors().size(); ++i) hashes[{kind, HashLine::Of::tensor, i}];
    for (std::size_t i = 0; i < model.shard_count(); ++i) hashes[{kind, HashLine::Of::file, i}];
    TRY(inspect::hash_all(model, hashes, work));
    Manifest manifest;
    for (auto& [task, hash] : hashes) {
        const bool is_tensor = task.of == HashLine::Of::tensor;
        const std::size_t shard = is_tensor ? model.tensors()[task.index].shard : task.index;
        manifest.lines.push_back({.kind = kind,
                                  .of = task.of,
                                  .hex = std::move(hash),
                                  .file = model.shard_path(shard).string(),
                                  .tensor = is_tensor ? printable(model.tensors()[task.index].info->name) : ""});
    }
    return manifest;
}

Result<ManifestCheck> check_manifest(const Model& model, const Manifest& manifest, const Work& work) {
    using Finding = ManifestCheck::Finding;
    std::unordered_map<std::string, std::size_t> tensors;
    for (std::size_t i = 0; i < model.tensors().size(); ++i)
        tensors.emplace(printable(model.tensors()[i].info->name), i);

    ManifestCheck check;
    std::map<inspect::Task, std::string> hashes;    // each is taken once
    std::vector<std::vector<inspect::Task>> tasks;  // of each line: either will do
    std::unordered_set<std::string> listed;
    for (const HashLine& line : manifest.lines) {
        check.lines.push_back({line, Finding::missing, {}});
        if (line.of == HashLine::Of::tensor) listed.insert(printable(line.tensor));
        tasks.emplace_back();
        if (const auto task = inspect::task_of(model, line, tensors)) tasks.back().push_back(*task);
        // Some programs hash the file where others hash the data, and write the same line.
        if (line.of == HashLine::Of::data && model.shard_count() == 1)
            tasks.back().push_back({line.kind, HashLine::Of::file});
        for (const inspect::Task& task : tasks.back()) hashes.try_emplace(task);
    }
    TRY(inspect::hash_all(model, hashes, work));
    for (std::size_t i = 0; i < check.lines.size(); ++i) {
        ManifestCheck::Line& line = check.lines[i];
        for (const inspect::Task& task : tasks[i]) {
            const std::string& found = hashes.at(task);
            if (line.finding == Finding::same) break;
            line.finding = found == line.listed.hex ? Finding::same : Finding::differs;
            if (line.found.empty()) line.found = found;
        }
        if (line.finding == Finding::same) line.found.clear();
    }
    if (listed.empty()) return check;
    for (const ModelTensor& tensor : model.tensors()) {
        const std::string name = printable(tensor.info->name);
        if (listed.contains(name)) continue;
        HashLine line{
            .kind = manifest.lines.front().kind, .of = HashLine::Of::tensor, .hex = {}, .file = {}, .tensor = name};
        check.lines.push_back({std::move(line), Finding::unlisted, {}});
    }
    return check;
}

}  // namespace ggufkit
