// Hostile files, second half: tensors, offsets and data, named by their rows of the taxonomy. The first half, header
// and metadata, is validity_metadata_test.cpp.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "container/verdict.hpp"
#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using namespace std::string_view_literals;

namespace {

constexpr std::uint64_t max_u64 = ~std::uint64_t{0};
constexpr std::uint64_t two_to(unsigned exponent) { return std::uint64_t{1} << exponent; }

// What is said about a tensor at the start of the data, and its 32 bytes of data.
std::string findings_about(Encoding encoding, const TensorRecord& record, const ValidateOptions& options = {}) {
    return findings(TensorFile(encoding, {record}, 32), options);
}

// Where the record of the only tensor of a file without metadata begins.
std::uint64_t only_record(Encoding encoding) { return Bytes(encoding, 1, 0).size(); }

// Dimensions of 64 bits exist since version 2.
template <class Test>
void in_every_wide_encoding(Test test) {
    in_every_encoding([&](Encoding encoding) {
        if (encoding.version > 1) test(encoding);
    });
}

}  // namespace

TEST_CASE("T01 a tensor name longer than the rest of the file") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t length : {max_u64, two_to(63) - 1, two_to(31), std::uint64_t{1000}}) {
            CAPTURE(length);
            CHECK(findings_about(encoding, {.ne = {8}, .name_length = length}) ==
                  error(Errc::length_past_eof, only_record(encoding)));
        }
    });
}

TEST_CASE("T01 tensor names of 63 and 64 bytes and more") {
    in_every_encoding([](Encoding encoding) {
        const std::uint64_t at = only_record(encoding);
        const auto named = [&](std::size_t length, const ValidateOptions& options) {
            const std::string name(length, 'n');
            return findings_about(encoding, {.name = name, .ne = {8}}, options);
        };
        CHECK(named(63, {}) == "");
        CHECK(named(63, as_llama) == "");
        CHECK(named(64, {}) == "");
        CHECK(named(64, as_llama) == error(Errc::name_too_long, at));
        CHECK(named(65, {}) == error(Errc::name_too_long, at));
        CHECK(named(65, as_llama) == error(Errc::name_too_long, at));
        CHECK(named(70000, {}) == error(Errc::name_too_long, at));
    });
}

TEST_CASE("T02 a tensor name that is empty or holds a NUL or is not UTF-8") {
    in_every_encoding([](Encoding encoding) {
        for (const std::string_view name :
             {""sv, "\0"sv, "output.weight\0x"sv, "\xff"sv, "blk.\xc0\x80"sv, "\xed\xa0\x80"sv}) {
            CAPTURE(name.size());
            CHECK(findings_about(encoding, {.name = name, .ne = {8}}) == error(Errc::bad_name, only_record(encoding)));
        }
        CHECK(findings_about(encoding, {.name = "größe.weight", .ne = {8}}) == "");
    });
}

TEST_CASE("T05 duplicate tensor name") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile file(encoding,
                              {{.name = "twice", .ne = {8}},
                               {.name = "once", .ne = {8}, .offset = 32},
                               {.name = "twice", .ne = {4}, .type = TensorType::F16, .offset = 64},
                               {.name = "twice", .ne = {8}, .offset = 96}},
                              128);
        CHECK(findings(file) ==
              error(Errc::dup_tensor, file.at[2].record) + error(Errc::dup_tensor, file.at[3].record));
        CHECK(parse(file).value().find_tensor("twice")->info_offset == file.at[0].record);
    });
}

TEST_CASE("T08 more than four dimensions") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint32_t n_dims : {5u, 8u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
            CAPTURE(n_dims);
            const TensorFile file(encoding, {{.ne = {8, 1, 1, 1, 1}, .n_dims = n_dims}}, 32);
            CHECK(findings(file) == error(Errc::bad_ndims, file.at[0].n_dims));
        }
        CHECK(findings_about(encoding, {.ne = {2, 2, 2, 1}}) == "");
    });
}

