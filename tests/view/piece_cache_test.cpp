#include "requant/piece_cache.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace ggufkit;
using requant::PieceCache;

namespace {

PieceCache::Bytes piece_of(std::size_t size) { return std::make_shared<const std::vector<std::byte>>(size); }

// Gets pieces of 10 bytes and says whether they had to be made.
struct Reader {
    PieceCache& cache;
    bool makes(std::uint64_t number) {
        bool made = false;
        const auto piece = cache.get(number, [&]() -> Result<PieceCache::Bytes> {
            made = true;
            return piece_of(10);
        });
        CHECK((piece && (*piece)->size() == 10));
        return made;
    }
};

}  // namespace

TEST_CASE("piece cache: keeps the pieces that were used last, within its capacity") {
    PieceCache cache(30);
    Reader reader{cache};
    for (const std::uint64_t number : {1u, 2u, 3u}) CHECK(reader.makes(number));
    CHECK_FALSE(reader.makes(1));
    CHECK(reader.makes(4));  // in the place of 2, which nobody has used for the longest time
    CHECK(cache.bytes() == 30);
    CHECK_FALSE(reader.makes(1));
    CHECK_FALSE(reader.makes(3));
    CHECK(reader.makes(2));
    CHECK(cache.bytes() == 30);
}

TEST_CASE("piece cache: a piece that does not fit is handed out and not kept") {
    PieceCache cache(9);
    Reader reader{cache};
    CHECK(reader.makes(1));
    CHECK(reader.makes(1));
    CHECK(cache.bytes() == 0);
}

TEST_CASE("piece cache: after an error or an exception the next one tries again") {
    PieceCache cache(30);
    const auto failed = cache.get(1, [] { return fail({.code = Errc::bad_quant}); });
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::bad_quant);
    CHECK_THROWS_AS((void)cache.get(1, []() -> Result<PieceCache::Bytes> { throw std::bad_alloc(); }), std::bad_alloc);
    CHECK(Reader{cache}.makes(1));
}

TEST_CASE(
    "piece cache: of many threads that want one piece one makes it, and who waits for one that fails tries again") {
    constexpr int threads = 8;
    for (const bool first_fails : {false, true}) {
        PieceCache cache(100);
        std::atomic<int> calls{0}, successes{0};
        std::barrier start(threads);
        {
            std::vector<std::jthread> readers;
            for (int i = 0; i < threads; ++i) {
                readers.emplace_back([&] {
                    start.arrive_and_wait();
                    const auto piece = cache.get(7, [&]() -> Result<PieceCache::Bytes> {
                        const bool fails = calls++ == 0 && first_fails;
                        std::this_thread::sleep_for(std::chrono::milliseconds(5));  // so that the others come
                        if (fails) return fail({.code = Errc::io_read});
                        return piece_of(10);
                    });
                    if (piece) ++successes;
                });
            }
        }
        CHECK(calls == (first_fails ? 2 : 1));
        CHECK(successes == (first_fails ? threads - 1 : threads));
    }
}

TEST_CASE("piece cache: other pieces are made while one is being made") {
    PieceCache cache(100);
    std::barrier both(2);  // neither would come here if the other held a lock
    const auto get = [&](std::uint64_t number) {
        (void)cache.get(number, [&]() -> Result<PieceCache::Bytes> {
            both.arrive_and_wait();
            return piece_of(10);
        });
    };
    std::jthread other(get, 1);
    get(2);
    other.join();
    CHECK(cache.bytes() == 20);
}
