// Speed and error of every quantizer and decoder, one thread, beside the reference's in the same run.
//
//   bench-quant [FILE.gguf] [--million N] [--type NAME]... [--imatrix | --ones] [--effort fast|normal|max] [--floor]
//
// Rows: weights of the file, N million at most (default 1), and made-up ones. With --imatrix both get the same made-up
// importance of columns; without, the types for which the reference demands one get ones. With --ones the reference gets ones for all types (it searches longer
// then), and we get nothing. Types that cannot be made here
// are decoded from random blocks. Decoding goes piece by piece into a buffer that stays in a core's cache, as in a
// requantization. With --floor there is a line more where the least error that any encoder could reach can be found by trying all scales.
// The reference is libggml-base.so in $LLAMA_BINS; without it its columns stay empty. Errors are ratios to the
// reference's: plain, and weighted by rms + |x| or by the importance. A summary of each type follows.
#include <dlfcn.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/least_error.hpp"
#include "support/weight_rows.hpp"

namespace {

using namespace ggufkit;

constexpr std::size_t made_up_columns = 1024;
constexpr std::size_t piece_elements = 64 << 10;  // decoded at a time

struct Source {
    std::string name;
    std::size_t ne0;
    std::vector<float> values;
    std::vector<float> importance{};  // of its columns
};

// The two functions of ggml that are measured, found at run time.
class Reference {
  public:
    static std::optional<Reference> load(bool ones) {
        const char* const folder = std::getenv("LLAMA_BINS");
        if (!folder) return std::nullopt;
        void* const library = dlopen((std::string(folder) + "/libggml-base.so").c_str(), RTLD_NOW);
        if (!library) return std::nullopt;
        Reference r;
        r.ones_ = ones;
        r.quantize_ = reinterpret_cast<Quantize*>(dlsym(library, "ggml_quantize_chunk"));
        r.traits_ = reinterpret_cast<GetTraits*>(dlsym(library, "ggml_get_type_traits"));
        if (!r.quantize_ || !r.traits_) return std::nullopt;
        return r;
    }
    void quantize(TensorType type, const Source& from, std::vector<std::byte>& out) const {
        const auto ne0 = static_cast<std::int64_t>(from.ne0);
        const auto rows = static_cast<std::int64_t>(from.values.size()) / ne0;
        static const std::vector<float> ones(1 << 16, 1.0f);
        // Without importance the reference makes some types badly or not at all; ones say nothing.
        const bool demanding = format_of(type).family == Family::iq && format_of(type).imatrix != ImatrixNeed::none;
        const bool stand_in = from.importance.empty() && (ones_ || demanding);
        const auto& importance = stand_in ? ones : from.importance;
        quantize_(static_cast<int>(type), from.values.data(), out.data(), 0, rows, ne0,
                  importance.empty() ? nullptr : importance.data());
    }
    bool can_dequantize(TensorType type) const { return traits_(static_cast<int>(type))->to_float != nullptr; }
    void dequantize(TensorType type, std::span<const std::byte> blocks, std::span<float> out) const {
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
    bool ones_ = false;  // as importance, where there is none
};

// Millions a second of the fastest run.
template <class Action>
double speed(std::size_t elements, int runs, Action action) {
    using Clock = std::chrono::steady_clock;
    double best = std::numeric_limits<double>::infinity();
    for (int run = 0; run < runs; ++run) {
        const auto start = Clock::now();
        action();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return static_cast<double>(elements) / best / 1e6;
}

template <class Decode>
double decoding_speed(const FormatInfo& format, std::span<const std::byte> blocks, Decode decode) {
    const std::size_t n = blocks.size() / format.block_bytes;
    const std::size_t at_once = piece_elements / format.block_elements;
    std::vector<float> out(piece_elements);
    return speed(n * format.block_elements, 7, [&] {
        for (std::size_t i = 0; i < n; i += at_once) {
            const std::size_t count = std::min(at_once, n - i);
            decode(blocks.subspan(i * format.block_bytes, count * format.block_bytes),
                   std::span(out).first(count * format.block_elements));
        }
    });
}

double importance_error(const Source& source, const std::vector<float>& copy) {
    double sum = 0;
    for (std::size_t i = 0; i < copy.size(); ++i) {
        const double difference = double{source.values[i]} - double{copy[i]};
        sum += double{source.importance[i % source.ne0]} * difference * difference;
    }
    return sum;
}

test::SquaredError error_of(const Source& source, const std::vector<float>& copy) {
    test::SquaredError error = test::squared_error(source.values, copy);
    if (!source.importance.empty()) error.weighted = importance_error(source, copy);
    return error;
}

double ratio(double ours, double theirs) { return ours == theirs ? 1.0 : ours / theirs; }

// Ours over the reference's: of one type and all sources.
struct Summary {
    void add_quantizer(double speed, double plain, double weighted) {
        log_speed += std::log(speed);
        worst_plain = std::max(worst_plain, plain);
        worst_weighted = std::max(worst_weighted, weighted);
        ++quantized;
    }
    void add_decoder(double speed, bool bit_equal) {
        log_decoding += std::log(speed);
        same_values &= bit_equal;
        ++decoded;
    }
    double log_speed = 0, log_decoding = 0;
    double worst_plain = 0, worst_weighted = 0;
    bool same_values = true;
    int quantized = 0, decoded = 0;
};
using Summaries = std::map<std::string_view, Summary>;

struct Bench {
    std::optional<Reference> reference;
    Effort effort;
    bool floor;
    Summaries summaries{};

    // The quantizer, and the decoder of what it made.
    void compare(const FormatInfo& format, const Source& source) {
        const TensorType type = format.type();
        std::vector<std::byte> blocks(source.values.size() / format.block_elements * format.block_bytes);
        std::vector<float> copy(source.values.size());
        bool done = true;
        const double ours = speed(copy.size(), 3, [&] {
            done &= quantize_rows(type, source.values, source.ne0, blocks, source.importance, effort).has_value();
        });
        if (!done || !dequantize_rows(type, blocks, copy)) {
            fmt::print("{:<7} {:<22} failed\n", format.name, source.name);
            return;
        }
        fmt::print("{:<7} {:<22} {:8.1f}", format.name, source.name, ours);
        test::SquaredError their_error;
        if (reference) {
            const auto error = error_of(source, copy);
            std::vector<std::byte> their_blocks(blocks.size());
            const double theirs = speed(copy.size(), 3, [&] { reference->quantize(type, source, their_blocks); });
            done &= dequantize_rows(type, their_blocks, copy).has_value();
            their_error = error_of(source, copy);
            const double plain = ratio(error.plain, their_error.plain);
            const double weighted = ratio(error.weighted, their_error.weighted);
            fmt::print(" {:9.1f} {:6.2f}   {:7.4f} {:8.4f}", theirs, ours / theirs, plain, weighted);
            summaries[format.name].add_quantizer(ours / theirs, plain, weighted);
        } else {
            fmt::print(" {:>9} {:>6}   {:>7} {:>8}", "", "", "", "");
        }
        decode(format, blocks);
        if (floor && reference) print_floor(format, source, their_error);
    }

    // What no encoder goes below.
    static void print_floor(const FormatInfo& format, const Source& source, const test::SquaredError& theirs) {
        const auto least = test::least_error(format.type(), source.values);
        if (!least) return;
        fmt::print("{:<7} {:<22} {:>8} {:>9} {:>6}   {:7.4f} {:8.4f}\n", "", "  at the least", "", "", "",
                   least->plain / theirs.plain, least->weighted / theirs.weighted);
    }

    void decode_random_blocks(const FormatInfo& format, std::size_t elements) {
        fmt::print("{:<7} {:<22} {:>8} {:>9} {:>6}   {:>7} {:>8}", format.name, "random blocks", "", "", "", "", "");
        decode(format, test::random_blocks(format, elements / format.block_elements, 3));
    }

    void decode(const FormatInfo& format, std::span<const std::byte> blocks) {
        const TensorType type = format.type();
        bool done = true;
        const auto our_decoder = [&](auto from, auto out) { done &= dequantize_rows(type, from, out).has_value(); };
        const double ours = decoding_speed(format, blocks, our_decoder);
        fmt::print("   {:9.1f}", ours);
        if (reference && reference->can_dequantize(type)) {
            const auto their_decoder = [&](auto from, auto out) { reference->dequantize(type, from, out); };
            const double theirs = decoding_speed(format, blocks, their_decoder);
            std::vector<float> copy(blocks.size() / format.block_bytes * format.block_elements),
                their_copy(copy.size());
            our_decoder(blocks, std::span(copy));
            their_decoder(blocks, std::span(their_copy));
            const bool same = std::memcmp(copy.data(), their_copy.data(), copy.size() * sizeof(float)) == 0;
            fmt::print(" {:6.2f}{}", ours / theirs, same ? "" : " different values");
            summaries[format.name].add_decoder(ours / theirs, same);
        }
        fmt::print("{}\n", done ? "" : " failed");
        std::fflush(stdout);
    }

    void print_summaries() const {
        fmt::print("\n{:<7} {:>15} {:>11} {:>14}   {:>12}\n", "type", "quantize, ratio", "worst plain",
                   "worst weighted", "decode, ratio");
        double log_decoding = 0;
        int decoded = 0;
        for (const FormatInfo& format : formats()) {
            const auto found = summaries.find(format.name);
            if (found == summaries.end()) continue;
            const Summary& s = found->second;
            if (s.quantized > 0) {
                fmt::print("{:<7} {:15.2f} {:11.4f} {:14.4f}", format.name, std::exp(s.log_speed / s.quantized),
                           s.worst_plain, s.worst_weighted);
            } else {
                fmt::print("{:<7} {:>15} {:>11} {:>14}", format.name, "", "", "");
            }
            if (s.decoded > 0) {
                log_decoding += s.log_decoding / s.decoded;
                ++decoded;
                fmt::print("   {:13.2f}{}", std::exp(s.log_decoding / s.decoded),
                           s.same_values ? "" : " different values");
            }
            fmt::print("\n");
        }
        if (decoded > 0)
            fmt::print("decoding, geometric mean of all types: {:.2f}\n", std::exp(log_decoding / decoded));
    }
};

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
    std::size_t million = 1;
    std::vector<std::string> types;
    bool with_importance = false;
    app.add_option("FILE", path, "a model whose matrices are measured, too");
    app.add_option("--million", million, "how many weights of each kind")->check(CLI::Range(1, 1000));
    app.add_option("--type", types, "only these types");
    app.add_flag("--imatrix", with_importance, "with a made-up importance matrix");
    bool ones = false;
    app.add_flag("--ones", ones, "the reference gets an importance matrix of ones");
    bool floor = false;
    app.add_flag("--floor", floor, "the least error that there could be, of types with one scale");
    Effort effort = Effort::normal;
    const std::map<std::string, Effort> efforts{
        {"fast", Effort::fast}, {"normal", Effort::normal}, {"default", Effort::normal}, {"max", Effort::max}};
    app.add_option("--effort", effort, "how long quantizers search")->transform(CLI::CheckedTransformer(efforts));
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
    Bench bench{Reference::load(ones), effort, floor};
    if (!bench.reference) fmt::print("no reference: LLAMA_BINS does not name the folder of libggml-base.so\n");
    fmt::print("million weights a second; errors as ratios to the reference's\n");
    fmt::print("{:<7} {:<22} {:>8} {:>9} {:>6}   {:>7} {:>8}   {:>9} {:>6}\n", "type", "weights", "quantize",
               "reference", "ratio", "plain", "weighted", "decode", "ratio");
    for (const FormatInfo& format : formats()) {
        if (!format.usable() || !can_dequantize(format.type())) continue;
        if (!types.empty() && std::ranges::find(types, format.name) == types.end()) continue;
        const bool rounds = format.type() == TensorType::F16 || format.type() == TensorType::BF16;
        if (!format.quantized() && !rounds) continue;
        if (can_quantize(format.type())) {
            for (const Source& source : sources) bench.compare(format, source);
        } else {
            bench.decode_random_blocks(format, million * 1'000'000);
        }
    }
    if (bench.reference) bench.print_summaries();
    return 0;
}
