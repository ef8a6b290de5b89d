#include "requant/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quantize.hpp>

#include "io/read_at.hpp"

namespace ggufkit::requant {

namespace {

using Clock = std::chrono::steady_clock;

// Floats of a piece, and bytes of one that is copied: with their blocks they stay in a core's second-level cache.
constexpr std::uint64_t piece_elements = 64 << 10;
constexpr std::uint64_t piece_copy_bytes = 256 << 10;

std::string subject_of(const PlannedTensor& tensor) { return fmt::format("tensor '{}'", tensor.name); }

// `error` of the row that holds byte `at` of the source tensor.
tl::unexpected<Error> in_row(const Job& job, std::uint64_t at, Error error) {
    const PlannedTensor& tensor = job.tensor();
    const std::uint64_t row = at / (tensor.bytes_in / tensor.rows());
    error.subject = subject_of(tensor);
    error.offset = job.source_offset + at;
    error.detail = tensor.rows() == tensor.ne[1]
                       ? fmt::format("row {}: {}", row, error.detail)
                       : fmt::format("row {} of matrix {}: {}", row % tensor.ne[1], row / tensor.ne[1], error.detail);
    return fail(std::move(error));
}

tl::unexpected<Error> other_model(const PlannedTensor& tensor) {
    return fail(
        {.code = Errc::bad_argument, .subject = subject_of(tensor), .detail = "the plan was not made from this model"});
}

// A plan that only copies must not depend on what it copies.
bool checks(const Plan& plan) { return plan.file_type != nullptr || plan.converts(); }

// Whether a planned tensor is what the model has and lies within its output file.
Result<Target> make_target(const Model& model, const Plan& plan, std::uint32_t number, const PlannedTensor& tensor,
                           bool checked) {
    if (tensor.source >= model.tensors().size()) return other_model(tensor);
    const ModelTensor& source = model.tensors()[tensor.source];
    const auto data = model.data(source);
    if (!data) return fail(data.error());
    const FormatInfo& to = format_of(tensor.to);
    const auto bytes_out = tensor_bytes(to, tensor.ne);
    if (source.info->type_id != format_of(tensor.from).id || source.info->ne != tensor.ne ||
        data->size() != tensor.bytes_in || !bytes_out || *bytes_out != tensor.bytes_out ||
        tensor.file >= plan.files.size() || tensor.bytes_out > plan.files[tensor.file].file_bytes ||
        tensor.offset > plan.files[tensor.file].file_bytes - tensor.bytes_out ||
        (!tensor.importance.empty() && tensor.importance.size() != tensor.ne[0] * tensor.ne[2] * tensor.ne[3])) {
        return other_model(tensor);
    }
    return Target{.tensor = &tensor,
                  .plan = number,
                  .effort = plan.effort,
                  .big_endian = plan.byte_order == ByteOrder::big,
                  .unit_bytes = to.block_bytes,
                  .checked = checked};
}

Job undivided(const Model& model, const Target& target) {
    const ModelTensor& source = model.tensors()[target.tensor->source];
    const ModelView& shard = model.shard(source.shard);
    return {.fd = model.shard_fd(source.shard),
            .source_offset = shard.data_offset() + source.info->offset,
            .source_big_endian = shard.byte_order() == ByteOrder::big,
            .units = 0,
            .unit_elements = 0,
            .unit_bytes = 0,
            .piece_units = 1,
            .targets = {target}};
}

// Into units and pieces, once all targets are known.
void divide(Job& job) {
    const PlannedTensor& tensor = job.tensor();
    const FormatInfo& from = format_of(tensor.from);
    job.units = tensor.bytes_in / from.block_bytes;
    job.unit_elements = from.block_elements;
    job.unit_bytes = from.block_bytes;
    std::uint64_t most = piece_copy_bytes / from.block_bytes;
    if (job.converts() && tensor.bytes_in != 0) {
        job.units = tensor.rows();
        job.unit_elements = tensor.ne[0];
        job.unit_bytes = tensor.bytes_in / job.units;
        most = std::max<std::uint64_t>(1, piece_elements / tensor.ne[0]);
        for (Target& target : job.targets) target.unit_bytes = target.tensor->bytes_out / job.units;
    }
    job.piece_units = std::clamp<std::uint64_t>(job.units, 1, most);
}

// Encodes rows of one matrix, `row` being the first of them.
Result<void> encode_rows(const Job& job, const Target& target, std::uint64_t row, std::span<const float> values,
                         std::span<std::byte> out) {
    const PlannedTensor& tensor = *target.tensor;
    const std::size_t ne0 = job.unit_elements;
    const auto importance =
        tensor.importance.empty() ? tensor.importance : tensor.importance.subspan(row / tensor.ne[1] * ne0, ne0);
    auto encoded = quantize_rows(tensor.to, values, ne0, out, importance, target.effort);
    if (encoded) return {};
    row += encoded.error().offset.value_or(0) / ne0;
    return in_row(job, row * job.unit_bytes, std::move(encoded).error());
}

// The rows of a piece, which may be of several matrices.
Result<void> encode_piece(const Job& job, const Target& target, const SourcePiece& source, std::span<std::byte> out) {
    const std::uint64_t matrix_rows = target.tensor->ne[1];
    const std::uint64_t end = source.first + source.values.size() / job.unit_elements;
    for (std::uint64_t row = source.first; row < end;) {
        const std::uint64_t rows = std::min(end, (row / matrix_rows + 1) * matrix_rows) - row;
        const std::uint64_t before = row - source.first;
        auto encoded =
            encode_rows(job, target, row, source.values.subspan(before * job.unit_elements, rows * job.unit_elements),
                        out.subspan(before * target.unit_bytes, rows * target.unit_bytes));
        if (!encoded) return encoded;
        row += rows;
    }
    return {};
}

}  // namespace

bool Job::converts() const { return std::ranges::any_of(targets, &Target::converts); }
bool Job::checked() const { return std::ranges::any_of(targets, &Target::checked); }

std::uint64_t Job::tile_bytes() const {
    std::uint64_t made = 0;
    for (const Target& target : targets) {
        if (target.converts() || target.big_endian) made = std::max(made, target.unit_bytes);
    }
    return piece_units * (unit_bytes + made + (converts() ? unit_elements * sizeof(float) : 0));
}

Result<std::vector<Job>> make_jobs(const Model& model, std::span<const Plan* const> plans) {
    constexpr std::size_t none = ~std::size_t{0};
    std::vector<Job> jobs;
    std::vector<std::size_t> job_of(model.tensors().size(), none);
    for (std::uint32_t number = 0; number < plans.size(); ++number) {
        const bool checked = checks(*plans[number]);
        for (const PlannedTensor& tensor : plans[number]->tensors) {
            const auto target = make_target(model, *plans[number], number, tensor, checked);
            if (!target) return fail(target.error());
            std::size_t& job = job_of[tensor.source];
            if (job == none) {
                job = jobs.size();
                jobs.push_back(undivided(model, *target));
            } else {
                jobs[job].targets.push_back(*target);
            }
        }
    }
    std::ranges::for_each(jobs, divide);
    return jobs;
}

Result<Job> make_job(const Model& model, const Plan& plan, const PlannedTensor& tensor) {
    const auto target = make_target(model, plan, 0, tensor, checks(plan));
    if (!target) return fail(target.error());
    Job job = undivided(model, *target);
    divide(job);
    return job;
}

Result<std::vector<Job>> make_jobs(const Model& model, const Plan& plan) {
    const Plan* const plans[]{&plan};
    return make_jobs(model, plans);
}

Tile::Tile(std::span<const Job> jobs) {
    std::uint64_t bytes = 0;
    for (const Job& job : jobs) bytes = std::max(bytes, job.tile_bytes());
    memory_.resize((bytes + sizeof(float) - 1) / sizeof(float));
}

Result<SourcePiece> read_piece(const Job& job, std::uint64_t piece, Tile& tile) {
    const PlannedTensor& tensor = job.tensor();
    const std::uint64_t first = piece * job.piece_units;
    const std::uint64_t units = std::min(job.piece_units, job.units - first);
    const std::uint64_t begin = first * job.unit_bytes;
    const auto values = tile.memory().first(job.converts() ? units * job.unit_elements : 0);
    const auto bytes = std::as_writable_bytes(tile.memory().subspan(values.size()));
    const auto in = bytes.first(units * job.unit_bytes);

    // Native byte order between reading and writing, whatever the files have.
    if (auto read = io::read_at(job.fd, job.source_offset + begin, in); !read) {
        read.error().subject = subject_of(tensor);
        return fail(std::move(read).error());
    }
    if (job.source_big_endian) swap_block_bytes(format_of(tensor.from), in);
    if (job.checked()) {
        if (auto checked = check_blocks(tensor.from, in); !checked) {
            const std::uint64_t within = checked.error().offset.value_or(0);
            return in_row(job, begin + within, std::move(checked).error());
        }
    }
    if (job.converts()) {
        if (auto decoded = dequantize_rows(tensor.from, in, values); !decoded) return fail(std::move(decoded).error());
    }
    return SourcePiece{.first = first,
                       .offset = job.source_offset + begin,
                       .bytes = in,
                       .values = values,
                       .room = bytes.subspan(in.size())};
}

Result<Piece> make_piece(const Job& job, const Target& target, const SourcePiece& source, PieceObserver* observer) {
    Piece piece{.bytes_in = source.bytes.size(),
                .source = source.offset,
                .offset = target.tensor->offset + source.first * target.unit_bytes,
                .bytes = source.bytes};
    if (!target.converts() && !target.big_endian) return piece;

    const auto out = source.room.first(source.bytes.size() / job.unit_bytes * target.unit_bytes);
    if (target.converts()) {
        const auto start = observer == nullptr ? Clock::time_point() : Clock::now();
        if (auto encoded = encode_piece(job, target, source, out); !encoded) return fail(std::move(encoded).error());
        if (observer != nullptr) {
            auto seen = observer->encoded(job, target, source, out, Clock::now() - start);
            if (!seen) return fail(std::move(seen).error());
        }
    } else {
        std::ranges::copy(source.bytes, out.begin());
    }
    if (target.big_endian) swap_block_bytes(format_of(target.tensor->to), out);
    piece.bytes = out;
    return piece;
}

Result<Piece> make_piece(const Job& job, std::uint64_t piece, Tile& tile) {
    const auto source = read_piece(job, piece, tile);
    if (!source) return fail(source.error());
    return make_piece(job, job.targets.front(), *source);
}

}  // namespace ggufkit::requant
