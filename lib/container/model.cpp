#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/icl/interval_set.hpp>
#include <charconv>
#include <ggufkit/model.hpp>
#include <ggufkit/remote.hpp>
#include <ggufkit/validate.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "container/foreign.hpp"
#include "container/rules.hpp"
#include "container/split.hpp"
#include "container/structure.hpp"
#include "core/hasher.hpp"
#include "core/try.hpp"
#include "io/compression.hpp"
#include "io/download.hpp"
#include "io/spool.hpp"

namespace ggufkit {

using container::breach;
using container::R;
using container::SplitKeys;
using container::subject;

namespace {

// Places in a file.
using Place = boost::icl::right_open_interval<std::uint64_t>;
using Places = boost::icl::interval_set<std::uint64_t, std::less, Place>;

// What of a shard's data was filled in.
struct Filled {
    std::mutex mutex;
    Places there;
};

struct Shard {
    io::Input input;
    ModelView view;
    std::unique_ptr<Filled> filled{};  // null: all is there
    std::uint64_t number = 0;          // in the whole model

    const io::MappedFile& file() const { return input.file; }

    // Has the bytes of these parts of `data` be there.
    Result<void> fill(std::span<const std::byte> data, std::span<const DataPart> parts) const {
        if (!filled) return {};
        // So many bytes take as long as another request.
        constexpr std::uint64_t near = 1 << 20;
        const auto offset = static_cast<std::uint64_t>(data.data() - view.file().data());
        Places wanted;
        std::uint64_t end = 0;
        for (const DataPart& part : parts) {
            const bool go_on = !wanted.empty() && part.begin <= end + near;
            const std::uint64_t begin = go_on ? std::min(end, part.begin) : part.begin;
            end = part.begin + part.size;
            wanted += Place(offset + begin, offset + end);
        }
        const std::lock_guard lock(filled->mutex);
        for (const Place& place : Places(wanted - filled->there)) {
            TRY(input.fill(place.lower(), place.upper()));
            filled->there += place;
        }
        return {};
    }
};

// How a file of this name is opened: from disk, or from a server.
using Opener = std::function<Result<Shard>(const std::string& name)>;

// Whether more bytes may make a header of what parse() refuses.
bool may_go_on(Errc code) {
    return code == Errc::truncated || code == Errc::length_past_eof || code == Errc::count_impossible ||
           code == Errc::wrong_endian;
}

Result<ModelView> read_header(std::span<const std::byte> bytes, const OpenOptions& options) {
    return options.partial ? parse_prefix(bytes, options.limits) : parse(bytes, options.limits);
}

io::SpoolOptions spool_options(const OpenOptions& options) {
    io::SpoolOptions spool{.work = options.work};
    if (options.header_only) {
        spool.enough = [&options](std::span<const std::byte> beginning) {
            const auto view = read_header(beginning, options);
            if (!view) return !may_go_on(view.error().code);
            if (!view->complete()) return !may_go_on(view->faults().back().code);
            return view->data_offset() <= beginning.size();
        };
    }
    return spool;
}

Result<Shard> make_shard(Result<io::Input> input, const OpenOptions& options) {
    if (!input) return fail(std::move(input).error());
    TRY_LET(auto view, read_header(input->file.bytes(), options));
    if (options.check_structure) {
        Report report = check_structure(view);
        const auto worst = std::ranges::find(report.diagnostics, Severity::error, &Diagnostic::severity);
        if (worst != report.diagnostics.end()) return fail(std::move(worst->error));
    }
    Shard shard{std::move(*input), std::move(view)};
    if (shard.input.fill) shard.filled = std::make_unique<Filled>();
    return shard;
}

Opener from_disk(const OpenOptions& options) {
    return [&options](const std::string& path) -> Result<Shard> {
        auto input = io::open_input(path, spool_options(options));
        if (!input && input.error().code == Errc::io_open) {
            if (std::string folder = container::about_folder(path); !folder.empty())
                input.error().detail = std::move(folder);
        }
        return make_shard(std::move(input), options);
    };
}

// All shards of a model share a connection.
Result<Opener> from_server(const RemoteOptions& remote, const OpenOptions& options) {
    TRY_LET(auto client, io::HttpClient::create({.token = remote.hf_token,
                                                 .token_url = remote.hf_endpoint,
                                                 .ca_file = remote.ca_file,
                                                 .connect_timeout = remote.connect_timeout,
                                                 .silence = remote.silence,
                                                 .stop = options.work.stop}));
    return [&, shared = std::make_shared<io::HttpClient>(std::move(client))](const std::string& name) -> Result<Shard> {
        TRY_LET(auto url, url_of(name, remote));
        const io::Retries retries{remote.attempts, remote.retry_delay, remote.longest_wait};
        auto file = std::make_shared<io::RemoteFile>(shared, std::move(url), shown_name(name), retries);
        io::SpoolOptions spool = spool_options(options);
        spool.most = remote.header_limit;
        return make_shard(io::fetch_input(std::move(file), io::HeaderCache(remote.cache, remote.cache_limit), spool),
                          options);
    };
}

// NAME-00002-of-00005.gguf, taken apart; all shards are .gguf.zst, or none is. The same for .gz, .bz2 and .xz.
struct ShardName {
    std::string prefix;  // "NAME", with the folder
    std::string suffix;  // ".gguf", ".gguf.zst", …
    std::string query;   // of a URL
    std::uint64_t number;
    std::uint64_t count;

