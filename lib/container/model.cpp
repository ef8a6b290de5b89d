#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <optional>
#include <string>
#include <utility>

#include "container/rules.hpp"
#include "container/split.hpp"
#include "io/spool.hpp"

namespace ggufkit {

using container::breach;
using container::R;
using container::SplitKeys;
using container::subject;

namespace {

struct Shard {
    io::Input input;
    ModelView view;

    const io::MappedFile& file() const { return input.file; }
};

io::SpoolOptions spool_options(const OpenOptions& options) {
    io::SpoolOptions spool{.threads = options.threads, .progress = options.progress};
    if (options.header_only) {
        spool.enough = [&options](std::span<const std::byte> beginning) {
            const auto view = parse(beginning, options.limits);
            return view && view->data_offset() <= beginning.size();
        };
    }
    return spool;
}

Result<Shard> make_shard(Result<io::Input> input, const OpenOptions& options) {
    if (!input) return fail(std::move(input).error());
    auto view = parse(input->file.bytes(), options.limits);
    if (!view) return fail(std::move(view).error());
    if (options.check_structure) {
        Report report = check_structure(*view);
        const auto worst = std::ranges::find(report.diagnostics, Severity::error, &Diagnostic::severity);
        if (worst != report.diagnostics.end()) return fail(std::move(worst->error));
    }
    return Shard{std::move(*input), std::move(*view)};
}

Result<Shard> open_shard(const std::filesystem::path& path, const OpenOptions& options) {
    return make_shard(io::open_input(path, spool_options(options)), options);
}

// NAME-00002-of-00005.gguf, taken apart; all shards are .gguf.zst, or none is.
struct ShardName {
    std::string prefix;  // "NAME", with the folder
    std::string_view suffix;
    std::uint64_t number;
    std::uint64_t count;

    static std::optional<ShardName> parse(const std::filesystem::path& path) {
        constexpr std::string_view of = "-of-";
        const std::string text = path.string();
        std::string_view rest = text;
        const std::string_view suffix = rest.ends_with(".zst") ? ".gguf.zst" : ".gguf";
        if (!rest.ends_with(suffix)) return std::nullopt;
        rest.remove_suffix(suffix.size());
        const auto count = take_number(rest);
        if (!count || !rest.ends_with(of)) return std::nullopt;
        rest.remove_suffix(of.size());
        const auto number = take_number(rest);
        if (!number || !rest.ends_with('-')) return std::nullopt;
        rest.remove_suffix(1);
        return ShardName{std::string(rest), suffix, *number, *count};
    }

    std::filesystem::path sibling(std::uint64_t index) const {
        return container::shard_path(prefix, index, count, suffix);
    }

  private:
    // The decimal number of at least five digits that `text` ends with, taken off it.
    static std::optional<std::uint64_t> take_number(std::string_view& text) {
        const std::size_t begin = text.find_last_not_of("0123456789") + 1;
        const std::string_view digits = text.substr(begin);
        std::uint64_t number = 0;
        if (digits.size() < 5 ||
            std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc{}) {
            return std::nullopt;
        }
        text.remove_suffix(digits.size());
        return number;
    }
};

// Names the file in an error about one of several.
Error in_file(const std::filesystem::path& path, Error error) {
    error.subject = error.subject.empty() ? path.string() : fmt::format("{}: {}", path.string(), error.subject);
    return error;
}

// All shards of the model that `first` is one of, in order.
Result<std::vector<Shard>> open_siblings(Shard first, const SplitKeys& keys, const OpenOptions& options) {
    const std::filesystem::path path = first.file().path();
    const auto name = ShardName::parse(path);
    if (!name || name->number != keys.number + 1 || name->count != keys.count) {
        return fail(breach(R::split_files, {}, path.string(),
                           fmt::format("is shard {} of {} by its keys: its name must end in -{:05}-of-{:05}.gguf",
                                       keys.number + 1, keys.count, keys.number + 1, keys.count)));
    }
    std::vector<Shard> shards;
    for (std::uint64_t i = 0; i < keys.count; ++i) {
        if (i == keys.number) continue;
        const auto sibling = name->sibling(i);
        auto shard = open_shard(sibling, options);
        if (!shard && shard.error().code == Errc::io_open) {
            return fail(
                breach(R::split_files, {}, sibling.string(),
                       fmt::format("shard {} of {} cannot be opened: {}", i + 1, keys.count, shard.error().detail)));
        }
        if (!shard) return fail(in_file(sibling, std::move(shard).error()));
        if (container::split_keys(shard->view) != SplitKeys{i, keys.count}) {
            return fail(breach(R::split_agreement, {}, sibling.string(),
                               fmt::format("does not say that it is shard {} of {}", i + 1, keys.count)));
        }
        shards.push_back(std::move(*shard));
    }
    shards.insert(shards.begin() + static_cast<std::ptrdiff_t>(keys.number), std::move(first));
    return shards;
}

}  // namespace

struct Model::State {
    std::vector<Shard> shards;
    std::vector<ModelTensor> tensors;
    detail::NameIndex by_name;

