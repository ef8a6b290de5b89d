// Values of results, in tests that are over without them.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <stdexcept>
#include <utility>

namespace ggufkit::test {

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

// A SmallModel or HeaderModel, saved to `path` and opened.
template <class Source>
Model saved(const Source& source, const std::filesystem::path& path) {
    source.save(path);
    return must(Model::open(path));
}

}  // namespace ggufkit::test
