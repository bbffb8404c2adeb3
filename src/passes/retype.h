// Gives every floating-point value another type: the reference backend answers in f64 what a model's text says in f32.
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph retype(const Graph& graph, DType floating);

}  // namespace fovea::passes
