// The types of every file type in every model shape, as golden/ has them from llama.cpp. tests/reference/types_test.cpp
// makes those files and holds them to the real thing.
#include <doctest/doctest.h>

#include "support/mix_text.hpp"
#include "support/synthetic_model.hpp"
#include "support/temporary.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

TEST_CASE("golden: the mix of every file type in every model shape") {
    const TemporaryFolder folder;
    for (const Shape& shape : shapes()) {
        if (shape.reference_aborts) continue;
        CAPTURE(shape.name);
        SyntheticModel source = shape.make(TensorType::F16);
        source.save(folder / "model.gguf");
        const auto model = Model::open(folder / "model.gguf");
        REQUIRE(model);
        CHECK(mix_text(source.header(), planned_types(*model)) == read_golden(shape.name));
    }
}
