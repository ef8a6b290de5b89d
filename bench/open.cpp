// How long it takes to open a model: best and median microseconds of Model::open(), and of parse() on the same bytes.
//
//   bench-open FILE [REPEATS [--median]]        --median: nothing but that of Model::open()
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <ggufkit/model.hpp>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using ggufkit::Model;

struct Times {
    double best;
    double median;
};

template <class Action>
Times measure(unsigned repeats, Action action) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> microseconds(repeats);
    for (double& time : microseconds) {
        const auto start = Clock::now();
        action();
        time = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    }
    std::ranges::sort(microseconds);
    return {microseconds.front(), microseconds[repeats / 2]};
}

void print(std::string_view what, Times times) {
    fmt::print("{:<12} best {:9.1f} us   median {:9.1f} us\n", what, times.best, times.median);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    const bool median_only = arguments.size() == 3 && arguments[2] == "--median";
    unsigned repeats = 200;
    if (arguments.size() > 1) {
        std::from_chars(arguments[1].data(), arguments[1].data() + arguments[1].size(), repeats);
    }
    if (arguments.empty() || arguments.size() > (median_only ? 3 : 2) || repeats == 0) {
        fmt::print(stderr, "usage: bench-open FILE [REPEATS [--median]]\n");
        return 2;
    }
    const std::string path(arguments[0]);
    if (const auto model = Model::open(path); !model) {
        fmt::print(stderr, "bench-open: {}\n", model.error().message());
        return 1;
    }
    bool good = true;
    const Times open = measure(repeats, [&] { good &= Model::open(path).has_value(); });
    if (median_only) {
        fmt::print("{:.1f}\n", open.median);
        return good ? 0 : 1;
    }
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> content((std::istreambuf_iterator<char>(in)), {});
    print("Model::open", open);
    print("parse", measure(repeats, [&] { good &= ggufkit::parse(std::as_bytes(std::span(content))).has_value(); }));
    return good ? 0 : 1;
}
