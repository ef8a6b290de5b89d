// The types of every file type in every model shape, as golden/ has them from llama.cpp. tests/reference/types_test.cpp
// makes those files and holds them to the real thing.
#include <doctest/doctest.h>

#include "support/files.hpp"
#include "support/goldens.hpp"
#include "support/header_model.hpp"
#include "support/imatrix_files.hpp"
#include "support/mix_text.hpp"
#include "support/shapes.hpp"
#include "support/wishes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

TEST_CASE("golden: the mix of every file type in every model shape") {
    const TemporaryFolder folder;
    for (const Shape& shape : shapes()) {
        if (shape.reference_aborts) continue;
        CAPTURE(shape.name);
        HeaderModel source = shape.make(TensorType::F16);
        source.save(folder / "model.gguf");
        const auto model = Model::open(folder / "model.gguf");
        REQUIRE(model);
        CHECK(mix_text(source.header(), planned_types(*model)) == golden(mix_path(shape.name)));
    }
}

TEST_CASE("golden: what every flag of llama-quantize does in some of them") {
    const TemporaryFolder folder;
    for (const std::string_view shape : wish_shapes()) {
        CAPTURE(shape);
        const HeaderModel source = make_shape(shape);
        source.save(folder / "model.gguf");
        const auto model = Model::open(folder / "model.gguf");
        REQUIRE(model);
        const Imatrix ones = imatrix_of_ones(*model);
        const auto choose = [&](const Wish& wish) {
            const auto plan = make_plan(*model, recipe_of(wish, ones));
            return plan ? types_of(*plan) : std::nullopt;
        };
        CHECK(wishes_text(source.architecture(), choose) == golden(wishes_path(shape)));
    }
}