TEST_CASE("T10 a scalar and extents of zero") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile scalar(encoding, {{.ne = {}}}, 32);
        CHECK(findings(scalar) == "");
        const auto view = parse(scalar);
        REQUIRE(view);
        CHECK(view->tensors()[0].elements().value() == 1);
        CHECK(view->tensors()[0].bytes().value() == 4);
        CHECK(view->data(view->tensors()[0]).value().size() == 4);

        for (const std::vector<std::uint64_t>& ne :
             std::vector<std::vector<std::uint64_t>>{{0}, {32, 0}, {0, 5, 7, 9}, {256, 3, 0, 2}}) {
            for (const TensorType type : {TensorType::F32, TensorType::Q4_0, TensorType::Q6_K}) {
                if (ne[0] % format_of(type).block_elements != 0) continue;
                const TensorFile empty(encoding, {{.ne = ne, .type = type}}, 0);
                CHECK(findings(empty) == "");
                const auto nothing = parse(empty);
                REQUIRE(nothing);
                CHECK(nothing->data(nothing->tensors()[0]).value().empty());
            }
        }
    });
}

TEST_CASE("T10 an empty tensor between two others takes no room") {
    in_every_encoding([](Encoding encoding) {
        CHECK(findings(TensorFile(encoding,
                                  {{.name = "a", .ne = {8}},
                                   {.name = "empty", .ne = {0}, .offset = 32},
                                   {.name = "b", .ne = {8}, .offset = 32}},
                                  64)) == "");
    });
}

TEST_CASE("T13 negative dimensions") {
    in_every_wide_encoding([](Encoding encoding) {
        for (const std::uint64_t extent : {two_to(63), max_u64, max_u64 - 31}) {
            CAPTURE(extent);
            CHECK(findings_about(encoding, {.ne = {extent}}) == error(Errc::bad_dim, only_record(encoding)));
            CHECK(findings_about(encoding, {.ne = {8, extent}}) == error(Errc::bad_dim, only_record(encoding)));
            // A zero elsewhere makes the product zero, but not the dimension sane.
            const TensorFile empty(encoding, {{.ne = {0, 1, 1, extent}}}, 0);
            CHECK(findings(empty) == error(Errc::bad_dim, empty.at[0].record));
        }
    });
}

TEST_CASE("T15 a size that wraps") {
    in_every_wide_encoding([](Encoding encoding) {
        const auto check = [&](std::vector<std::uint64_t> ne, TensorType type, bool only_with_padding = false) {
            const TensorFile file(encoding, {{.ne = std::move(ne), .type = type}}, 32);
            CHECK(findings(file) == error(Errc::size_overflow, file.at[0].record));
            const auto view = parse(file);
            REQUIRE(view);
            CHECK(view->tensors()[0].bytes().has_value() == only_with_padding);
            CHECK_FALSE(view->data(view->tensors()[0]));
        };
        check({two_to(32), two_to(32)}, TensorType::I8);        // elements: 2^64
        check({two_to(62), 4}, TensorType::I8);                 // elements: 2^64
        check({two_to(32), two_to(32), 1, 8}, TensorType::I8);  // and on from there
        check({two_to(60), two_to(4), 3}, TensorType::I8);      // 0 times 3
        check({8, two_to(62), two_to(62), two_to(62)}, TensorType::I8);
        check({two_to(62), 2}, TensorType::Q4_0);             // elements: 2^63, in fewer bytes
        check({two_to(61)}, TensorType::F32);                 // bytes: 2^63
        check({two_to(62)}, TensorType::F32);                 // bytes: 2^64
        check({two_to(61) + 2}, TensorType::F64);             // bytes: 2^64 + 16
        check({two_to(60), 2}, TensorType::F64);              // bytes: 2^64
        check({two_to(63) - 32, 1, 1, 1}, TensorType::Q8_0);  // bytes: 34 for 32 elements
        check({two_to(63) - 1}, TensorType::I8, true);        // bytes with the padding: 2^63
        check({(two_to(63) - 1) / 7, 7}, TensorType::I8, true);
    });
    SUBCASE("dimensions of version 1") {
        for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
            const Encoding encoding{order, 1};
            for (const std::vector<std::uint64_t>& ne :
                 std::vector<std::vector<std::uint64_t>>{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                                                         {0x80000000, 0x80000000, 4},
                                                         {0x10000, 0x10000, 0x10000, 0x10000}}) {
                CHECK(findings_about(encoding, {.ne = ne}) == error(Errc::size_overflow, only_record(encoding)));
            }
        }
    }
}

