#include <algorithm>
#include <array>
#include <cstring>
#include <ggufkit/diff.hpp>
#include <ggufkit/inspect/digests.hpp>
#include <unordered_map>
#include <utility>

#include "core/parallel.hpp"
#include "diff/bytes.hpp"
#include "diff/scale.hpp"
#include "quant/measure/digest.hpp"

namespace ggufkit {

namespace {

using diff::Bytes;
using diff::order_of;

// Compared at a time: enough to be worth handing out, little enough to stay in a cache.
constexpr std::uint64_t piece_bytes = 1 << 20;

std::vector<TensorChange> pair_up(const Model& a, const Model& b) {
    std::vector<TensorChange> pairs;
    pairs.reserve(a.tensors().size());
    for (const ModelTensor& tensor : a.tensors()) {
        const ModelTensor* other = b.find_tensor(tensor.info->name);
        TensorChange pair{.name = std::string(tensor.info->name), .a = &tensor, .b = other};
        if (other != nullptr) {
            pair.retyped = tensor.info->type_id != other->info->type_id;
            pair.reshaped = tensor.info->ne != other->info->ne;
        }
        pairs.push_back(std::move(pair));
    }
    for (const ModelTensor& tensor : b.tensors()) {
        if (a.find_tensor(tensor.info->name) != nullptr) continue;
        pairs.push_back({.name = std::string(tensor.info->name), .b = &tensor});
    }
    return pairs;
}

bool has_bytes_to_compare(const TensorChange& pair) {
    return pair.a != nullptr && pair.b != nullptr && !pair.retyped && !pair.reshaped;
}

bool differs(const TensorChange& pair) {
    return !has_bytes_to_compare(pair) || pair.renamed || pair.bytes_differ || pair.rescaled;
}

// Finds tensors that are factors of others, and tensors whose factors differ.
Result<void> look_at_scales(const Model& a, const Model& b, std::vector<TensorChange>& pairs) {
    for (TensorChange& pair : pairs) {
        const bool in_a = pair.a != nullptr, in_b = pair.b != nullptr;
        pair.scale = (!in_a || is_scale(a, *pair.a)) && (!in_b || is_scale(b, *pair.b));
        if (!in_a || !in_b || pair.reshaped) continue;
        const auto of_a = diff::read_scale(a, *pair.a);
        if (!of_a) return fail(of_a.error());
        const auto of_b = diff::read_scale(b, *pair.b);
        if (!of_b) return fail(of_b.error());
        const auto is_one = [](float factor) { return factor == 1; };
        const bool same = of_a->empty()   ? std::ranges::all_of(*of_b, is_one)
                          : of_b->empty() ? std::ranges::all_of(*of_a, is_one)
                                          : *of_a == *of_b;
        pair.rescaled = !same;
    }
    return {};
}

// ---------------------------------------------------------------- bytes

// Whole blocks of a pair that has bytes to compare.
struct Piece {
    TensorChange* pair;
    std::span<const std::byte> a;  // all of the tensor
    std::span<const std::byte> b;
    std::uint64_t begin;
    std::uint64_t size;
};

Result<std::vector<Piece>> cut(const Model& model_a, const Model& model_b, std::vector<TensorChange>& pairs) {
    std::vector<Piece> pieces;
    for (TensorChange& pair : pairs) {
        if (!has_bytes_to_compare(pair)) continue;
        const auto a = model_a.data(*pair.a);
        if (!a) return fail(a.error());
        const auto b = model_b.data(*pair.b);
        if (!b) return fail(b.error());
        const std::uint64_t block = pair.a->info->format->block_bytes, step = piece_bytes / block * block;
        pair.blocks.blocks = a->size() / block;
        for (std::uint64_t begin = 0; begin < a->size(); begin += step) {
            pieces.push_back({&pair, *a, *b, begin, std::min<std::uint64_t>(step, a->size() - begin)});
        }
    }
    return pieces;
}

bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::memcmp(a.data(), b.data(), a.size()) == 0;
}

BlockDifference compare_piece(const Model& model_a, const Model& model_b, const Piece& piece,
                              std::vector<std::byte>& memory) {
    const Bytes bytes_a(model_a, *piece.pair->a, piece.a, piece.begin, piece.size);
    const Bytes bytes_b(model_b, *piece.pair->b, piece.b, piece.begin, piece.size);
    const auto a = bytes_a.get();
    auto b = bytes_b.get();
    const FormatInfo& format = *piece.pair->a->info->format;
    if (order_of(model_a, *piece.pair->a) != order_of(model_b, *piece.pair->b)) b = diff::turned(format, b, memory);
    BlockDifference difference;
    if (same_bytes(a, b)) return difference;
    const std::size_t block = format.block_bytes;
    for (std::size_t at = 0; at < a.size(); at += block) {
        if (same_bytes(a.subspan(at, block), b.subspan(at, block))) continue;
        ++difference.differ;
        if (difference.first.size() < BlockDifference::most) difference.first.push_back((piece.begin + at) / block);
    }
    return difference;
}

void take_in(TensorChange& pair, const BlockDifference& found) {
    pair.bytes_differ = pair.bytes_differ || found.differ > 0;
    pair.blocks.differ += found.differ;
    for (const std::uint64_t block : found.first) {
        if (pair.blocks.first.size() < BlockDifference::most) pair.blocks.first.push_back(block);
    }
}

Result<void> compare_bytes(const Model& a, const Model& b, std::vector<TensorChange>& pairs,
                           const DiffOptions& options) {
    const auto pieces = cut(a, b, pairs);
    if (!pieces) return fail(pieces.error());
    std::uint64_t total = 0, done = 0;
    for (const Piece& piece : *pieces) total += piece.size;

    const unsigned workers = worker_count(pieces->size(), options.threads);
    std::vector<BlockDifference> found(std::size_t{4} * workers);
    std::vector<std::vector<std::byte>> memory(workers);
    return parallel_in_order(
        pieces->size(), workers, found.size(), options.stop,
        [&](std::size_t i, std::size_t slot, unsigned worker) -> Result<void> {
            found[slot] = compare_piece(a, b, (*pieces)[i], memory[worker]);
            return {};
        },
        [&](std::size_t i, std::size_t slot) -> Result<void> {
            take_in(*(*pieces)[i].pair, found[slot]);
            if (options.progress) options.progress(done += (*pieces)[i].size, total);
            return {};
        });
}

// ---------------------------------------------------------------- digests

Result<std::vector<Digest>> digests_of(const Model& model, std::span<const ModelTensor> tensors,
                                       const DiffOptions& options) {
    return digests(model, tensors, {.threads = options.threads, .stop = options.stop});
}

Result<void> add_digests(const Model& a, const Model& b, std::vector<TensorChange>& pairs, const DiffOptions& options) {
    std::vector<TensorChange*> differing;
    std::vector<ModelTensor> in_a, in_b;
    for (TensorChange& pair : pairs) {
        if (!pair.bytes_differ) continue;
        differing.push_back(&pair);
        in_a.push_back(*pair.a);
        in_b.push_back(*pair.b);
    }
    const auto of_a = digests_of(a, in_a, options);
    if (!of_a) return fail(of_a.error());
    const auto of_b = digests_of(b, in_b, options);
    if (!of_b) return fail(of_b.error());
    for (std::size_t i = 0; i < differing.size(); ++i) {
        differing[i]->digest_a = (*of_a)[i];
        differing[i]->digest_b = (*of_b)[i];
    }
    return {};
}

// ---------------------------------------------------------------- renamed

// What is compared before any digest is made.
std::string structure_of(const ModelTensor& tensor) {
    std::string key = std::to_string(tensor.info->type_id);
    for (const std::uint64_t dim : tensor.info->ne) key += ' ' + std::to_string(dim);
    return key;
}

// Those of `lonely` that could be one of `others` under another name.
std::vector<TensorChange*> candidates(const std::vector<TensorChange*>& lonely,
                                      const std::vector<TensorChange*>& others) {
    std::unordered_map<std::string, bool> structures;
    const auto tensor_of = [](const TensorChange* pair) { return pair->a != nullptr ? pair->a : pair->b; };
    for (const TensorChange* pair : others) structures[structure_of(*tensor_of(pair))] = true;
    std::vector<TensorChange*> found;
    for (TensorChange* pair : lonely) {
        if (structures.contains(structure_of(*tensor_of(pair)))) found.push_back(pair);
    }
    return found;
}

// Tensors of A alone and of B alone with the same content become one pair; of several with the same, the first ones.
Result<void> find_renamed(const Model& a, const Model& b, std::vector<TensorChange>& pairs,
                          const DiffOptions& options) {
    std::vector<TensorChange*> removed, added;
    for (TensorChange& pair : pairs) {
        if (pair.b == nullptr) removed.push_back(&pair);
        if (pair.a == nullptr) added.push_back(&pair);
    }
    const auto from = candidates(removed, added), to = candidates(added, removed);
    std::vector<ModelTensor> in_a, in_b;
    for (const TensorChange* pair : from) in_a.push_back(*pair->a);
    for (const TensorChange* pair : to) in_b.push_back(*pair->b);
    const auto of_a = digests_of(a, in_a, options);
    if (!of_a) return fail(of_a.error());
    const auto of_b = digests_of(b, in_b, options);
    if (!of_b) return fail(of_b.error());

    // A map of lists from the back, so that the first is taken first.
    std::unordered_map<std::string, std::vector<TensorChange*>> by_content;
    for (std::size_t i = to.size(); i-- > 0;) {
        by_content[structure_of(*to[i]->b) + (*of_b)[i].hex()].push_back(to[i]);
    }
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto same = by_content.find(structure_of(*from[i]->a) + (*of_a)[i].hex());
        if (same == by_content.end() || same->second.empty()) continue;
        from[i]->b = std::exchange(same->second.back()->b, nullptr);
        from[i]->renamed = true;
        same->second.pop_back();
    }
    std::erase_if(pairs, [](const TensorChange& pair) { return pair.a == nullptr && pair.b == nullptr; });
    return {};
}

}  // namespace

Result<Diff> compare(const Model& a, const Model& b, const DiffOptions& options) {
    std::vector<TensorChange> pairs = pair_up(a, b);
    if (options.bytes) {
        if (auto done = compare_bytes(a, b, pairs, options); !done) return fail(std::move(done).error());
        if (auto done = find_renamed(a, b, pairs, options); !done) return fail(std::move(done).error());
        if (options.digests) {
            if (auto done = add_digests(a, b, pairs, options); !done) return fail(std::move(done).error());
        }
    }
    if (auto done = look_at_scales(a, b, pairs); !done) return fail(std::move(done).error());
    for (const Model* model : {&a, &b}) {
        if (auto unchanged = model->check_unchanged(); !unchanged) return fail(std::move(unchanged).error());
    }
    const std::size_t all = pairs.size();
    std::erase_if(pairs, [](const TensorChange& pair) { return !differs(pair); });
    const std::size_t equal = all - pairs.size();
    return Diff{.metadata = compare_metadata(a.header(), b.header(), options),
                .tensors = std::move(pairs),
                .tensors_equal = equal};
}

}  // namespace ggufkit
