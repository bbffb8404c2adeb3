#include "engine/head_graph.h"

#include "base/error.h"
#include "ir/slots.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/set_precision.h"

namespace fovea::engine {
namespace {

// The nodes that a value needs, down to the cut and to states.
class Behind {
 public:
  Behind(const Graph& graph, ValueId cut) : graph_(graph), mapped_(graph.value_count()) {
    mapped_[cut.index] = result_.input(slots::kImage.name, graph.type(cut));
  }

  ValueId map(ValueId id) {
    if (mapped_[id.index].valid()) return mapped_[id.index];
    if (const State* state = graph_.state_of(id))
      return mapped_[id.index] = result_.state(state->name, graph_.type(id), state->role, state->stored_shape, state->init);
    if (!graph_.value(id).producer.valid()) fail(ErrorKind::usage, "it does not follow from the last map alone");
    const NodeInfo& node = graph_.node(graph_.value(id).producer);
    std::vector<ValueId> inputs;
    for (ValueId input : node.inputs) inputs.push_back(map(input));
    const auto outputs = result_.add(node.op, std::move(inputs), node.name);
    for (size_t k = 0; k < outputs.size(); ++k) mapped_[node.outputs[k].index] = outputs[k];
    return mapped_[id.index];
  }
  Graph take() { return std::move(result_); }
  Graph& graph() { return result_; }

 private:
  const Graph& graph_;
  Graph result_;
  std::vector<ValueId> mapped_;
};

}  // namespace

Graph head_graph(ModelGraph model, const std::string& output, DType precision) {
  const bool tokens = !model.taps.empty() && model.taps.back().tokens;
  const ValueId cut = tokens ? model.taps.back().value : model.map;
  const OutputView wanted = find_output(model, output);
  if (wanted.form != OutputView::Form::vector) fail(ErrorKind::usage, "'{}' is no vector behind the last map", output);
  Behind behind(model.graph, cut);
  behind.graph().output(output, in_context("the output '" + output + "'", [&] { return behind.map(wanted.value); }));
  return passes::optimize(passes::set_precision(passes::lower_mode(behind.take(), {}), precision));
}

}  // namespace fovea::engine
