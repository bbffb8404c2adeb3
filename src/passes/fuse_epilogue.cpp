#include "passes/fuse_epilogue.h"

#include "ops/activation.h"
#include "ops/add.h"
#include "ops/conv2d.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

struct Chain {
  NodeId conv, add, activation;  // the last two may be invalid
  ValueId residual;              // the add's other operand

  NodeId last() const { return activation.valid() ? activation : add.valid() ? add : conv; }
};

// The convolution's chain: as long as each value has one reader and the residual has the result's own shape.
Chain find_chain(const Graph& graph, const Uses& uses, NodeId conv) {
  Chain chain{conv, {}, {}, {}};
  ValueId value = graph.node(conv).outputs[0];
  NodeId reader = uses.sole(value);
  if (reader.valid() && graph.node(reader).op.as<Add>()) {
    const NodeInfo& add = graph.node(reader);
    const ValueId other = add.inputs[0] == value ? add.inputs[1] : add.inputs[0];
    // Of two convolutions that meet here, the later one takes the sum.
    const NodeId rival = graph.value(other).producer;
    const bool later = !rival.valid() || rival.index < conv.index || !graph.node(rival).op.as<Conv2d>() || !uses.sole(other).valid();
    if (other == value || !(graph.type(other) == graph.type(value)) || !later) return chain;
    chain.add = reader;
    chain.residual = other;
    value = add.outputs[0];
    reader = uses.sole(value);
  }
  if (reader.valid() && graph.node(reader).op.as<Activation>()) chain.activation = reader;
  return chain;
}

}  // namespace

Graph fuse_conv_epilogue(const Graph& graph) {
  const Uses uses(graph);
  std::vector<Chain> ends(graph.node_count());            // by last node
  std::vector<bool> absorbed(graph.node_count(), false);  // parts of a chain
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (!graph.node(NodeId{n}).op.as<Conv2d>()) continue;
    const Chain chain = find_chain(graph, uses, NodeId{n});
    if (chain.last() == chain.conv) continue;
    ends[chain.last().index] = chain;
    absorbed[n] = true;
    if (chain.add.valid()) absorbed[chain.add.index] = true;
    if (chain.activation.valid()) absorbed[chain.activation.index] = true;
  }
  Rewrite rewrite(graph);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const Chain& chain = ends[n];
    if (!chain.conv.valid()) {
      if (!absorbed[n]) rewrite.copy(NodeId{n});
      continue;
    }
    const NodeInfo& conv = graph.node(chain.conv);
    const auto& plain = *conv.op.as<Conv2d>();
    FusedConv2d fused{plain.stride, plain.padding, plain.groups, conv.inputs.size() > 2, chain.add.valid(), ActivationKind::identity};
    if (chain.activation.valid()) fused.activation = graph.node(chain.activation).op.as<Activation>()->kind;
    auto inputs = rewrite.map(conv.inputs);
    if (chain.add.valid()) inputs.push_back(rewrite.map(chain.residual));
    rewrite.set(graph.node(chain.last()).outputs[0], rewrite.target().add(fused, inputs, conv.name)[0]);
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
