#include "core/parallel.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
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

TEST_CASE("parallel_in_order: every item is made and then taken, in order, and no more are ahead than the window") {
    constexpr std::size_t count = 500;
    for (const unsigned threads : {0u, 1u, 2u, 3u, 8u}) {
        for (const std::size_t window : {1u, 2u, 5u, 600u}) {
            CAPTURE(threads);
            CAPTURE(window);
            std::vector<std::size_t> slots(window, count);
            std::vector<std::size_t> taken;
            std::atomic<std::size_t> taken_count{0};
            std::atomic<bool> too_far{false};
            const auto make = [&](std::size_t index, std::size_t slot, unsigned worker) -> Result<void> {
                if (index >= taken_count + window || worker >= worker_count(count, threads)) too_far = true;
                if (index % 7 == 0) std::this_thread::yield();
                slots[slot] = index;
                return {};
            };
            const auto take = [&](std::size_t index, std::size_t slot) -> Result<void> {
                if (slots[slot] == index) taken.push_back(index);
                ++taken_count;
                return {};
            };
            REQUIRE(parallel_in_order(count, threads, window, {}, make, take));
            CHECK_FALSE(too_far);
            REQUIRE(taken.size() == count);
            CHECK(std::ranges::is_sorted(taken));
        }
    }
}

TEST_CASE("parallel_in_order: no items, no calls") {
    const auto make = [](std::size_t, std::size_t, unsigned) -> Result<void> { return fail(numbered(0)); };
    const auto take = [](std::size_t, std::size_t) -> Result<void> { return fail(numbered(1)); };
    CHECK(parallel_in_order(0, 8, 4, {}, make, take));
}

TEST_CASE("parallel_in_order: the lowest failing item's error, be it made or taken, and all before it are taken") {
    struct Case {
        std::size_t make_fails, take_fails, first;
    };
    for (const auto& [make_fails, take_fails, first] : {Case{17, 99, 17}, Case{99, 17, 17}, Case{19, 17, 17}}) {
        for (int run = 0; run < 200; ++run) {
            std::size_t taken = 0;
            const auto make = [&](std::size_t index, std::size_t, unsigned) -> Result<void> {
                if (index % 5 == 2) std::this_thread::yield();
                if (index >= make_fails) return fail(numbered(index));
                return {};
            };
            const auto take = [&](std::size_t index, std::size_t) -> Result<void> {
                if (index >= take_fails) return fail(numbered(index));
                ++taken;
                return {};
            };
            const auto result = parallel_in_order(100, 4, 8, {}, make, take);
            REQUIRE_FALSE(result);
            REQUIRE(result.error().subject == std::to_string(first));
            REQUIRE(taken == first);
        }
    }
}

TEST_CASE("parallel_in_order: a stop request ends threads that work and threads that wait") {
    std::stop_source source;
    std::size_t taken = 0;
    const auto make = [](std::size_t, std::size_t, unsigned) -> Result<void> { return {}; };
    const auto take = [&](std::size_t index, std::size_t) -> Result<void> {
        ++taken;
        if (index == 10) {
            // By now the others have filled the window, and wait for this one.
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            source.request_stop();
        }
        return {};
    };
    const auto result = parallel_in_order(1000, 4, 4, source.get_token(), make, take);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::cancelled);
    CHECK(taken < 20);
}

TEST_CASE("parallel loops: an item that cannot allocate fails, and no exception leaves its thread") {
    const auto huge = [](std::size_t index) -> Result<void> {
        if (index == 17) throw std::bad_alloc();
        if (index == 19) throw std::length_error("vector");
        return {};
    };
    for (const unsigned threads : {1u, 2u, 8u}) {
        CAPTURE(threads);
        const auto result = parallel_for(100, threads, {}, [&](std::size_t i, unsigned) { return huge(i); });
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::no_memory);
        CHECK(result.error().detail == "out of memory");
        const auto nothing = [](std::size_t, std::size_t) -> Result<void> { return {}; };
        const auto made = parallel_in_order(
            100, threads, 4, {}, [&](std::size_t i, std::size_t, unsigned) { return huge(i); }, nothing);
        REQUIRE_FALSE(made);
        CHECK(made.error().code == Errc::no_memory);
        const auto taken = parallel_in_order(
            100, threads, 4, {}, [](std::size_t, std::size_t, unsigned) -> Result<void> { return {}; },
            [&](std::size_t i, std::size_t) { return huge(i); });
        REQUIRE_FALSE(taken);
        CHECK(taken.error().code == Errc::no_memory);
    }
}

TEST_CASE("parallel loops: any other exception is thrown on the calling thread, once all workers have ended") {
    for (const unsigned threads : {1u, 2u, 8u}) {
        CAPTURE(threads);
        std::atomic<int> running{0};
        const auto item = [&](std::size_t index) -> Result<void> {
            ++running;
            if (index == 17) {
                --running;
                throw std::runtime_error("seventeen");
            }
            std::this_thread::yield();
            --running;
            return {};
        };
        CHECK_THROWS_WITH(
            static_cast<void>(parallel_for(100, threads, {}, [&](std::size_t i, unsigned) { return item(i); })),
            "seventeen");
        CHECK(running == 0);
        CHECK_THROWS_WITH(static_cast<void>(parallel_in_order(
                              100, threads, 4, {}, [&](std::size_t i, std::size_t, unsigned) { return item(i); },
                              [](std::size_t, std::size_t) -> Result<void> { return {}; })),
                          "seventeen");
        CHECK(running == 0);
    }
}
