#include "passes/drop_paths.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "ops/add.h"
#include "ops/attention.h"
#include "ops/cross_attention.h"
#include "ops/dropout.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

struct Branch {
  size_t operand = 0;  // of the addition
  int64_t block = 0;
};

// By node: whether it depends on `value`, and `end` on it.
std::vector<bool> between(const Graph& graph, ValueId value, ValueId end) {
  std::vector<bool> from(graph.value_count()), to(graph.value_count()), result(graph.node_count());
  from[value.index] = to[end.index] = true;
  const auto any = [](const std::vector<bool>& set, std::span<const ValueId> ids) {
    return std::ranges::any_of(ids, [&](ValueId id) { return set[id.index]; });
  };
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    result[n] = any(from, node.inputs);
    for (ValueId id : node.outputs) from[id.index] = from[id.index] || result[n];
  }
  for (auto n = static_cast<uint32_t>(graph.node_count()); n-- > 0;) {
    const NodeInfo& node = graph.node(NodeId{n});
    const bool reaches = any(to, node.outputs);
    for (ValueId id : node.inputs) to[id.index] = to[id.index] || reaches;
    result[n] = result[n] && reaches;
  }
  return result;
}

// By node: the residual additions. Those inside a branch, as of an attention and an MLP side by side, are none.
std::map<uint32_t, Branch> find_branches(const Graph& graph, ValueId image) {
  std::map<uint32_t, Branch> branches;
  std::vector<int64_t> way(graph.value_count(), -1);  // nodes between the image and a value, the longest way; -1: none
  way[image.index] = 0;
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    int64_t longest = -1;
    for (ValueId id : node.inputs) longest = std::max(longest, way[id.index]);
    for (ValueId id : node.outputs) way[id.index] = longest < 0 ? -1 : longest + 1;
    if (!node.op.as<Add>()) continue;
    const ValueId a = node.inputs[0], b = node.inputs[1];
    if (way[a.index] < 0 || way[b.index] < 0 || !(graph.type(a) == graph.type(b))) continue;
    const bool first = way[a.index] >= way[b.index];
    const std::vector<bool> inside = between(graph, first ? b : a, first ? a : b);
    std::erase_if(branches, [&](const auto& other) { return inside[other.first]; });
    branches[n] = {first ? size_t{0} : size_t{1}, 0};
  }
  int64_t block = -1;
  bool attends = false, after_attention = false;
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const Op& op = graph.node(NodeId{n}).op;
    attends = attends || op.as<Attention>() || op.as<CrossAttention>();
    const auto branch = branches.find(n);
    if (branch == branches.end()) continue;
    block += after_attention && !attends ? 0 : 1;
    branch->second.block = block;
    after_attention = attends;
    attends = false;
  }
  return branches;
}

}  // namespace

Graph set_drop_paths(const Graph& graph, ValueId image, double last) {
  const std::map<uint32_t, Branch> branches = find_branches(graph, image);
  if (branches.empty()) fail(ErrorKind::usage, "there is no residual block for a stochastic depth of {}", last);
  const int64_t blocks = branches.rbegin()->second.block;
  const auto rate = [&](const Branch& branch) {
    return blocks == 0 ? last : last * static_cast<double>(branch.block) / static_cast<double>(blocks);
  };
  std::map<uint32_t, double> rates;  // of nodes that drop branches already
  for (const auto& [n, branch] : branches) {
    const NodeId producer = graph.value(graph.node(NodeId{n}).inputs[branch.operand]).producer;
    if (const auto* dropout = graph.node(producer).op.as<Dropout>(); dropout && dropout->per_sample) rates[producer.index] = rate(branch);
  }
  Rewrite rewrite(graph);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    const auto branch = branches.find(n);
    if (const auto known = rates.find(n); known != rates.end()) {
      rewrite.copy(NodeId{n}, Dropout{known->second, true});
    } else if (branch != branches.end() && !rates.contains(graph.value(node.inputs[branch->second.operand]).producer.index)) {
      std::vector<ValueId> inputs = rewrite.map(node.inputs);
      ValueId& dropped = inputs[branch->second.operand];
      // Random masks are told apart by name: there is one of this for each addition.
      const std::string name = fmt::format("drop_path.{}:{}", std::distance(branches.begin(), branch), node.name);
      dropped = rewrite.target().add(Dropout{rate(branch->second), true}, {dropped}, name)[0];
      rewrite.set(node.outputs[0], rewrite.target().add(node.op, inputs, node.name)[0]);
    } else {
      rewrite.copy(NodeId{n});
    }
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
