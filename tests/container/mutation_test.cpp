// Every truncation of two rich files, and every flip of one bit in their headers: reading and validating returns, what
// was read can be walked, and what was accepted keeps its promise. Most useful under AddressSanitizer.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <memory>
#include <span>
#include <string>

#include "container/allocations.hpp"
#include "container/verdict.hpp"
#include "support/seeds.hpp"
#include "support/walk.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

struct Tally {
    int unreadable = 0;
    int invalid = 0;
    int valid = 0;
};

// Counts what becomes of one file. It is read from a block of exactly its size, so that a sanitizer sees the first
// byte past the end.
void try_file(std::span<const std::byte> file, Tally& tally) {
    const std::unique_ptr<std::byte[]> exact(new std::byte[file.size()]);
    std::ranges::copy(file, exact.get());
    const HeapWatch watch;
    {
        const auto view = parse({exact.get(), file.size()});
        if (const auto prefix = parse_prefix({exact.get(), file.size()})) {
            walk(*prefix);
            check_semantics(*prefix);
            CHECK_UNARY(prefix->faults().empty() == view.has_value());
            CHECK_UNARY((view || !validate(*prefix).valid()));
        }
        if (!view) {
            ++tally.unreadable;
            if (view.error().rule.empty() || view.error().message().empty())
                FAIL_CHECK("no rule: " << view.error().message());
        } else {
            walk(*view);
            check_semantics(*view);
            for (const Profile profile : {Profile::spec, Profile::llama}) {
                const Report report = validate(*view, {.profile = profile});
                if (check_structure(*view, {.profile = profile}).valid()) {
                    const std::string broken = broken_invariant(*view);
                    if (!broken.empty()) FAIL_CHECK(broken);
                }
                if (profile == Profile::spec) ++(report.valid() ? tally.valid : tally.invalid);
            }
        }
    }
    if (watch.peak() > 16 * file.size() + 65536) FAIL_CHECK(watch.peak() << " bytes of heap");
}

void truncate_everywhere(Encoding encoding) {
    const Bytes whole = rich_file(encoding);
    const auto view = parse(whole);
    REQUIRE(view);
    Tally tally;
    for (std::uint64_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        try_file(Bytes(whole).cut(size), tally);
    }
    // The header is unreadable until its last byte; then data is missing, until only the last padding is.
    CHECK(tally.unreadable == static_cast<int>(view->header_bytes()));
    const TensorInfo& last = view->tensors().back();
    const std::uint64_t end = view->data_offset() + last.offset + last.bytes().value();
    CHECK(tally.invalid == static_cast<int>(end - view->header_bytes()));
    CHECK(tally.valid == static_cast<int>(whole.size() - end));
}

void flip_every_header_bit(Encoding encoding) {
    const Bytes whole = rich_file(encoding);
    const auto view = parse(whole);
    REQUIRE(view);
    Tally tally;
    for (std::uint64_t at = 0; at < view->data_offset(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            CAPTURE(at);
            CAPTURE(bit);
            try_file(Bytes(whole).flip(at, bit), tally);
        }
    }
    // None of the three may be what always happens: names and values may change, sizes and types may not.
    CHECK(tally.unreadable > 500);
    CHECK(tally.invalid > 500);
    CHECK(tally.valid > 500);
}

}  // namespace

TEST_CASE("mutations: truncation at every byte") { in_every_encoding(truncate_everywhere); }

TEST_CASE("mutations: little-endian version 3 with every header bit flipped") { flip_every_header_bit(little_v3); }
TEST_CASE("mutations: big-endian version 3 with every header bit flipped") { flip_every_header_bit(big_v3); }
TEST_CASE("mutations: version 1 with every header bit flipped") {
    flip_every_header_bit({ByteOrder::little, 1});
    flip_every_header_bit({ByteOrder::big, 1});
}

// Bytes set to the values that break arithmetic, in runs as wide as the fields of a header.
TEST_CASE("mutations: every field overwritten with its extremes") {
    in_every_encoding([](Encoding encoding) {
        const Bytes whole = rich_file(encoding);
        const std::uint64_t header = parse(whole).value().header_bytes();
        Tally tally;
        for (std::uint64_t at = 0; at + 8 <= header; ++at) {
            for (const std::uint64_t width : {2u, 4u, 8u}) {
                for (const std::uint8_t byte :
                     {std::uint8_t{0x00}, std::uint8_t{0x7f}, std::uint8_t{0x80}, std::uint8_t{0xff}}) {
                    CAPTURE(at);
                    CAPTURE(width);
                    Bytes mutant(whole);
                    for (std::uint64_t i = 0; i < width; ++i) mutant.set(at + i, byte);
                    try_file(mutant, tally);
                }
            }
        }
        CHECK(tally.unreadable > 0);
        CHECK(tally.valid > 0);
    });
}
