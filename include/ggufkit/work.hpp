// How long work runs: on how many threads, who is told how far it has come, and who can stop it.
//
//     std::stop_source stop;
//     const ggufkit::Work work{.threads = 8,
//                              .progress = [&](const ggufkit::Progress& now) { bar.show(now.done, now.total); },
//                              .stop = stop.get_token()};
//     const auto digests = ggufkit::digests(model, model.tensors(), work);
//
// Ownership: plain values; what `progress` refers to must outlive the call that it is given to.
// Thread-safety: a call runs its own threads. It calls `progress` from one of them at a time; `progress` must not throw.
//   No result depends on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

namespace ggufkit {

struct Progress {
    std::uint64_t done = 0;
    std::uint64_t total = 0;  // 0: not known. Bytes, unless the function says otherwise
};

struct Work {
    unsigned threads = 0;  // 0: as many as the machine has
    std::function<void(const Progress&)> progress{};
    std::stop_token stop{};  // requested: CANCELLED
};

}  // namespace ggufkit