    static std::optional<ShardName> parse(const std::string& name) {
        constexpr std::string_view of = "-of-";
        const std::size_t end = is_remote(name) ? name.find('?') : name.npos;
        const std::string query = end == name.npos ? "" : name.substr(end);
        std::string_view rest = std::string_view(name).substr(0, end);
        const std::string suffix = fmt::format(".gguf{}", io::compression_suffix(rest));
        if (!rest.ends_with(suffix)) return std::nullopt;
        rest.remove_suffix(suffix.size());
        const auto count = take_number(rest);
        if (!count || !rest.ends_with(of)) return std::nullopt;
        rest.remove_suffix(of.size());
        const auto number = take_number(rest);
        if (!number || !rest.ends_with('-')) return std::nullopt;
        rest.remove_suffix(1);
        return ShardName{std::string(rest), suffix, query, *number, *count};
    }

    std::string sibling(std::uint64_t index) const {
        return container::shard_path(prefix, index, count, suffix).string() + query;
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
Error in_file(const std::string& path, Error error) {
    error.subject = error.subject.empty() ? path : fmt::format("{}: {}", path, error.subject);
    return error;
}

Result<Shard> open_sibling(const std::string& name, const SplitKeys& keys, const Opener& open) {
    const std::string sibling = shown_name(name);
    auto shard = open(name);
    // A shard that is there but cannot be opened is no fault of the model.
    std::error_code ignored;
    const bool missing = is_remote(name) || !std::filesystem::exists(name, ignored);
    if (!shard && shard.error().code == Errc::io_open && missing) {
        return fail(breach(R::split_files, {}, sibling,
                           fmt::format("shard {} of {}: {}", keys.number + 1, keys.count, shard.error().detail)));
    }
    if (!shard && shard.error().subject.starts_with(sibling)) return fail(std::move(shard).error());
    if (!shard) return fail(in_file(sibling, std::move(shard).error()));
    if (container::split_keys(shard->view) != keys) {
        if (!shard->view.complete()) return fail(in_file(sibling, shard->view.faults().back()));
        return fail(breach(R::split_agreement, {}, sibling,
                           fmt::format("does not say that it is shard {} of {}", keys.number + 1, keys.count)));
    }
    shard->number = keys.number;
    return shard;
}

// The shards of a model in order, and what is wrong with them together.
struct Shards {
    std::vector<Shard> opened;
    std::vector<Error> faults;
};

// The other shards of the model that `first` is one of. `path` is its name. Where some cannot be opened, says so in
// `faults` and goes on: as far as `patience` such shards.
void open_siblings(Shard first, const std::string& path, const SplitKeys& keys, const Opener& open,
                   std::size_t patience, Shards& shards) {
    first.number = keys.number;
    const auto name = ShardName::parse(path);
    if (!name || name->number != keys.number + 1 || name->count != keys.count) {
        shards.faults.push_back(
            breach(R::split_files, {}, shown_name(path),
                   fmt::format("is shard {} of {} by its keys: its name must end in -{:05}-of-{:05}.gguf",
                               keys.number + 1, keys.count, keys.number + 1, keys.count)));
        return shards.opened.push_back(std::move(first));
    }
    for (std::uint64_t i = 0; i < keys.count && shards.faults.size() < patience; ++i) {
        if (i == keys.number) continue;
        auto shard = open_sibling(name->sibling(i), {i, keys.count}, open);
        if (shard) {
            shards.opened.push_back(std::move(*shard));
        } else {
            shards.faults.push_back(std::move(shard).error());
        }
    }
    const auto after = std::ranges::upper_bound(shards.opened, keys.number, {}, &Shard::number);
    shards.opened.insert(after, std::move(first));
}

}  // namespace

struct Model::State {
    std::vector<Shard> shards;
    std::uint64_t split_count = 1;
    std::vector<Error> faults;
    std::vector<ModelTensor> tensors;
    detail::NameIndex by_name;

