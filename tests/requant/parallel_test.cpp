#include "core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <vector>

using namespace ggufkit;

namespace {

Error numbered(std::size_t index) { return {.code = Errc::bad_argument, .subject = std::to_string(index)}; }

}  // namespace

TEST_CASE("parallel_for: every item once, whatever the number of threads") {
    for (const unsigned threads : {0u, 1u, 2u, 3u, 8u, 100u}) {
        CAPTURE(threads);
        std::vector<std::atomic<int>> seen(1000);
        std::atomic<unsigned> highest{0};
        const auto result =
            parallel_for(seen.size(), threads, {}, [&](std::size_t index, unsigned worker) -> Result<void> {
                ++seen[index];
                for (unsigned old = highest; worker > old && !highest.compare_exchange_weak(old, worker);) {
                }
                return {};
            });
        REQUIRE(result);
        for (const auto& count : seen) REQUIRE(count == 1);
        CHECK(highest < worker_count(seen.size(), threads));
    }
}

TEST_CASE("parallel_for: no items, no calls") {
    CHECK(worker_count(0, 8) == 1);
    CHECK(parallel_for(0, 8, {}, [](std::size_t, unsigned) -> Result<void> { return fail(numbered(0)); }));
}

TEST_CASE("parallel_for: the lowest failing item's error, at every run") {
    for (int run = 0; run < 200; ++run) {
        const auto result = parallel_for(100, 4, {}, [](std::size_t index, unsigned) -> Result<void> {
            if (index == 17) std::this_thread::yield();
            if (index >= 17) return fail(numbered(index));
            return {};
        });
        REQUIRE_FALSE(result);
        REQUIRE(result.error().subject == "17");
    }
}

TEST_CASE("parallel_for: a stop request leaves the rest undone and says so") {
    std::stop_source source;
    std::atomic<std::size_t> done{0};
    const auto result = parallel_for(1000, 2, source.get_token(), [&](std::size_t index, unsigned) -> Result<void> {
        if (index == 10) source.request_stop();
        ++done;
        return {};
    });
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::cancelled);
    CHECK(done < 1000);
}

TEST_CASE("parallel_for: a stop request after the last item was begun changes nothing") {
    std::stop_source source;
    CHECK(parallel_for(5, 1, source.get_token(), [&](std::size_t index, unsigned) -> Result<void> {
        if (index == 4) source.request_stop();
        return {};
    }));
}
