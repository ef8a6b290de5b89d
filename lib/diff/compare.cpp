#include <algorithm>
#include <array>
#include <cstring>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/inspect/digests.hpp>
#include <unordered_map>
#include <utility>

#include "core/parallel.hpp"
#include "core/try.hpp"
#include "tensor/reader.hpp"
#include "tensor/scale.hpp"

namespace ggufkit {

namespace {

using tensor::Reader;

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
Result<void> look_at_scales(const Model& a, const Model& b, std::vector<TensorChange>& pairs,
                            const std::stop_token& stop) {
    for (TensorChange& pair : pairs) {
        if (stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        const bool in_a = pair.a != nullptr, in_b = pair.b != nullptr;
        pair.scale = (!in_a || is_scale(a, *pair.a)) && (!in_b || is_scale(b, *pair.b));
        if (!in_a || !in_b || pair.reshaped) continue;
        TRY_LET(const auto of_a, tensor::read_factors(a, *pair.a));
        TRY_LET(const auto of_b, tensor::read_factors(b, *pair.b));
        const auto is_one = [](float factor) { return factor == 1; };
        const bool same = of_a.empty()   ? std::ranges::all_of(of_b, is_one)
                          : of_b.empty() ? std::ranges::all_of(of_a, is_one)
                                         : of_a == of_b;
        pair.rescaled = !same;
    }
    return {};
}

// ---------------------------------------------------------------- bytes

// A pair that has bytes to compare.
struct Compared {
    TensorChange* pair;
    Reader a;
    Reader b;
};

struct Piece {
    std::size_t compared;  // index
    tensor::Range range;
};

struct Pieces {
    std::vector<Compared> compared;
    std::vector<Piece> all;
};

Result<Pieces> cut(const Model& model_a, const Model& model_b, std::vector<TensorChange>& pairs) {
    Pieces pieces;
    for (TensorChange& pair : pairs) {
        if (!has_bytes_to_compare(pair)) continue;
        TRY_LET(auto a, Reader::open(model_a, *pair.a));
        TRY_LET(auto b, Reader::open(model_b, *pair.b));
        const std::uint64_t step = a.elements_in(piece_bytes), elements = a.elements();
        pair.blocks.blocks = elements / a.format().block_elements;
        for (std::uint64_t first = 0; first < elements; first += step) {
            pieces.all.push_back({pieces.compared.size(), {first, std::min(step, elements - first)}});
        }
        pieces.compared.push_back({&pair, std::move(a), std::move(b)});
    }
    return pieces;
}

bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// The memory of one worker.
struct Memory {
    tensor::Workspace a;
    tensor::Workspace b;
};

Result<BlockDifference> compare_piece(const Compared& compared, tensor::Range range, Memory& memory) {
    const tensor::Window window_a(compared.a, range), window_b(compared.b, range);
    TRY_LET(const auto a, compared.a.blocks(range, memory.a));
    TRY_LET(const auto b, compared.b.blocks(range, memory.b));
    BlockDifference difference;
    if (same_bytes(a, b)) return difference;
    const FormatInfo& format = compared.a.format();
    const std::size_t block = format.block_bytes;
    for (std::size_t at = 0; at < a.size(); at += block) {
        if (same_bytes(a.subspan(at, block), b.subspan(at, block))) continue;
        ++difference.differ;
        if (difference.first.size() < BlockDifference::most)
            difference.first.push_back(range.first / format.block_elements + at / block);
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
    TRY_LET(const auto pieces, cut(a, b, pairs));
    std::uint64_t total = 0, done = 0;
    for (const Compared& compared : pieces.compared) total += compared.a.bytes();

    const unsigned workers = worker_count(pieces.all.size(), options.work.threads);
    std::vector<BlockDifference> found(std::size_t{4} * workers);
    std::vector<Memory> memory(workers);
    return parallel_in_order(
        pieces.all.size(), workers, found.size(), options.work.stop,
        [&](std::size_t i, std::size_t slot, unsigned worker) -> Result<void> {
            const Piece& piece = pieces.all[i];
            TRY_LET(auto difference, compare_piece(pieces.compared[piece.compared], piece.range, memory[worker]));
            found[slot] = std::move(difference);
            return {};
        },
        [&](std::size_t i, std::size_t slot) -> Result<void> {
            const Piece& piece = pieces.all[i];
            const Compared& compared = pieces.compared[piece.compared];
            take_in(*compared.pair, found[slot]);
            if (options.work.progress) options.work.progress({done += compared.a.bytes_of(piece.range.count), total});
            return {};
        });
}

// ---------------------------------------------------------------- digests

Result<std::vector<Digest>> digests_of(const Model& model, std::span<const ModelTensor> tensors,
                                       const DiffOptions& options) {
    return digests(model, tensors, {.threads = options.work.threads, .stop = options.work.stop});
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
    TRY_LET(const auto of_a, digests_of(a, in_a, options));
    TRY_LET(const auto of_b, digests_of(b, in_b, options));
    for (std::size_t i = 0; i < differing.size(); ++i) {
        differing[i]->digest_a = of_a[i];
        differing[i]->digest_b = of_b[i];
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
    TRY_LET(const auto of_a, digests_of(a, in_a, options));
    TRY_LET(const auto of_b, digests_of(b, in_b, options));

    // A map of lists from the back, so that the first is taken first.
    std::unordered_map<std::string, std::vector<TensorChange*>> by_content;
    for (std::size_t i = to.size(); i-- > 0;) {
        by_content[structure_of(*to[i]->b) + of_b[i].hex()].push_back(to[i]);
    }
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto same = by_content.find(structure_of(*from[i]->a) + of_a[i].hex());
        if (same == by_content.end() || same->second.empty()) continue;
        from[i]->b = std::exchange(same->second.back()->b, nullptr);
        from[i]->renamed = true;
        same->second.pop_back();
    }
    std::erase_if(pairs, [](const TensorChange& pair) { return pair.a == nullptr && pair.b == nullptr; });
    return {};
}

}  // namespace

Result<Diff> compare_models(const Model& a, const Model& b, const DiffOptions& options) {
    std::vector<TensorChange> pairs = pair_up(a, b);
    if (options.bytes) {
        TRY(compare_bytes(a, b, pairs, options));
        TRY(find_renamed(a, b, pairs, options));
        if (options.digests) {
            TRY(add_digests(a, b, pairs, options));
        }
    }
    TRY(look_at_scales(a, b, pairs, options.work.stop));
    for (const Model* model : {&a, &b}) {
        TRY(model->check_unchanged());
    }
    const std::size_t all = pairs.size();
    std::erase_if(pairs, [](const TensorChange& pair) { return !differs(pair); });
    const std::size_t equal = all - pairs.size();
    return Diff{.metadata = compare_metadata(a.header(), b.header(), options),
                .tensors = std::move(pairs),
                .tensors_equal = equal};
}

}  // namespace ggufkit
