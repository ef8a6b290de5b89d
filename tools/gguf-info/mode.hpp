// What one run of gguf-info shows. It is decided once, from the options; which options go with it is a table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plan/enum_set.hpp"

namespace ggufkit::tool::info {

struct Options;

enum class Mode : std::uint8_t {
    types,     // what this program knows of tensor types
    several,   // a table of several files
    verify,    // a file beside its source or a manifest
    data,      // statistics, weights and hashes of tensor data
    fit,       // whether the model fits into memory
    value,     // one value of the metadata
    json,      // the whole header as JSON
    sections,  // parts of the header, or its faults
    page,      // a page for a browser and nothing else
    summary,
};
using Modes = plan::EnumSet<Mode>;

// Precondition: misuse() of the options is empty.
Mode mode_of(const Options& options);

// The modes that an option ("--sort", "FILE") goes with. Two options without a mode in common exclude each other.
Modes modes_of(std::string_view flag);

// What is wrong with the options, or nothing.
std::string misuse(const Options& options);

}  // namespace ggufkit::tool::info
