// Speed and error of every quantizer and decoder, one thread, beside the reference's in the same run.
//
//   bench-quant [FILE.gguf] [--million N] [--type NAME]... [--imatrix]
//
// Rows: weights of the file, N million at most (default 4), and made-up ones. With --imatrix both get the same made-up
// importance of columns; without, the types for which the reference demands one get ones.
// The reference is libggml-base.so in $LLAMA_BINS; without it its columns stay empty. Errors are ratios to the
// reference's: plain, and weighted by rms + |x| or by the importance.
#include <dlfcn.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ggufkit/model.hpp>
#include <ggufkit/quantize.hpp>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/weight_rows.hpp"

namespace {

using namespace ggufkit;

constexpr std::size_t made_up_columns = 1024;

struct Source {
    std::string name;
    std::size_t ne0;
    std::vector<float> values;
    std::vector<float> importance{};  // of its columns
};

// The two functions of ggml that are measured, found at run time.
class Reference {
  public:
    static std::optional<Reference> load() {
        const char* const folder = std::getenv("LLAMA_BINS");
        if (!folder) return std::nullopt;
        void* const library = dlopen((std::string(folder) + "/libggml-base.so").c_str(), RTLD_NOW);
        if (!library) return std::nullopt;
        Reference r;
        r.quantize_ = reinterpret_cast<Quantize*>(dlsym(library, "ggml_quantize_chunk"));
        r.traits_ = reinterpret_cast<GetTraits*>(dlsym(library, "ggml_get_type_traits"));
        if (!r.quantize_ || !r.traits_) return std::nullopt;
        return r;
    }
    void quantize(TensorType type, const Source& from, std::vector<std::byte>& out) const {
        const auto ne0 = static_cast<std::int64_t>(from.ne0);
        const auto rows = static_cast<std::int64_t>(from.values.size()) / ne0;
        static const std::vector<float> ones(1 << 16, 1.0f);
        const bool stand_in =
            from.importance.empty() && format_of(type).imatrix != ImatrixNeed::none && type != TensorType::Q2_K;
        const auto& importance = stand_in ? ones : from.importance;
        quantize_(static_cast<int>(type), from.values.data(), out.data(), 0, rows, ne0,
                  importance.empty() ? nullptr : importance.data());
    }
    void dequantize(TensorType type, const std::vector<std::byte>& blocks, std::vector<float>& out) const {
        traits_(static_cast<int>(type))->to_float(blocks.data(), out.data(), static_cast<std::int64_t>(out.size()));
    }

