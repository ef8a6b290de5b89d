#include "requant/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quantize.hpp>

#include "io/read_at.hpp"

namespace ggufkit::requant {

namespace {

// Floats of a piece, and bytes of one that is copied: with their blocks they stay in a core's second-level cache.
constexpr std::uint64_t piece_elements = 64 << 10;
constexpr std::uint64_t piece_copy_bytes = 256 << 10;

std::string subject_of(const PlannedTensor& tensor) { return fmt::format("tensor '{}'", tensor.name); }

// `error` of the row that holds byte `at` of the source tensor.
tl::unexpected<Error> in_row(const Job& job, std::uint64_t at, Error error) {
    const PlannedTensor& tensor = *job.tensor;
    const std::uint64_t row = at / (tensor.bytes_in / tensor.rows());
    error.subject = subject_of(tensor);
    error.offset = job.source_offset + at;
    error.detail = tensor.rows() == tensor.ne[1]
                       ? fmt::format("row {}: {}", row, error.detail)
                       : fmt::format("row {} of matrix {}: {}", row % tensor.ne[1], row / tensor.ne[1], error.detail);
    return fail(std::move(error));
}

Result<Job> make_job(const Model& model, const Plan& plan, const PlannedTensor& tensor) {
    const auto refuse = [&] {
        return fail({.code = Errc::bad_argument,
                     .subject = subject_of(tensor),
                     .detail = "the plan was not made from this model"});
    };
    if (tensor.source >= model.tensors().size()) return refuse();
    const ModelTensor& source = model.tensors()[tensor.source];
    const auto data = model.data(source);
    if (!data) return fail(data.error());
    const FormatInfo& from = format_of(tensor.from);
    const FormatInfo& to = format_of(tensor.to);
    const auto bytes_out = tensor_bytes(to, tensor.ne);
    if (source.info->type_id != from.id || source.info->ne != tensor.ne || data->size() != tensor.bytes_in ||
        !bytes_out || *bytes_out != tensor.bytes_out || tensor.file >= plan.files.size() ||
        tensor.bytes_out > plan.files[tensor.file].file_bytes ||
        tensor.offset > plan.files[tensor.file].file_bytes - tensor.bytes_out ||
        (!tensor.importance.empty() && tensor.importance.size() != tensor.ne[0] * tensor.ne[2] * tensor.ne[3])) {
        return refuse();
    }

    const ModelView& shard = model.shard(source.shard);
    Job job{.tensor = &tensor,
            .fd = model.shard_fd(source.shard),
            .source_offset = static_cast<std::uint64_t>(data->data() - shard.file().data()),
            .source_big_endian = shard.byte_order() == ByteOrder::big,
            .output_big_endian = plan.byte_order == ByteOrder::big,
            .effort = plan.effort,
            .units = tensor.bytes_in / from.block_bytes,
            .unit_elements = from.block_elements,
            .unit_bytes_in = from.block_bytes,
            .unit_bytes_out = to.block_bytes,
            .piece_units = piece_copy_bytes / from.block_bytes};
    if (job.converts() && tensor.bytes_in != 0) {
        job.units = tensor.rows();
        job.unit_elements = tensor.ne[0];
        job.unit_bytes_in = tensor.bytes_in / job.units;
        job.unit_bytes_out = tensor.bytes_out / job.units;
        job.piece_units = std::max<std::uint64_t>(1, piece_elements / tensor.ne[0]);
    }
    job.piece_units = std::clamp<std::uint64_t>(job.units, 1, job.piece_units);
    return job;
}

// Encodes rows of one matrix, `row` being the first of them.
Result<void> encode_rows(const Job& job, std::uint64_t row, std::span<const float> floats, std::span<std::byte> out) {
    const PlannedTensor& tensor = *job.tensor;
    const std::size_t ne0 = job.unit_elements;
    const auto importance =
        tensor.importance.empty() ? tensor.importance : tensor.importance.subspan(row / tensor.ne[1] * ne0, ne0);
    auto encoded = quantize_rows(tensor.to, floats, ne0, out, importance, job.effort);
    if (encoded) return {};
    row += encoded.error().offset.value_or(0) / ne0;
    return in_row(job, row * job.unit_bytes_in, std::move(encoded).error());
}

// The rows from `first` on, which may be of several matrices.
Result<void> convert_rows(const Job& job, std::uint64_t first, std::span<const std::byte> in, std::span<float> floats,
                          std::span<std::byte> out) {
    const PlannedTensor& tensor = *job.tensor;
    if (auto decoded = dequantize_rows(tensor.from, in, floats); !decoded) return decoded;
    const std::uint64_t end = first + floats.size() / job.unit_elements;
    for (std::uint64_t row = first; row < end;) {
        const std::uint64_t rows = std::min(end, (row / tensor.ne[1] + 1) * tensor.ne[1]) - row;
        auto encoded =
            encode_rows(job, row, floats.subspan((row - first) * job.unit_elements, rows * job.unit_elements),
                        out.subspan((row - first) * job.unit_bytes_out, rows * job.unit_bytes_out));
        if (!encoded) return encoded;
        row += rows;
    }
    return {};
}

}  // namespace

std::uint64_t Job::tile_bytes() const {
    return piece_units * (unit_bytes_in + (converts() ? unit_bytes_out + unit_elements * sizeof(float) : 0));
}

Result<std::vector<Job>> make_jobs(const Model& model, const Plan& plan) {
    std::vector<Job> jobs;
    jobs.reserve(plan.tensors.size());
    for (const PlannedTensor& tensor : plan.tensors) {
        auto job = make_job(model, plan, tensor);
        if (!job) return fail(std::move(job).error());
        jobs.push_back(*job);
    }
    return jobs;
}

Tile::Tile(std::span<const Job> jobs) {
    std::uint64_t bytes = 0;
    for (const Job& job : jobs) bytes = std::max(bytes, job.tile_bytes());
    memory_.resize((bytes + sizeof(float) - 1) / sizeof(float));
}

Result<Piece> make_piece(const Job& job, std::uint64_t piece, Tile& tile) {
    const PlannedTensor& tensor = *job.tensor;
    const std::uint64_t first = piece * job.piece_units;
    const std::uint64_t units = std::min(job.piece_units, job.units - first);
    const std::uint64_t begin = first * job.unit_bytes_in;
    const auto floats = tile.memory().first(job.converts() ? units * job.unit_elements : 0);
    const auto bytes = std::as_writable_bytes(tile.memory().subspan(floats.size()));
    const auto in = bytes.first(units * job.unit_bytes_in);
    const auto out = job.converts() ? bytes.subspan(in.size(), units * job.unit_bytes_out) : in;

    // Native byte order between reading and writing, whatever the files have.
    if (auto read = io::read_at(job.fd, job.source_offset + begin, in); !read) {
        read.error().subject = subject_of(tensor);
        return fail(std::move(read).error());
    }
    if (job.source_big_endian) swap_block_bytes(format_of(tensor.from), in);
    if (auto checked = check_blocks(tensor.from, in); !checked) {
        const std::uint64_t within = checked.error().offset.value_or(0);
        return in_row(job, begin + within, std::move(checked).error());
    }
    if (job.converts()) {
        if (auto converted = convert_rows(job, first, in, floats, out); !converted) {
            return fail(std::move(converted).error());
        }
    }
    if (job.output_big_endian) swap_block_bytes(format_of(tensor.to), out);
    return Piece{.bytes_in = in.size(),
                 .source = job.source_offset + begin,
                 .offset = tensor.offset + first * job.unit_bytes_out,
                 .bytes = out};
}

}  // namespace ggufkit::requant
