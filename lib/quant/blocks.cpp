// What can be done to the blocks of any format by its row of the registry alone.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <ggufkit/quant/quantize.hpp>

#include "core/bytes.hpp"

namespace ggufkit {
namespace {

// Numbers of `width` bytes that are NaN or infinite where all bits of `mask` are set. No mask: any bits will do.
struct Exponent {
    std::size_t width;
    std::uint64_t mask;
};

Exponent exponent_of(const Field& field) {
    switch (field.number) {
        case Number::f16: return {2, 0x7c00};
        case Number::bf16: return {2, 0x7f80};
        case Number::f32: return {4, 0x7f800000};
        case Number::f64: return {8, 0x7ff0000000000000};
        case Number::e8m0: return {1, 0xff};
        // Bits 14..12 of the f16 lie in bits 14..12 of the last word, bits 11..10 in bits 15..14 of the word before.
        case Number::f16_in_top_nibbles: return {8, 0x7000'c000'0000'0000};
        case Number::bits:
        case Number::integer:
        case Number::ue4m3: break;  // the NaN of UE4M3 reads as zero
    }
    return {field.width, 0};
}

// Numbers at equal distances.
template <class Byte>
struct Run {
    Byte* first;
    std::size_t count;
    std::size_t stride;
};

// The numbers of one field in all blocks, as few runs as possible: visit(Run).
template <class Byte, class Visit>
void for_each_run(const FormatInfo& format, const Field& field, std::span<Byte> blocks, Visit visit) {
    const std::size_t n_blocks = blocks.size() / format.block_bytes;
    if (n_blocks == 0) return;
    if (field.count == 1) return visit(Run<Byte>{blocks.data() + field.offset, n_blocks, format.block_bytes});
    for (std::size_t i = 0; i < n_blocks; ++i) {
        visit(Run<Byte>{blocks.data() + i * format.block_bytes + field.offset, field.count, field.stride});
    }
}

// visit(Word{}) with the unsigned integer of that many bytes.
template <class Visit>
auto with_word(std::size_t width, Visit visit) {
    switch (width) {
        case 1: return visit(std::uint8_t{});
        case 2: return visit(std::uint16_t{});
        case 4: return visit(std::uint32_t{});
        default: return visit(std::uint64_t{});
    }
}

template <class Word>
bool any_not_finite(Run<const std::byte> run, Word mask) {
    Word any = 0;  // without an early exit and as wide as the numbers, so that it vectorizes
    const auto look_at = [&](const std::byte* number) {
        any |= (load<Word>(number, ByteOrder::little) & mask) == mask ? Word{1} : Word{0};
    };
    if (run.stride == sizeof(Word)) {
        for (std::size_t i = 0; i < run.count; ++i) look_at(run.first + i * sizeof(Word));
    } else {
        for (std::size_t i = 0; i < run.count; ++i) look_at(run.first + i * run.stride);
    }
    return any != 0;
}

// The first field of which some number in `blocks` is NaN or infinite, or null.
const Field* find_not_finite(const FormatInfo& format, std::span<const std::byte> blocks) {
    const auto not_finite = [&](const Field& field) {
        const Exponent exponent = exponent_of(field);
        if (exponent.mask == 0) return false;
        bool any = false;
        with_word(exponent.width, [&]<class Word>(Word) {
            for_each_run(format, field, blocks, [&](Run<const std::byte> run) {
                run.count = run.count * field.width / sizeof(Word);
                any |= any_not_finite<Word>(run, static_cast<Word>(exponent.mask));
            });
        });
        return any;
    };
    const auto found = std::ranges::find_if(format.fields, not_finite);
    return found == format.fields.end() ? nullptr : &*found;
}

}  // namespace

Result<void> check_blocks(TensorType type, std::span<const std::byte> blocks) {
    const FormatInfo& format = format_of(type);
    const auto subject = [&] { return fmt::format("type {}", format.name); };
    if (!format.usable()) {
        return fail({.code = Errc::unsupported, .subject = subject(), .detail = "its layout is not known"});
    }
    if (blocks.size() % format.block_bytes != 0) {
        return fail({.code = Errc::bad_row,
                     .subject = subject(),
                     .detail = fmt::format("{} bytes are not a whole number of blocks", blocks.size())});
    }
    if (find_not_finite(format, blocks) == nullptr) return {};
    for (std::size_t at = 0; at < blocks.size(); at += format.block_bytes) {
        if (const Field* const field = find_not_finite(format, blocks.subspan(at, format.block_bytes))) {
            return fail({.code = Errc::bad_quant,
                         .offset = at,
                         .subject = subject(),
                         .detail = fmt::format("{} is NaN or infinite", field->name)});
        }
    }
    return {};  // only where someone changed the bytes meanwhile
}

void swap_block_bytes(const FormatInfo& format, std::span<std::byte> blocks) {
    assert(format.usable() && blocks.size() % format.block_bytes == 0);
    for (const Field& field : format.fields) {
        with_word(field.width, [&]<class Word>(Word) {
            if constexpr (sizeof(Word) == 1) return;
            for_each_run(format, field, blocks, [](Run<std::byte> run) {
                for (std::size_t i = 0; i < run.count; ++i) {
                    std::byte* const number = run.first + i * run.stride;
                    std::reverse(number, number + sizeof(Word));
                }
            });
        });
    }
}

}  // namespace ggufkit
