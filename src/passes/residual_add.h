// The add that takes a norm's result and a residual.
#pragma once

#include "ops/add.h"
#include "passes/rewrite.h"

namespace fovea::passes {

struct ResidualAdd {
  NodeId add;  // invalid: there is none
  ValueId residual;
};

// Where the add alone reads the result of `norm`, a Norm. Of two norms that meet in a sum the later one takes it.
template <class Norm>
ResidualAdd residual_add(const Graph& graph, const Uses& uses, NodeId norm) {
  const ValueId y = graph.node(norm).outputs[0];
  const NodeId reader = uses.sole(y);
  if (!reader.valid() || !graph.node(reader).op.as<Add>()) return {};
  const NodeInfo& add = graph.node(reader);
  const ValueId other = add.inputs[0] == y ? add.inputs[1] : add.inputs[0];
  const NodeId rival = graph.value(other).producer;
  const bool rival_later = rival.valid() && rival.index > norm.index && graph.node(rival).op.as<Norm>() && uses.sole(other).valid();
  if (other == y || !(graph.type(other) == graph.type(y)) || rival_later) return {};
  return {reader, other};
}

}  // namespace fovea::passes
