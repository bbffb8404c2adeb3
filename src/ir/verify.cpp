#include <set>

#include "base/error.h"
#include "ir/graph.h"

namespace fovea {
namespace {

[[noreturn]] void illegal(const std::string& where, const std::string& what) {
  fail(ErrorKind::internal, "illegal graph: {}: {}", where, what);
}

void verify_nodes(const Graph& graph) {
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    const std::string where = fmt::format("node {} ({} {})", n, node.op.name(), node.name);
    for (ValueId id : node.inputs) {
      if (id.index >= graph.value_count()) illegal(where, fmt::format("reads value {} of {}", id.index, graph.value_count()));
      const NodeId producer = graph.value(id).producer;
      if (producer.valid() && producer.index >= n)
        illegal(where, fmt::format("reads %{}, which node {} makes later", id.index, producer.index));
    }
    const Types expected = node.op.infer(graph.types(node.inputs));
    if (expected.size() != node.outputs.size())
      illegal(where, fmt::format("has {} results, {} expected", node.outputs.size(), expected.size()));
    for (size_t k = 0; k < expected.size(); ++k) {
      const ValueInfo& result = graph.value(node.outputs[k]);
      if (!(result.type == expected[k])) {
        illegal(where, fmt::format("result {} is {}, {} expected", k, to_string(result.type), to_string(expected[k])));
      }
      if (result.producer != NodeId{n} || result.result != k) illegal(where, fmt::format("result {} has another producer", k));
    }
  }
}

// A state may be read until the node that makes its next value, and by that node; afterwards its memory holds the next value.
void verify_states(const Graph& graph) {
  std::set<ValueId> written;
  for (const State& state : graph.states()) {
    if (!state.next.valid()) continue;
    if (!(graph.type(state.next) == graph.type(state.value))) {
      illegal("state " + state.name,
              fmt::format("is {}, its next value {}", to_string(graph.type(state.value)), to_string(graph.type(state.next))));
    }
    if (!written.insert(state.next).second) illegal("state " + state.name, "shares its next value with another state");
    const NodeId writer = graph.value(state.next).producer;
    if (!writer.valid()) illegal("state " + state.name, "its next value is made by no node");
    for (uint32_t n = writer.index + 1; n < graph.node_count(); ++n) {
      for (ValueId id : graph.node(NodeId{n}).inputs) {
        if (id == state.value) illegal("state " + state.name, fmt::format("node {} reads it after node {} wrote it", n, writer.index));
      }
    }
    for (const NamedValue& output : graph.outputs()) {
      if (output.value == state.value)
        illegal("state " + state.name, fmt::format("output '{}' reads it after it was written", output.name));
    }
  }
}

}  // namespace

void verify(const Graph& graph) {
  verify_nodes(graph);
  verify_states(graph);
  for (const NamedValue& output : graph.outputs()) {
    if (output.value.index >= graph.value_count())
      illegal("output " + output.name, fmt::format("value {} of {}", output.value.index, graph.value_count()));
  }
}

}  // namespace fovea