    // The model that has this shard.
    static Result<Model> open(Result<Shard> first, const OpenOptions& options);

    std::string_view name_of(std::uint32_t tensor) const { return tensors[tensor].info->name; }

    // Lists the tensors of all shards; a name that comes twice is refused where a split model has it in two files.
    Result<void> index_tensors() {
        std::size_t count = 0;
        for (const Shard& shard : shards) count += shard.view.tensors().size();
        tensors.reserve(count);
        by_name.reserve(count);
        for (std::uint32_t i = 0; i < shards.size(); ++i) {
            for (const TensorInfo& info : shards[i].view.tensors()) {
                tensors.push_back({&info, i});
                const auto at = static_cast<std::uint32_t>(tensors.size() - 1);
                if (by_name.insert(at, [this](std::uint32_t t) { return name_of(t); }) || shards.size() == 1) continue;
                return fail(in_file(shards[i].file().path(),
                                    breach(R::split_unique, info.info_offset, subject("tensor", info.name),
                                           "is in more than one place of the model")));
            }
        }
        return {};
    }

    Result<void> check_tensor_count() const {
        constexpr std::string_view key = "split.tensors.count";
        if (shards.size() == 1) return {};
        for (const Shard& shard : shards) {
            const KeyValue* said = shard.view.find_key(key);
            if (said == nullptr || said->value.as_unsigned() == tensors.size()) continue;
            return fail(in_file(shard.file().path(),
                                breach(R::split_agreement, said->offset, subject("key", key),
                                       fmt::format("is not {}, the number of tensors in the shards", tensors.size()))));
        }
        return {};
    }
};

Result<Model> Model::open(const std::filesystem::path& path, const OpenOptions& options) {
    return State::open(open_shard(path, options), options);
}

Result<Model> Model::read(int fd, const std::filesystem::path& name, const OpenOptions& options) {
    return State::open(make_shard(io::read_input(fd, name, spool_options(options)), options), options);
}

Result<Model> Model::State::open(Result<Shard> first, const OpenOptions& options) {
    if (!first) return fail(std::move(first).error());
    auto state = std::make_unique<State>();
    const auto keys = container::split_keys(first->view);
    if (options.follow_shards && keys) {
        auto shards = open_siblings(std::move(*first), *keys, options);
        if (!shards) return fail(std::move(shards).error());
        state->shards = std::move(*shards);
    } else {
        state->shards.push_back(std::move(*first));
    }
    if (auto indexed = state->index_tensors(); !indexed) return fail(std::move(indexed).error());
    if (auto counted = state->check_tensor_count(); !counted) return fail(std::move(counted).error());
    return Model(std::move(state));
}

Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

std::size_t Model::shard_count() const { return state_->shards.size(); }
const ModelView& Model::shard(std::size_t index) const { return state_->shards[index].view; }
const std::filesystem::path& Model::shard_path(std::size_t index) const { return state_->shards[index].file().path(); }
int Model::shard_fd(std::size_t index) const { return state_->shards[index].file().fd(); }
int Model::opened_fd(std::size_t index) const {
    const io::Input& input = state_->shards[index].input;
    return input.compressed ? input.compressed->fd() : input.file.fd();
}
std::span<const ModelTensor> Model::tensors() const { return state_->tensors; }

const ModelTensor* Model::find_tensor(std::string_view name) const {
    const auto index = state_->by_name.find(name, [this](std::uint32_t t) { return state_->name_of(t); });
    return index == detail::NameIndex::none ? nullptr : &state_->tensors[index];
}

Result<std::span<const std::byte>> Model::data(const ModelTensor& tensor) const {
    return shard(tensor.shard).data(*tensor.info);
}

void Model::advise(std::size_t shard, std::uint64_t begin, std::uint64_t size, Access access) const {
    state_->shards[shard].file().advise(begin, size, access);
}

Result<void> Model::check_unchanged() const {
    for (const Shard& shard : state_->shards) {
        if (auto same = shard.file().check_unchanged(); !same) return same;
    }
    return {};
}

}  // namespace ggufkit
