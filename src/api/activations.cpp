#include "api/activations.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "api/device.h"
#include "base/error.h"
#include "explain/structure.h"
#include "ir/slots.h"
#include "passes/drop_dead.h"
#include "passes/plan_memory.h"
#include "passes/rewrite.h"

namespace fovea {
namespace {

std::vector<int> marked_stages(const Graph& marked, size_t stages) {
  std::vector<ValueId> ends;
  for (size_t i = 0; i < stages; ++i) {
    const auto end = marked.find_output(stage_output(i));
    if (!end) fail(ErrorKind::internal, "stage {} of {} has lost its end", i, stages);
    ends.push_back(*end);
  }
  return stages_of(marked, ends);
}

int stage_of(const std::vector<int>& by_value, const NodeInfo& node) {
  int stage = -1;
  for (ValueId output : node.outputs) stage = std::max(stage, by_value[output.index]);
  return stage;
}

struct Lifetime {
  int64_t made = -1, last = -1;  // nodes
};

std::vector<Lifetime> lifetimes(const Graph& graph) {
  std::vector<Lifetime> times(graph.value_count());
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    for (ValueId input : node.inputs) times[input.index].last = n;
    for (ValueId output : node.outputs) times[output.index] = {n, n};
  }
  for (const NamedValue& output : graph.outputs()) times[output.value.index].last = static_cast<int64_t>(graph.node_count());
  return times;
}

}  // namespace

std::string stage_output(size_t stage) { return fmt::format("stage {}", stage); }

std::vector<int> stages_of(const Graph& graph, std::span<const ValueId> ends) {
  std::vector<int> stages(graph.value_count(), -1);
  for (size_t i = 0; i < ends.size(); ++i) {
    std::vector<ValueId> open{ends[i]};
    while (!open.empty()) {
      const ValueId value = open.back();
      open.pop_back();
      if (stages[value.index] >= 0) continue;
      stages[value.index] = static_cast<int>(i);
      const NodeId producer = graph.value(value).producer;
      if (!producer.valid()) continue;
      const NodeInfo& node = graph.node(producer);
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
      // What else the node gives (a pool's indices) belongs to it.
      for (ValueId output : node.outputs)
        if (stages[output.index] < 0) stages[output.index] = static_cast<int>(i);
    }
  }
  return stages;
}

std::vector<int64_t> held_for_inference(const Graph& marked, size_t stages) {
  const std::vector<int> marks = marked_stages(marked, stages);
  // As outputs the marks would keep their values in memory to the end.
  const Graph graph = passes::keep_outputs(marked, std::vector{stage_output(stages - 1)});
  if (graph.node_count() != marked.node_count())
    fail(ErrorKind::internal, "{} nodes with the stages marked, {} without", marked.node_count(), graph.node_count());
  passes::MemoryOptions options;
  options.outside = passes::constant_values(graph);
  const passes::MemoryPlan plan = passes::plan_memory(graph, device().traits(), options);
  const std::vector<Lifetime> times = lifetimes(graph);
  std::vector<int64_t> most(stages);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    std::map<size_t, int64_t> held;  // bytes by place: what is written over another value takes no more
    for (uint32_t v = 0; v < graph.value_count(); ++v) {
      const size_t place = plan.values[v].offset;
      if (place == passes::Placement::kNone || times[v].made > n || times[v].last < n) continue;
      held[place] = std::max(held[place], static_cast<int64_t>(graph.type(ValueId{v}).bytes()));
    }
    int64_t sum = 0;
    for (const auto& [place, bytes] : held) sum += bytes;
    const int stage = stage_of(marks, marked.node(NodeId{n}));
    if (stage >= 0) most[static_cast<size_t>(stage)] = std::max(most[static_cast<size_t>(stage)], sum);
  }
  return most;
}

std::vector<int64_t> held_for_training(const Graph& marked, size_t stages) {
  const std::vector<int> marks = marked_stages(marked, stages);
  const auto loss = marked.find_output(slots::kLoss.name);
  if (!loss) fail(ErrorKind::internal, "a training step without a loss");
  const std::vector<int> forward = stages_of(marked, std::vector{*loss});
  // Standardized weights and the like are the same for any number of pictures.
  const std::vector<bool> from_image = explain::depends_on(marked, *marked.find_input(slots::kImage.name));
  std::vector<bool> read_later(marked.value_count());
  for (const NodeInfo& node : marked.nodes()) {
    if (stage_of(forward, node) >= 0) continue;
    for (ValueId input : node.inputs) read_later[input.index] = true;
  }
  std::vector<int64_t> held(stages);
  for (uint32_t v = 0; v < marked.value_count(); ++v) {
    const int stage = marks[v];  // after the last mark there is the loss alone
    if (stage < 0 || !read_later[v] || !from_image[v]) continue;
    held[static_cast<size_t>(stage)] += static_cast<int64_t>(marked.type(ValueId{v}).bytes());
  }
  return held;
}

}  // namespace fovea
