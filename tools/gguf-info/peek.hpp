// --peek.
#pragma once

#include <ggufkit/inspect/peek.hpp>
#include <string_view>

#include "common/console.hpp"
#include "common/json.hpp"

namespace ggufkit::tool::info {

struct PeekView {
    const TensorInfo* tensor;
    Peek peek;
};

// "NAME", "NAME[row]", "NAME[row,column]" or "NAME[row,column:count]": from column 0, a block, or 32 weights of a type
// without blocks, where nothing else is said. Errors: NOT_FOUND; BAD_ARGUMENT; those of peek_weights().
Result<PeekView> find_peek(const Model& model, std::string_view expression);

void print_peek(Console& console, const PeekView& view);
void write_peek(JsonWriter& json, const PeekView& view);

}  // namespace ggufkit::tool::info
