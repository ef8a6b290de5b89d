// bench-make_model OUT: writes a model of the Llama architecture with made-up weights, to measure with. The default is
// the shape of a 1.1-billion-parameter model in Q8_0. Weights are normal, with log-normal gains for rows and columns
// and a few heavy outliers, so that blocks differ as those of a trained model do; the same seed gives the same file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/writer.hpp>
#include <numbers>
#include <string>
#include <vector>

#include "core/parallel.hpp"
#include "io/output_file.hpp"

namespace {

using namespace ggufkit;

struct Shape {
    std::uint32_t layers = 22;
    std::uint32_t width = 2048;
    std::uint32_t ffn = 5632;
    std::uint32_t vocabulary = 32'000;
    std::uint32_t heads = 32;
    std::uint32_t kv_heads = 4;
    std::string type = "Q8_0";
    std::uint64_t seed = 1;

    std::uint32_t kv_width() const { return width / heads * kv_heads; }
};

// SplitMix64 (Steele, Lea, Flood 2014), made into normal numbers by the method of Box and Muller.
class Normals {
  public:
    explicit Normals(std::uint64_t seed) : state_(seed) {}

    float next() {
        if (has_spare_) {
            has_spare_ = false;
            return spare_;
        }
        const std::uint64_t bits = random();
        const float radius = std::sqrt(-2 * std::log((static_cast<float>(bits >> 40) + 1) * 0x1p-24f));
        const float angle = static_cast<float>(bits >> 16 & 0xffffff) * (0x1p-24f * 2 * std::numbers::pi_v<float>);
        spare_ = radius * std::sin(angle);
        has_spare_ = true;
        return radius * std::cos(angle);
    }
    bool one_in(std::uint64_t n) { return random() % n == 0; }

  private:
    std::uint64_t random() {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t z = state_;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }

    std::uint64_t state_;
    float spare_ = 0;
    bool has_spare_ = false;
};

void set_number(Header& header, std::string_view key, std::uint32_t value) {
    header.set(key, Value::of_unsigned(ValueType::uint32, value));
}

template <class T, class Make>
Result<void> set_array(Header& header, std::string_view key, ValueType type, std::span<const T> numbers, Make make) {
    std::vector<Value> values;
    for (const T number : numbers) values.push_back(make(number));
    auto array = Value::of_array(type, values);
    if (!array) return fail(array.error());
    header.set(key, std::move(*array));
    return {};
}

// As small as a SentencePiece vocabulary can be: control tokens, bytes, and words that mean nothing.
Result<void> set_tokenizer(Header& header, std::uint32_t vocabulary) {
    enum : std::int32_t { normal = 1, unknown = 2, control = 3, byte = 6 };
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    std::vector<std::int32_t> kinds{unknown, control, control};
    for (int i = 0; i < 256; ++i) {
        tokens.push_back(fmt::format("<0x{:02X}>", i));
        kinds.push_back(byte);
    }
    for (std::size_t i = tokens.size(); i < vocabulary; ++i) tokens.push_back(fmt::format("\u2581t{}", i));
    tokens.resize(vocabulary);
    kinds.resize(vocabulary, normal);
    std::vector<float> scores(vocabulary);
    for (std::size_t i = 259; i < scores.size(); ++i) scores[i] = 259.0f - static_cast<float>(i);

    header.set("tokenizer.ggml.model", Value::of_string("llama"));
    header.set("tokenizer.ggml.tokens", Value::of_strings(tokens));
    set_number(header, "tokenizer.ggml.bos_token_id", 1);
    set_number(header, "tokenizer.ggml.eos_token_id", 2);
    set_number(header, "tokenizer.ggml.unknown_token_id", 0);
    if (auto done = set_array<float>(header, "tokenizer.ggml.scores", ValueType::float32, scores, Value::of_float32);
        !done) {
        return done;
    }
    return set_array<std::int32_t>(header, "tokenizer.ggml.token_type", ValueType::int32, kinds,
                                   [](std::int32_t kind) { return Value::of_signed(ValueType::int32, kind); });
}

Result<Header> make_header(const Shape& shape, TensorType weights) {
    Header header;
    header.set("general.architecture", Value::of_string("llama"));
    header.set("general.name", Value::of_string("made up"));
    set_number(header, "llama.block_count", shape.layers);
    set_number(header, "llama.context_length", 2048);
    set_number(header, "llama.embedding_length", shape.width);
    set_number(header, "llama.feed_forward_length", shape.ffn);
    set_number(header, "llama.attention.head_count", shape.heads);
    set_number(header, "llama.attention.head_count_kv", shape.kv_heads);
    header.set("llama.attention.layer_norm_rms_epsilon", Value::of_float32(1e-5f));
    set_number(header, "llama.rope.dimension_count", shape.width / shape.heads);
    set_number(header, "llama.vocab_size", shape.vocabulary);
    if (auto done = set_tokenizer(header, shape.vocabulary); !done) return fail(done.error());

    const auto matrix = [&](std::string name, std::uint64_t columns, std::uint64_t rows) {
        header.tensors.push_back({std::move(name), 2, {columns, rows, 1, 1}, weights});
    };
    const auto norm = [&](std::string name) {
        header.tensors.push_back({std::move(name), 1, {shape.width, 1, 1, 1}, TensorType::F32});
    };
    matrix("token_embd.weight", shape.width, shape.vocabulary);
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}.weight", layer, part); };
        norm(name("attn_norm"));
        matrix(name("attn_q"), shape.width, shape.width);
        matrix(name("attn_k"), shape.width, shape.kv_width());
        matrix(name("attn_v"), shape.width, shape.kv_width());
        matrix(name("attn_output"), shape.width, shape.width);
        norm(name("ffn_norm"));
        matrix(name("ffn_gate"), shape.width, shape.ffn);
        matrix(name("ffn_up"), shape.width, shape.ffn);
        matrix(name("ffn_down"), shape.ffn, shape.width);
    }
    norm("output_norm.weight");
    matrix("output.weight", shape.width, shape.vocabulary);
    return header;
}