  private:
    struct Traits {  // the beginning of ggml_type_traits
        const char* name;
        std::int64_t block_size;
        std::int64_t interleaved;
        std::size_t type_size;
        bool is_quantized;
        void (*to_float)(const void*, float*, std::int64_t);
    };
    using Quantize = std::size_t(int, const float*, void*, std::int64_t, std::int64_t, std::int64_t, const float*);
    using GetTraits = const Traits*(int);
    Quantize* quantize_ = nullptr;
    GetTraits* traits_ = nullptr;
};

// Millions a second of the fastest of three runs.
template <class Action>
double speed(std::size_t elements, Action action) {
    using Clock = std::chrono::steady_clock;
    double best = std::numeric_limits<double>::infinity();
    for (int run = 0; run < 3; ++run) {
        const auto start = Clock::now();
        action();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return static_cast<double>(elements) / best / 1e6;
}

struct Measured {
    double quantize;
    double dequantize;
    test::SquaredError error;
};

double importance_error(const Source& source, const std::vector<float>& copy) {
    double sum = 0;
    for (std::size_t i = 0; i < copy.size(); ++i) {
        const double difference = double{source.values[i]} - double{copy[i]};
        sum += double{source.importance[i % source.ne0]} * difference * difference;
    }
    return sum;
}

template <class Quantize, class Dequantize>
Measured measure(const Source& source, std::size_t bytes, Quantize quantize, Dequantize dequantize) {
    std::vector<std::byte> blocks(bytes);
    std::vector<float> copy(source.values.size());
    Measured m{};
    m.quantize = speed(copy.size(), [&] { quantize(blocks); });
    m.dequantize = speed(copy.size(), [&] { dequantize(blocks, copy); });
    m.error = test::squared_error(source.values, copy);
    if (!source.importance.empty()) m.error.weighted = importance_error(source, copy);
    return m;
}

double ratio(double ours, double theirs) { return ours == theirs ? 1.0 : ours / theirs; }

void compare(const FormatInfo& format, const Source& source, const std::optional<Reference>& reference) {
    const TensorType type = format.type();
    const std::size_t bytes = source.values.size() / format.block_elements * format.block_bytes;
    bool failed = false;
    const Measured ours = measure(
        source, bytes,
        [&](auto& blocks) { failed |= !quantize_rows(type, source.values, source.ne0, blocks, source.importance); },
        [&](const auto& blocks, auto& copy) { failed |= !dequantize_rows(type, blocks, copy); });
    if (failed) {
        fmt::print("{:<7} {:<22} failed\n", format.name, source.name);
        return;
    }
    fmt::print("{:<7} {:<22} {:8.1f}", format.name, source.name, ours.quantize);
    if (reference) {
        const Measured theirs = measure(
            source, bytes, [&](auto& blocks) { reference->quantize(type, source, blocks); },
            [&](const auto& blocks, auto& copy) { reference->dequantize(type, blocks, copy); });
        fmt::print(" {:9.1f} {:6.2f}   {:7.4f} {:8.4f}   {:9.1f} {:6.2f}", theirs.quantize,
                   ours.quantize / theirs.quantize, ratio(ours.error.plain, theirs.error.plain),
                   ratio(ours.error.weighted, theirs.error.weighted), ours.dequantize,
                   ours.dequantize / theirs.dequantize);
    } else {
        fmt::print(" {:>9} {:>6}   {:>7} {:>8}   {:9.1f}", "", "", "", "", ours.dequantize);
    }
    fmt::print("\n");
    std::fflush(stdout);
}

// The weights of matrices whose rows are `ne0` long, which is the first such length in the file.
std::optional<Source> weights_of(const std::string& path, std::size_t most) {
    const auto model = Model::open(path);
    if (!model) {
        fmt::print(stderr, "bench-quant: {}\n", model.error().message());
        return std::nullopt;
    }
    Source source{std::string(path, path.find_last_of('/') + 1), 0, {}};
    for (const ModelTensor& tensor : model->tensors()) {
        const TensorInfo& info = *tensor.info;
        if (info.n_dims < 2 || !info.format || !can_dequantize(info.format->type()) || info.ne[0] % 256 != 0) continue;
        if (source.ne0 == 0) source.ne0 = info.ne[0];
        const auto data = model->data(tensor);
        const auto elements = info.elements();
        if (info.ne[0] != source.ne0 || !data || !elements || source.values.size() + *elements > most) continue;
        std::vector<float> values(*elements);
        if (!dequantize_rows(info.format->type(), *data, values)) continue;
        source.values.insert(source.values.end(), values.begin(), values.end());
    }
    if (source.values.empty()) {
        fmt::print(stderr, "bench-quant: {}: no matrix in it fits\n", path);
        return std::nullopt;
    }
    return source;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("speed and error of quantizers and decoders, beside the reference's");
    std::string path;
    std::size_t million = 4;
    std::vector<std::string> types;
    bool with_importance = false;
    app.add_option("FILE", path, "a model whose matrices are measured, too");
    app.add_option("--million", million, "how many weights of each kind")->check(CLI::Range(1, 1000));
    app.add_option("--type", types, "only these types");
    app.add_flag("--imatrix", with_importance, "with a made-up importance matrix");
    CLI11_PARSE(app, argc, argv);

    std::vector<Source> sources;
    if (!path.empty()) {
        auto source = weights_of(path, million * 1'000'000);
        if (!source) return 1;
        sources.push_back(std::move(*source));
    }
    for (const auto& [tail, name] : test::tails) {
        sources.push_back(
            {std::string(name), made_up_columns, test::weight_rows(tail, million * 250, made_up_columns, 1)});
    }
    test::Random random(2);
    for (Source& source : sources) {
        for (std::size_t i = 0; with_importance && i < source.ne0; ++i) {
            source.importance.push_back(test::gain(random) * test::gain(random));
        }
    }
    const auto reference = Reference::load();
    if (!reference) fmt::print("no reference: LLAMA_BINS does not name the folder of libggml-base.so\n");
    fmt::print("million weights a second; errors as ratios to the reference's\n");
    fmt::print("{:<7} {:<22} {:>8} {:>9} {:>6}   {:>7} {:>8}   {:>9} {:>6}\n", "type", "weights", "quantize",
               "reference", "ratio", "plain", "weighted", "decode", "ratio");
    for (const FormatInfo& format : formats()) {
        if (!format.usable() || !format.quantized() || !can_quantize(format.type())) continue;
        if (!types.empty() && std::ranges::find(types, format.name) == types.end()) continue;
        for (const Source& source : sources) compare(format, source, reference);
    }
    return 0;
}
