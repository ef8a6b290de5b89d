#include <algorithm>
#include <array>
#include <cstring>
#include <ggufkit/diff.hpp>
#include <mutex>
#include <utility>

#include "core/parallel.hpp"
#include "quant/digest.hpp"

namespace ggufkit {

namespace {

// What a key says about the file rather than the model.
bool is_about_container(std::string_view key) {
    static constexpr std::array<std::string_view, 4> keys{"general.alignment", "split.no", "split.count",
                                                          "split.tensors.count"};
    return std::ranges::find(keys, key) != keys.end();
}

// ---------------------------------------------------------------- metadata

std::vector<KeyChange> compare_metadata(const ModelView& a, const ModelView& b) {
    using enum KeyChange::Kind;
    std::vector<KeyChange> changes;
    for (const KeyValue& entry : a.metadata()) {
        if (is_about_container(entry.key)) continue;
        const KeyValue* other = b.find_key(entry.key);
        if (other == nullptr) {
            changes.push_back({removed, std::string(entry.key), entry.value, std::nullopt});
        } else if (entry.value != other->value) {
            changes.push_back({changed, std::string(entry.key), entry.value, other->value});
        }
    }
    for (const KeyValue& entry : b.metadata()) {
        if (is_about_container(entry.key) || a.find_key(entry.key) != nullptr) continue;
        changes.push_back({added, std::string(entry.key), std::nullopt, entry.value});
    }
    std::ranges::sort(changes, {}, &KeyChange::key);
    return changes;
}

// ---------------------------------------------------------------- tensors

struct Pair {
    const ModelTensor* a;  // null: only in B
    const ModelTensor* b;  // null: only in A
};

std::vector<Pair> pair_up(const Model& a, const Model& b) {
    std::vector<Pair> pairs;
    for (const ModelTensor& tensor : a.tensors()) pairs.push_back({&tensor, b.find_tensor(tensor.info->name)});
    for (const ModelTensor& tensor : b.tensors()) {
        if (a.find_tensor(tensor.info->name) == nullptr) pairs.push_back({nullptr, &tensor});
    }
    return pairs;
}

// One side of a comparison: a tensor's bytes where they lie. The kernel may forget them when we have seen them.
class Bytes {
  public:
    static Result<Bytes> of(const Model& model, const ModelTensor& tensor) {
        const auto bytes = model.data(tensor);
        if (!bytes) return fail(bytes.error());
        return Bytes(model, tensor, *bytes);
    }
    Bytes(Bytes&& other) noexcept
        : model_(std::exchange(other.model_, nullptr)), tensor_(other.tensor_), bytes_(other.bytes_) {}
    Bytes& operator=(Bytes&&) = delete;
    ~Bytes() {
        if (model_ != nullptr) model_->advise(tensor_->shard, begin(), bytes_.size(), Access::dont_need);
    }

    ByteOrder order() const { return view().byte_order(); }
    bool identical(const Bytes& other) const {
        return order() == other.order() && bytes_.size() == other.bytes_.size() &&
               (bytes_.empty() || std::memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0);
    }
    Digest digest() const { return quant::digest_bytes(bytes_, *tensor_->info->format, order()); }

  private:
    Bytes(const Model& model, const ModelTensor& tensor, std::span<const std::byte> bytes)
        : model_(&model), tensor_(&tensor), bytes_(bytes) {
        model.advise(tensor.shard, begin(), bytes.size(), Access::will_need);
    }
    const ModelView& view() const { return model_->shard(tensor_->shard); }
    std::uint64_t begin() const { return static_cast<std::uint64_t>(bytes_.data() - view().file().data()); }

    const Model* model_;
    const ModelTensor* tensor_;
    std::span<const std::byte> bytes_;
};

Result<TensorChange> compare_pair(const Model& model_a, const Model& model_b, const Pair& pair) {
    const TensorInfo* info_a = pair.a == nullptr ? nullptr : pair.a->info;
    const TensorInfo* info_b = pair.b == nullptr ? nullptr : pair.b->info;
    TensorChange change{.name = std::string((info_a == nullptr ? info_b : info_a)->name), .a = info_a, .b = info_b};
    if (info_a == nullptr || info_b == nullptr) return change;
    change.retyped = info_a->type_id != info_b->type_id;
    change.reshaped = info_a->ne != info_b->ne;
    if (change.retyped || change.reshaped) return change;

    const auto a = Bytes::of(model_a, *pair.a);
    if (!a) return fail(a.error());
    const auto b = Bytes::of(model_b, *pair.b);
    if (!b) return fail(b.error());
    if (a->identical(*b)) return change;
    const Digest digest_a = a->digest();
    const Digest digest_b = b->digest();
    if (digest_a == digest_b) return change;
    change.bytes_differ = true;
    change.digest_a = digest_a;
    change.digest_b = digest_b;
    return change;
}

bool differs(const TensorChange& change) {
    return change.a == nullptr || change.b == nullptr || change.retyped || change.reshaped || change.bytes_differ;
}

// What comparing a pair reads, to measure progress by.
std::uint64_t bytes_to_read(const Pair& pair) {
    return pair.a == nullptr || pair.b == nullptr ? 0 : pair.a->info->bytes().value_or(0);
}

}  // namespace

Result<Diff> compare(const Model& a, const Model& b, const DiffOptions& options) {
    const std::vector<Pair> pairs = pair_up(a, b);
    std::uint64_t total = 0;
    for (const Pair& pair : pairs) total += bytes_to_read(pair);

    std::mutex mutex;
    std::uint64_t done = 0;
    std::vector<TensorChange> changes(pairs.size());
    auto compared =
        parallel_for(pairs.size(), options.threads, options.stop, [&](std::size_t i, unsigned) -> Result<void> {
            auto change = compare_pair(a, b, pairs[i]);
            if (!change) return fail(std::move(change).error());
            changes[i] = std::move(*change);
            if (options.progress) {
                const std::lock_guard lock(mutex);
                options.progress(done += bytes_to_read(pairs[i]), total);
            }
            return {};
        });
    if (!compared) return fail(std::move(compared).error());
    for (const Model* model : {&a, &b}) {
        if (auto unchanged = model->check_unchanged(); !unchanged) return fail(std::move(unchanged).error());
    }

    std::erase_if(changes, [](const TensorChange& change) { return !differs(change); });
    const std::size_t equal = pairs.size() - changes.size();
    return Diff{
        .metadata = compare_metadata(a.header(), b.header()), .tensors = std::move(changes), .tensors_equal = equal};
}

}  // namespace ggufkit