TEST_CASE("T15 the largest sizes that do not wrap are only too large for the file") {
    in_every_wide_encoding([](Encoding encoding) {
        for (const std::uint64_t extent : {two_to(40), two_to(60), two_to(62)}) {
            CAPTURE(extent);
            CHECK(findings_about(encoding, {.ne = {extent}, .type = TensorType::I8}) ==
                  error(Errc::data_past_eof, only_record(encoding)));
        }
    });
}

TEST_CASE("T22 tensor types that nobody has or that were removed or that are another program's") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint32_t type : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 97u, 137u, 158u, 202u, 255u,
                                         0x7fffffffu, 0x80000000u, 0xffffffffu}) {
            CAPTURE(type);
            CHECK(findings_about(encoding, {.ne = {256}, .type = static_cast<TensorType>(type)}) ==
                  error(Errc::bad_tensor_type, only_record(encoding)));
        }
        for (const FormatInfo& format : formats()) {
            if (!format.usable() || format.standing != Standing::active) continue;
            CAPTURE(format.name);
            const std::uint64_t data = (format.block_bytes + 31) / 32 * 32;
            const TensorFile file(encoding, {{.ne = {format.block_elements}, .type = format.type()}}, data);
            CHECK(findings(file) == "");
        }
    });
}

TEST_CASE("T26 a row that is no whole number of blocks") {
    in_every_encoding([](Encoding encoding) {
        const auto check = [&](std::vector<std::uint64_t> ne, TensorType type) {
            CHECK(findings_about(encoding, {.ne = std::move(ne), .type = type}) ==
                  error(Errc::bad_row, only_record(encoding)));
        };
        check({33}, TensorType::Q4_0);
        check({31}, TensorType::Q4_0);
        check({16, 2}, TensorType::Q4_0);  // the tensor is a whole number of blocks; its rows are not
        check({128, 2}, TensorType::Q6_K);
        check({255}, TensorType::IQ4_XS);
        check({32, 2}, TensorType::NVFP4);
        check({64, 2}, TensorType::Q1_0);
        check({1}, TensorType::MXFP4);
        check({}, TensorType::Q8_0);       // a scalar is a row of one
        check({16, 0}, TensorType::Q4_0);  // even where there are no rows
    });
}

TEST_CASE("T28 a file that ends inside a tensor info") {
    const std::string longest(63, 'n');  // so that the name alone makes one record plausible
    in_every_encoding([&](Encoding encoding) {
        Bytes file(encoding, 1, 0);
        const TensorPlace at = file.tensor({.name = longest, .ne = {2, 2, 2, 1}});
        for (std::uint64_t size = at.n_dims; size < file.size(); ++size) {
            CAPTURE(size);
            const std::uint64_t width = encoding.length_size();
            const std::uint64_t field = size < at.ne       ? at.n_dims
                                        : size < at.type   ? size - (size - at.ne) % width
                                        : size < at.offset ? at.type
                                                           : at.offset;
            CHECK(findings(Bytes(file).cut(size)) == error(Errc::truncated, field));
        }
    });
}

TEST_CASE("O01 misaligned offsets") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t offset : {1u, 4u, 8u, 16u, 31u}) {
            CAPTURE(offset);
            const TensorFile file(encoding, {{.name = "a", .ne = {0}}, {.name = "b", .ne = {8}, .offset = offset}}, 64);
            const std::string expected = error(Errc::misaligned, file.at[1].record);
            CHECK(findings(file).starts_with(expected));
            CHECK(findings(file).find("error", expected.size()) == std::string::npos);
        }
        const TensorFile wide(encoding, {{.name = "a", .ne = {8}}, {.name = "b", .ne = {8}, .offset = 32}}, 64, 64);
        CHECK(findings(wide).starts_with(error(Errc::misaligned, wide.at[1].record)));
    });
}

