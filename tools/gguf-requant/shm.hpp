// --shm and --shm-remove: models in shared memory.
#pragma once

#include <ggufkit/model.hpp>
#include <ggufkit/requant/execute.hpp>
#include <string_view>

#include "arguments.hpp"
#include "common/console.hpp"

namespace ggufkit::tool::requant {

struct Sharing {
    std::string_view name;
    bool replace = false;
    bool json = false;
};

// Makes /dev/shm/NAME, which is the output, or finds it there, and says which. IO_EXISTS where it is
// something else; CANCELLED.
Result<void> share(Console& console, const Model& model, const Request& request, const ggufkit::Output& output,
                   const Sharing& sharing);

}  // namespace ggufkit::tool::requant
