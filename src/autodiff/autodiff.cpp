#include "autodiff/autodiff.h"

#include "base/error.h"
#include "ir/gradient.h"
#include "ops/add.h"
#include "ops/constant.h"
#include "ops/sum_to.h"

namespace fovea::autodiff {
namespace {

// The values that a wanted value reaches, by index.
std::vector<bool> reached_from(const Graph& graph, std::span<const ValueId> wanted) {
  std::vector<bool> reached(graph.value_count(), false);
  for (ValueId id : wanted) reached[id.index] = true;
  for (const NodeInfo& node : graph.nodes()) {
    bool any = false;
    for (ValueId id : node.inputs) any = any || reached[id.index];
    // Counters, indices and labels carry no gradient.
    for (ValueId id : node.outputs) reached[id.index] = reached[id.index] || (any && is_floating(graph.type(id).dtype));
  }
  return reached;
}

class Walk {
 public:
  Walk(Graph& graph, std::span<const ValueId> wanted)
      : graph_(graph), reached_(reached_from(graph, wanted)), gradient_(graph.value_count()) {}

  void seed(ValueId target, ValueId gradient) { gradient_[target.index] = Value(graph_, gradient); }

  void run(uint32_t node_count) {
    for (uint32_t n = node_count; n-- > 0;) visit(NodeId{n});
  }

  ValueId gradient(ValueId id) const { return gradient_[id.index].valid() ? gradient_[id.index].id() : ValueId{}; }

 private:
  void visit(NodeId id) {
    const NodeInfo node = graph_.node(id);  // a copy: emitting moves the table
    std::vector<Value> output_gradients;
    bool any = false;
    for (ValueId output : node.outputs) {
      output_gradients.push_back(gradient_[output.index]);
      any = any || output_gradients.back().valid();
    }
    std::vector<bool> needed;
    bool wanted = false;
    for (ValueId input : node.inputs) {
      needed.push_back(reached_[input.index]);
      wanted = wanted || needed.back();
    }
    if (!any || !wanted) return;
    if (!node.op.has_gradient()) fail(ErrorKind::unsupported, "{}: {} has no gradient", node.name, node.op.name());
    GradientContext context(graph_, id, needed, std::move(output_gradients));
    in_context("gradient of " + node.name, [&] { node.op.gradient(context); });
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (context.given()[i].valid()) accumulate(node.inputs[i], context.given()[i], "grad:" + node.name);
  }

  void accumulate(ValueId id, Value gradient, const std::string& name) {
    const Shape wanted = graph_.type(id).shape;
    if (!(gradient.shape() == wanted)) gradient = emit(SumTo{wanted}, std::vector{gradient}, name)[0];
    Value& sum = gradient_[id.index];
    sum = sum.valid() ? emit(Add{}, std::vector{sum, gradient}, name)[0] : gradient;
  }

  Graph& graph_;
  std::vector<bool> reached_;
  std::vector<Value> gradient_;  // by value; of the values that were there before the walk
};

}  // namespace

std::vector<ValueId> gradients(Graph& graph, ValueId target, ValueId target_gradient, std::span<const ValueId> wanted) {
  if (!(graph.type(target) == graph.type(target_gradient))) {
    fail(ErrorKind::internal, "the gradient of a target of {} has type {}", to_string(graph.type(target)),
         to_string(graph.type(target_gradient)));
  }
  const NodeId producer = graph.value(target).producer;
  Walk walk(graph, wanted);
  walk.seed(target, target_gradient);
  walk.run(producer.valid() ? producer.index + 1 : 0);
  std::vector<ValueId> result;
  for (ValueId id : wanted) result.push_back(walk.gradient(id));
  return result;
}

std::vector<ValueId> gradients(Graph& graph, ValueId target, std::span<const ValueId> wanted) {
  const Type type = graph.type(target);
  if (type.elements() != 1)
    fail(ErrorKind::internal, "the gradient of {} needs a start: only a scalar has one of its own", to_string(type));
  const ValueId one = graph.add(Constant{type.dtype, type.shape, 1.0}, {}, "grad:start")[0];
  return gradients(graph, target, one, wanted);
}

}  // namespace fovea::autodiff