TEST_CASE("O02 an offset that wraps when the data start is added") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t offset : {max_u64 - 31, max_u64 - 63}) {
            CAPTURE(offset);
            const TensorFile file(encoding, {{.ne = {64}, .offset = offset}}, 256);
            CHECK(findings(file) == error(Errc::offset_overflow, file.at[0].record));
        }
        // Aligned, past the start of the file again once it has wrapped.
        const TensorFile file(encoding, {{.ne = {8}, .offset = max_u64 - 31}}, 32);
        const auto view = parse(file);
        REQUIRE(view);
        CHECK_FALSE(view->data(view->tensors()[0]));
    });
}

TEST_CASE("O03 tensors that overlap") {
    in_every_encoding([](Encoding encoding) {
        const auto check = [&](TensorRecord a, TensorRecord b, std::size_t at_fault) {
            a.name = "a";
            b.name = "b";
            const TensorFile file(encoding, {a, b}, 256);
            const std::string expected = error(Errc::overlap, file.at[at_fault].record);
            const std::string said = findings(file);
            CHECK(said.find(expected) != std::string::npos);
            CHECK(said.find("error", said.find(expected) + 1) == std::string::npos);
        };
        check({.ne = {8}}, {.ne = {8}}, 1);                  // the same bytes
        check({.ne = {16}}, {.ne = {16}, .offset = 32}, 1);  // the end of one, the start of the other
        check({.ne = {64}}, {.ne = {8}, .offset = 96}, 1);   // one inside the other
        check({.ne = {9}}, {.ne = {8}, .offset = 32}, 1);    // by one element
        check({.ne = {8}, .offset = 32}, {.ne = {16}}, 0);   // in the other order
        const TensorFile adjacent(encoding, {{.name = "a", .ne = {8}}, {.name = "b", .ne = {8}, .offset = 32}}, 64);
        CHECK(findings(adjacent) == "");
    });
}

TEST_CASE("O03 an overlap with a tensor that is not the neighbour") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile file(encoding,
                              {{.name = "wide", .ne = {64}},
                               {.name = "inside", .ne = {8}, .offset = 32},
                               {.name = "also inside", .ne = {8}, .offset = 128},
                               {.name = "after", .ne = {8}, .offset = 256}},
                              288);
        const std::string said = findings(file);
        CHECK(said.find(error(Errc::overlap, file.at[1].record)) != std::string::npos);
        CHECK(said.find(error(Errc::overlap, file.at[2].record)) != std::string::npos);
        CHECK(said.find(error(Errc::overlap, file.at[3].record)) == std::string::npos);
    });
}

TEST_CASE("O05 gaps") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile between(encoding, {{.name = "a", .ne = {8}}, {.name = "b", .ne = {8}, .offset = 64}}, 96);
        CHECK(findings(between) == note(Errc::not_contiguous, between.at[1].record));
        CHECK(findings(between, as_llama) == error(Errc::not_contiguous, between.at[1].record));

        const TensorFile before(encoding, {{.ne = {8}, .offset = 32}}, 64);
        CHECK(findings(before) == note(Errc::not_contiguous, before.at[0].record));
        CHECK(findings(before, as_llama) == error(Errc::not_contiguous, before.at[0].record));
    });
}

TEST_CASE("O05 tensors out of order") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile file(encoding, {{.name = "a", .ne = {8}, .offset = 32}, {.name = "b", .ne = {8}}}, 64);
        const std::string as_spec = findings(file);
        CHECK(as_spec.find(note(Errc::not_contiguous, file.at[0].record)) != std::string::npos);
        CHECK(as_spec.find("error") == std::string::npos);
        CHECK(findings(file, as_llama).find(error(Errc::not_contiguous, file.at[0].record)) != std::string::npos);
        const auto view = parse(file);
        REQUIRE(view);
        CHECK(view->data(*view->find_tensor("a"))->data() == view->data(*view->find_tensor("b"))->data() + 32);
    });
}