    // The model that has this shard, which has that name.
    static Result<Model> open(Result<Shard> first, const std::string& name, const OpenOptions& options,
                              const Opener& opener);

    bool complete() const {
        return shards.size() == split_count &&
               std::ranges::all_of(shards, [](const Shard& shard) { return shard.view.complete(); });
    }

    std::string_view name_of(std::uint32_t tensor) const { return tensors[tensor].info->name; }

    // Lists the tensors of all shards. A fault: a name that a split model has more than once.
    Result<void> index_tensors() {
        Result<void> unique;
        std::size_t count = 0;
        for (const Shard& shard : shards) count += shard.view.tensors().size();
        tensors.reserve(count);
        by_name.reserve(count);
        for (std::uint32_t i = 0; i < shards.size(); ++i) {
            for (const TensorInfo& info : shards[i].view.tensors()) {
                tensors.push_back({&info, i});
                const auto at = static_cast<std::uint32_t>(tensors.size() - 1);
                if (by_name.insert(at, [this](std::uint32_t t) { return name_of(t); }) || shards.size() == 1 ||
                    !unique) {
                    continue;
                }
                unique = fail(in_file(shards[i].file().path().string(),
                                      breach(R::split_unique, info.info_offset, subject("tensor", info.name),
                                             "is in more than one place of the model")));
            }
        }
        return unique;
    }

