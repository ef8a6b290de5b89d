#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ggufkit/writer.hpp>

#include "container/alignment.hpp"
#include "container/encode.hpp"
#include "container/structure.hpp"
#include "container/tensor_size.hpp"
#include "core/checked.hpp"
#include "core/try.hpp"

namespace ggufkit {
namespace {

using container::breach;
using container::R;
using container::subject;

std::uint32_t alignment_of(const Header& header) {
    const auto entry = std::ranges::find(header.metadata(), container::alignment_key, &Header::Entry::key);
    return entry == header.metadata().end() ? default_alignment : container::usable_alignment(entry->value);
}

// Sizes, and offsets from the start of the data section.
Result<std::uint64_t> place_tensors(const Header& header, Layout& layout) {
    std::uint64_t next = 0;
    for (const Header::Tensor& tensor : header.tensors) {
        const auto refuse = [&](container::Breach broken) {
            return fail(breach(broken.which, {}, subject("tensor", tensor.name), std::move(broken.detail)));
        };
        if (tensor.n_dims > max_dims) return refuse({R::n_dims, container::too_many_dims(tensor.n_dims)});
        const auto type_id = static_cast<std::uint32_t>(tensor.type);
        const auto size =
            container::byte_count(type_id, find_format(type_id), std::span(tensor.ne).first(tensor.n_dims));
        if (!size) return refuse(size.error());
        layout.offsets.push_back(next);
        layout.sizes.push_back(*size);
        const auto end = checked_add(next, *size);
        const auto padded = end ? checked_align(*end, layout.alignment) : std::nullopt;
        if (!padded) return refuse({R::offset_sum, fmt::format("offset {} + {} bytes", next, *size)});
        next = *padded;
    }
    return next;
}

std::vector<std::byte> encode(const Header& header, const Layout& layout) {
    const ByteOrder order = header.byte_order;
    const auto magic = std::as_bytes(std::span("GGUF", 4));
    std::vector<std::byte> out(magic.begin(), magic.end());
    append(out, std::uint32_t{3}, order);
    append(out, std::uint64_t{header.tensors.size()}, order);
    append(out, std::uint64_t{header.metadata().size()}, order);
    for (const auto& [key, value] : header.metadata()) {
        container::append_string(out, key, order);
        append(out, static_cast<std::uint32_t>(value.type()), order);
        container::append_value(out, value, order);
    }
    for (std::size_t i = 0; i < header.tensors.size(); ++i) {
        const Header::Tensor& tensor = header.tensors[i];
        container::append_string(out, tensor.name, order);
        append(out, tensor.n_dims, order);
        for (std::uint32_t d = 0; d < tensor.n_dims; ++d) append(out, tensor.ne[d], order);
        append(out, static_cast<std::uint32_t>(tensor.type), order);
        append(out, layout.offsets[i], order);
    }
    return out;
}

// What is written can be read back, because it has been: by the reader, with the reader's rules.
Result<void> read_back(const Layout& layout) {
    auto view = parse(layout.header);
    if (!view) return fail(std::move(view.error()));
    container::Findings findings({});
    container::check_structure(*view, layout.file_bytes, findings);
    for (Diagnostic& found : findings.take().diagnostics) {
        if (found.severity == Severity::error) return fail(std::move(found.error));
    }
    return {};
}

}  // namespace

Result<Layout> make_layout(const Header& header) {
    Layout layout;
    layout.alignment = alignment_of(header);
    TRY_LET(const auto data_bytes, place_tensors(header, layout));

    layout.header = encode(header, layout);
    layout.data_offset = *checked_align(layout.header.size(), layout.alignment);
    if (!header.tensors.empty()) layout.header.resize(static_cast<std::size_t>(layout.data_offset));
    const auto file_bytes = checked_add(layout.header.size(), data_bytes);
    if (!file_bytes) return fail(breach(R::offset_sum, {}, "file", "has more than 2^64 bytes"));
    layout.file_bytes = *file_bytes;
    for (std::uint64_t& offset : layout.offsets) offset += layout.data_offset;

    if (auto read = read_back(layout); !read) {
        read.error().offset.reset();  // a place in a file that will not be
        return fail(std::move(read.error()));
    }
    return layout;
}

Result<std::vector<std::byte>> write_to_memory(const Header& header,
                                               const std::function<std::span<const std::byte>(std::size_t)>& data) {
    auto layout = make_layout(header);
    if (!layout) return fail(std::move(layout.error()));
    std::vector<std::byte> file = std::move(layout->header);
    for (std::size_t i = 0; i < header.tensors.size(); ++i) {
        const auto bytes = data(i);
        if (bytes.size() != layout->sizes[i]) {
            return fail({.code = Errc::bad_argument,
                         .subject = subject("tensor", header.tensors[i].name),
                         .detail = fmt::format("{} bytes given where {} are needed", bytes.size(), layout->sizes[i])});
        }
        file.resize(static_cast<std::size_t>(layout->offsets[i]));  // grows with what is there, not with what is said
        file.insert(file.end(), bytes.begin(), bytes.end());
    }
    file.resize(static_cast<std::size_t>(layout->file_bytes));
    return file;
}

}  // namespace ggufkit