TEST_CASE("O07 data that is short or absent or past the end") {
    in_every_encoding([](Encoding encoding) {
        const auto check = [&](const TensorFile& file, std::size_t at_fault) {
            CHECK(findings(file) == error(Errc::data_past_eof, file.at[at_fault].record));
            const auto view = parse(file);
            REQUIRE(view);
            const auto data = view->data(view->tensors()[at_fault]);
            REQUIRE_FALSE(data);
            CHECK(data.error().code == Errc::data_past_eof);
        };
        check({encoding, {{.ne = {8}}}, 31}, 0);
        check({encoding, {{.ne = {8}}}, 1}, 0);
        check({encoding, {{.ne = {8}}}, 0}, 0);
        check({encoding, {{.name = "a", .ne = {8}}, {.name = "b", .ne = {1}, .offset = 32}}, 35}, 1);

        // Not even the padding after the header is there.
        TensorFile header_only(encoding, {{.ne = {8}}}, 0);
        header_only.bytes.cut(header_only.at[0].offset + 8);
        check(header_only, 0);
    });
}

TEST_CASE("O07 an offset far past the end") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t offset : {two_to(20), two_to(40), two_to(62), two_to(63)}) {
            CAPTURE(offset);
            const TensorFile file(encoding, {{.ne = {8}, .offset = offset}}, 32);
            const std::string said = findings(file);
            CHECK(said.find(error(Errc::data_past_eof, file.at[0].record)) != std::string::npos);
            CHECK_FALSE(parse(file)->data(parse(file)->tensors()[0]));
        }
    });
}

TEST_CASE("O11 bytes after the last tensor") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t extra : {1u, 31u, 32u, 4096u}) {
            for (const std::uint8_t byte : {std::uint8_t{0}, std::uint8_t{1}}) {
                TensorFile file(encoding, {{.ne = {8}}}, 32);
                const std::uint64_t end = file.bytes.size();
                file.bytes.fill(extra, byte);
                CHECK(findings(file) == warning(Errc::trailing_data, end));
                CHECK(findings(file, strictly) == error(Errc::trailing_data, end));
            }
        }
    });
}

TEST_CASE("O11 bytes after a header without tensors") {
    in_every_encoding([](Encoding encoding) {
        Bytes file(encoding, 0, 1);
        file.entry("key", "value");
        CHECK(findings(file, strictly) == "");
        const std::uint64_t end = file.pad().size();
        CHECK(findings(file, strictly) == "");
        file.fill(1);
        CHECK(findings(file) == warning(Errc::trailing_data, end));
        CHECK(findings(file, strictly) == error(Errc::trailing_data, end));
    });
}

TEST_CASE("O11 padding that is not zero") {
    in_every_encoding([](Encoding encoding) {
        const TensorFile file(encoding, {{.name = "a", .ne = {7}}, {.name = "b", .ne = {7}, .offset = 32}}, 64);
        CHECK(findings(file, strictly) == "");
        std::vector<std::uint64_t> padding{file.data + 28, file.data + 31, file.data + 60, file.data + 63};
        const std::uint64_t header_end = file.at[1].offset + 8;
        if (header_end < file.data) padding.insert(padding.end(), {header_end, file.data - 1});
        for (const std::uint64_t at : padding) {
            CAPTURE(at);
            const Bytes dirty = Bytes(file.bytes).set(at, 1);
            CHECK(findings(dirty) == warning(Errc::bad_padding, at));
            CHECK(findings(dirty, strictly) == error(Errc::bad_padding, at));
        }
    });
}

TEST_CASE("O13 the last padding is missing") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t missing : {1u, 2u, 4u}) {
            TensorFile file(encoding, {{.ne = {7}}}, 32);
            file.bytes.cut(file.bytes.size() - missing);
            CHECK(findings(file) == note(Errc::bad_padding, file.bytes.size()));
            CHECK(findings(file, strictly) == note(Errc::bad_padding, file.bytes.size()));
        }
    });
}