std::vector<float> gains(std::uint64_t seed, std::size_t count) {
    Normals normals(seed);
    std::vector<float> values(count);
    for (float& value : values) value = std::exp(0.3f * normals.next());
    return values;
}

constexpr std::uint64_t rows_at_once = 64;
constexpr std::uint64_t outlier_every = 1000;

// Rows of a tensor, encoded. Norms are near one, weights near zero.
Result<void> make_rows(const Header::Tensor& tensor, std::span<const float> columns, std::uint64_t seed,
                       std::span<float> values, std::span<std::byte> out) {
    const float spread = 1 / std::sqrt(static_cast<float>(tensor.ne[0]));
    for (std::size_t begin = 0; begin < values.size(); begin += columns.size(), ++seed) {
        Normals normals(seed << 32);
        const float row = tensor.n_dims == 1 ? 1 : spread * std::exp(0.3f * normals.next());
        for (std::size_t i = 0; i < columns.size(); ++i) {
            values[begin + i] = row * columns[i] * (tensor.n_dims == 1 ? 1 : normals.next());
        }
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (tensor.n_dims > 1 && normals.one_in(outlier_every)) values[begin + i] *= 8;
        }
    }
    return quantize_rows(tensor.type, values, columns.size(), out);
}

Result<void> make_tensor(const Header::Tensor& tensor, std::uint64_t offset, std::uint64_t seed, io::OutputFile& file) {
    const auto row = row_bytes(format_of(tensor.type), tensor.ne[0]);
    if (!row) return fail(row.error());
    const auto columns = gains(seed, tensor.ne[0]);
    const std::uint64_t chunks = (tensor.ne[1] + rows_at_once - 1) / rows_at_once;
    return parallel_for(chunks, 0, {}, [&](std::size_t chunk, unsigned) -> Result<void> {
        const std::uint64_t first = chunk * rows_at_once;
        const std::uint64_t rows = std::min(rows_at_once, tensor.ne[1] - first);
        std::vector<float> values(rows * tensor.ne[0]);
        std::vector<std::byte> bytes(rows * *row);
        if (auto made = make_rows(tensor, columns, (seed << 16) + first, values, bytes); !made) return made;
        return file.write(offset + first * *row, bytes);
    });
}

Result<void> make_model(const Shape& shape, const std::string& path) {
    const FormatInfo* const format = find_format(shape.type);
    if (format == nullptr) return fail({.code = Errc::bad_argument, .subject = shape.type, .detail = "is no type"});
    const auto header = make_header(shape, format->type());
    if (!header) return fail(header.error());
    const auto layout = make_layout(*header);
    if (!layout) return fail(layout.error());
    auto file = io::OutputFile::create(path, layout->file_bytes, {.overwrite = true});
    if (!file) return fail(file.error());
    if (auto done = file->write(0, layout->header); !done) return done;
    for (std::size_t i = 0; i < header->tensors.size(); ++i) {
        auto done = make_tensor(header->tensors[i], layout->offsets[i], (shape.seed << 16) + i, *file);
        if (!done) return done;
    }
    return file->commit();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Writes a model with made-up weights to measure with.", "bench-make_model"};
    Shape shape;
    std::string path;
    app.add_option("OUT", path, "File to write; an existing one is replaced")->required();
    app.add_option("--layers", shape.layers)->capture_default_str();
    app.add_option("--width", shape.width)->capture_default_str();
    app.add_option("--ffn", shape.ffn)->capture_default_str();
    app.add_option("--vocabulary", shape.vocabulary)->capture_default_str()->check(CLI::Range(259, 1 << 20));
    app.add_option("--heads", shape.heads)->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--kv-heads", shape.kv_heads)->capture_default_str();
    app.add_option("--type", shape.type, "Type of the matrices")->capture_default_str();
    app.add_option("--seed", shape.seed)->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    if (auto made = make_model(shape, path); !made) {
        fmt::print(stderr, "{}\n", made.error().message());
        return 1;
    }
    return 0;
}
