#include "passes/place_updates.h"

#include <algorithm>
#include <set>

#include "passes/rewrite.h"

namespace fovea::passes {

Graph place_updates(const Graph& graph) {
  const Uses uses(graph);
  const uint32_t count = static_cast<uint32_t>(graph.node_count());
  std::set<ValueId> next;
  for (const State& state : graph.states())
    if (state.next.valid()) next.insert(state.next);

  // Only nodes whose every result is a next state or unread move: running statistics stay with the batch norm that makes them.
  std::vector<std::vector<uint32_t>> after(count);  // updates to be placed right after a node
  std::vector<bool> moved(count, false);
  std::vector<uint32_t> first;  // updates that wait for no node
  for (uint32_t n = 0; n < count; ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    const bool update = std::all_of(node.outputs.begin(), node.outputs.end(),
                                    [&](ValueId id) { return next.contains(id) && uses.nodes[id.index].empty(); });
    if (!update || node.outputs.empty()) continue;
    int64_t place = -1;
    for (ValueId id : node.inputs) {
      if (const NodeId producer = graph.value(id).producer; producer.valid()) place = std::max<int64_t>(place, producer.index);
      if (const State* state = graph.state_of(id); state && state->next.valid() && graph.value(state->next).producer == NodeId{n}) {
        for (NodeId reader : uses.nodes[id.index])
          if (reader.index != n) place = std::max<int64_t>(place, reader.index);
      }
    }
    moved[n] = true;
    if (place < 0)
      first.push_back(n);
    else
      after[static_cast<size_t>(place)].push_back(n);
  }

  Rewrite rewrite(graph);
  for (uint32_t n : first) rewrite.copy(NodeId{n});
  for (uint32_t n = 0; n < count; ++n) {
    if (!moved[n]) rewrite.copy(NodeId{n});
    for (uint32_t update : after[n]) rewrite.copy(NodeId{update});
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