    Result<void> check_tensor_count() {
        constexpr std::string_view key = "split.tensors.count";
        if (shards.size() == 1 || !complete()) return {};
        for (const Shard& shard : shards) {
            const KeyValue* said = shard.view.find_key(key);
            if (said == nullptr || said->value.as_unsigned() == tensors.size()) continue;
            return fail(in_file(shard.file().path().string(),
                                breach(R::split_agreement, said->offset, subject("key", key),
                                       fmt::format("is not {}, the number of tensors in the shards", tensors.size()))));
        }
        return {};
    }
};

Result<Model> Model::open(const std::filesystem::path& path, const OpenOptions& options) {
    const Opener opener = from_disk(options);
    return State::open(opener(path.string()), path.string(), options, opener);
}

Result<Model> Model::read(int fd, const std::filesystem::path& name, const OpenOptions& options) {
    return State::open(make_shard(io::read_input(fd, name, spool_options(options)), options), name.string(), options,
                       from_disk(options));
}

Result<Model> Model::fetch(std::string_view name, const RemoteOptions& remote, const OpenOptions& options) {
    auto opener = from_server(remote, options);
    if (!opener) {
        opener.error().subject = shown_name(name);
        return fail(std::move(opener).error());
    }
    return State::open((*opener)(std::string(name)), std::string(name), options, *opener);
}

Result<Model> Model::State::open(Result<Shard> first, const std::string& name, const OpenOptions& options,
                                 const Opener& opener) {
    if (!first) return fail(std::move(first).error());
    auto state = std::make_shared<State>();
    const auto keys = container::split_keys(first->view);
    if (keys) state->split_count = keys->count;
    if (options.follow_shards && keys && !container::next_header(first->view)) {
        // Of files that are not there, a hundred are enough to hear of; a server is not asked again.
        const std::size_t patience = !options.partial || is_remote(name) ? 1 : 100;
        Shards shards;
        open_siblings(std::move(*first), name, *keys, opener, patience, shards);
        state->shards = std::move(shards.opened);
        state->faults = std::move(shards.faults);
        if (!options.partial && !state->faults.empty()) return fail(std::move(state->faults.front()));
    } else {
        state->shards.push_back(std::move(*first));
        if (keys) state->shards.front().number = keys->number;
    }
    for (const auto check : {&State::index_tensors, &State::check_tensor_count}) {
        auto passed = (state.get()->*check)();
        if (!passed && !options.partial) return fail(std::move(passed).error());
        if (!passed) state->faults.push_back(std::move(passed).error());
    }
    for (Shard& shard : state->shards) shard.view.whole_ = !shard.filled;
    return Model(std::move(state));
}

Model::Model(std::shared_ptr<const State> state) : state_(std::move(state)) {}

std::uint64_t Model::identity() const {
    Hasher hasher;
    for (const Shard& shard : state_->shards) hasher.add(shard.view.file().first(shard.view.header_bytes()));
    return hasher.digest().low;
}

std::size_t Model::shard_count() const { return state_->shards.size(); }
std::uint64_t Model::split_count() const { return state_->split_count; }
std::uint64_t Model::shard_number(std::size_t index) const { return state_->shards[index].number; }
std::span<const Error> Model::faults() const { return state_->faults; }
bool Model::complete() const { return state_->complete(); }
bool Model::whole() const {
    return std::ranges::all_of(state_->shards, [](const Shard& shard) { return shard.view.whole(); });
}
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
    const Shard& shard = state_->shards[tensor.shard];
    auto bytes = shard.view.place(*tensor.info);
    if (!bytes) return bytes;
    return shard.fill(*bytes, std::array{DataPart{0, bytes->size()}}).map([&] { return *bytes; });
}

Result<std::span<const std::byte>> Model::data(const ModelTensor& tensor, std::span<const DataPart> parts) const {
    const Shard& shard = state_->shards[tensor.shard];
    auto bytes = shard.view.place(*tensor.info);
    if (!bytes) return bytes;
    for (const auto& [begin, size] : parts) {
        if (begin <= bytes->size() && size <= bytes->size() - begin) continue;
        return fail({.code = Errc::out_of_range,
                     .subject = subject("tensor", tensor.info->name),
                     .detail = fmt::format("has no {} bytes from {} on", size, begin)});
    }
    return shard.fill(*bytes, parts).map([&] { return *bytes; });
}

void Model::advise(std::size_t shard, std::uint64_t begin, std::uint64_t size, Access access) const {
    state_->shards[shard].file().advise(begin, size, access);
}

Result<void> Model::check_unchanged() const {
    for (const Shard& shard : state_->shards) {
        if (shard.filled) continue;  // in a file that nobody else can write to
        TRY(shard.file().check_unchanged());
    }
    return {};
}

}  // namespace ggufkit
