// A plan built without make_plan(), for tests of what works on plans.
#pragma once

#include <ggufkit/requant/plan.hpp>

#include "support/small_model.hpp"

namespace ggufkit::test {

// The plan that gives the named tensors other types and copies the rest.
Plan plan_for(const Model& model, const Types& types = {}, ByteOrder order = ByteOrder::little);

}  // namespace ggufkit::test
