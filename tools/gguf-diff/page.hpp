// --html: a Comparison, or a Duel, for a browser.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <span>

#include "comparison.hpp"
#include "duel.hpp"

namespace ggufkit::diff {

// Where a page goes: complete or not at all, and never over a file of one of the models.
struct PagePlace {
    std::filesystem::path path;
    std::span<const Model* const> models;
    bool overwrite;
};

// Errors: those of io::OutputFile.
Result<void> write_page(const PagePlace& place, const Comparison& comparison);
Result<void> write_page(const PagePlace& place, const Duel& duel);

}  // namespace ggufkit::diff
