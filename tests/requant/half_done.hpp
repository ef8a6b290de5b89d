// A model, and runs over it that stop half way and leave what is done.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ggufkit/requant/execute.hpp>
#include <map>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "support/files.hpp"
#include "support/small_model.hpp"

namespace ggufkit::test {

// Some hundred pieces of work: enough to be killed in the middle of.
inline SmallModel working_model() {
    SmallModel model = bare_llama();
    model.weights("first", TensorType::Q8_0, {256, 4096})
        .weights("copied", TensorType::F16, {1024, 512})
        .weights("last", TensorType::Q8_0, {1024, 2048});
    return model;
}
inline const std::map<std::string, TensorType> small{{"first", TensorType::Q4_K}, {"last", TensorType::IQ4_XS}};
inline const std::map<std::string, TensorType> large{{"first", TensorType::Q6_K}, {"copied", TensorType::Q8_0}};

struct Site {
    TemporaryFolder folder;
    std::string in = folder / "in.gguf", out = folder / "out.gguf", other = folder / "other.gguf";

    explicit Site(const SmallModel& model = working_model()) { model.save(in); }
    std::filesystem::path journal() const { return out + ".ggufkit-journal"; }
    std::filesystem::path partial() const { return out + ".ggufkit-partial"; }
    std::size_t count() const { return names_in(folder.path()).size(); }
};

// Where a run that resumes begins.
struct Resumed {
    Result<void> result;
    std::uint64_t done_before = 0;
};
inline Resumed resume(const Model& model, const std::vector<Output>& outputs) {
    Resumed resumed;
    bool first = true;
    resumed.result = execute(model, outputs,
                             {.work = {.progress =
                                           [&](const Progress& progress) {
                                               if (std::exchange(first, false)) resumed.done_before = progress.done;
                                           }},
                              .resume = true});
    return resumed;
}

// Stops once half is done; what is done is kept.
inline void run_half(const Model& model, const std::vector<Output>& outputs) {
    std::stop_source stop;
    const auto half = [&](const Progress& progress) {
        if (progress.done * 2 >= progress.total) stop.request_stop();
    };
    const auto result =
        execute(model, outputs, {.work = {.threads = 1, .progress = half, .stop = stop.get_token()}, .resume = true});
    REQUIRE_FALSE(result);
    REQUIRE(result.error().code == Errc::cancelled);
}
inline void run_half(const Model& model, const Plan& plan, const std::string& out) { run_half(model, {{&plan, out}}); }

}  // namespace ggufkit::test
