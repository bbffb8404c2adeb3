#include "passes/plan_memory.h"

#include <algorithm>
#include <numeric>

#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

constexpr size_t kAlignment = 64;

// Values that lie in the same memory one after another.
struct Buffer {
  size_t bytes = 0;
  int64_t first = 0, last = 0;  // steps; step n is node n, inputs are made at -1
  size_t offset = 0;
};

struct Lifetimes {
  std::vector<int64_t> made, last;  // by value
};

Lifetimes find_lifetimes(const Graph& graph, bool share) {
  const int64_t end = static_cast<int64_t>(graph.node_count());
  Lifetimes times{std::vector<int64_t>(graph.value_count(), -1), std::vector<int64_t>(graph.value_count(), -1)};
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    for (ValueId id : node.inputs) times.last[id.index] = n;
    for (ValueId id : node.outputs) times.made[id.index] = times.last[id.index] = n;
  }
  for (const NamedValue& output : graph.outputs()) times.last[output.value.index] = end;
  if (!share) std::fill(times.last.begin(), times.last.end(), end);
  return times;
}

// The lowest gap among the placed buffers that live at the same time; largest buffers first, so that small ones fill the gaps.
size_t place_all(std::vector<Buffer>& buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<size_t> placed;  // sorted by offset
  size_t total = 0;
  for (size_t index : order) {
    Buffer& buffer = buffers[index];
    size_t offset = 0;
    for (size_t other_index : placed) {
      const Buffer& other = buffers[other_index];
      if (other.last < buffer.first || buffer.last < other.first) continue;
      if (offset + buffer.bytes <= other.offset) break;
      offset = std::max(offset, other.offset + other.bytes);
    }
    buffer.offset = offset;
    total = std::max(total, offset + buffer.bytes);
    const auto position =
        std::upper_bound(placed.begin(), placed.end(), offset, [&](size_t at, size_t other) { return at < buffers[other].offset; });
    placed.insert(position, index);
  }
  return total;
}

}  // namespace

MemoryPlan plan_memory(const Graph& graph, const MemoryOptions& options) {
  const Uses uses(graph);
  const Lifetimes times = find_lifetimes(graph, options.share);
  std::vector<Buffer> buffers;
  constexpr size_t kNoBuffer = static_cast<size_t>(-1);
  std::vector<size_t> buffer_of(graph.value_count(), kNoBuffer);
  MemoryPlan plan;
  plan.values.resize(graph.value_count());

  const auto rounded = [&](ValueId id) { return (graph.type(id).bytes() + kAlignment - 1) / kAlignment * kAlignment; };
  const auto start = [&](ValueId id) {
    buffer_of[id.index] = buffers.size();
    buffers.push_back({rounded(id), times.made[id.index], times.last[id.index], 0});
    plan.sum_bytes += rounded(id);
  };
  for (const NamedValue& input : graph.inputs()) start(input.value);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    std::vector<size_t> taken;  // buffers that a result of this node writes over
    for (size_t k = 0; k < node.outputs.size(); ++k) {
      const ValueId output = node.outputs[k];
      if (options.outside[output.index] || (uses.nodes[output.index].empty() && uses.other[output.index] == 0)) continue;
      for (size_t i = 0; i < node.inputs.size() && buffer_of[output.index] == kNoBuffer; ++i) {
        const ValueId input = node.inputs[i];
        const size_t buffer = buffer_of[input.index];
        const bool twice = std::count(node.inputs.begin(), node.inputs.end(), input) > 1;
        if (buffer == kNoBuffer || twice || times.last[input.index] != n || rounded(input) != rounded(output) || !options.share ||
            !node.op.overwrites(static_cast<int>(i), static_cast<int>(k)) || std::count(taken.begin(), taken.end(), buffer) > 0) {
          continue;
        }
        buffer_of[output.index] = buffer;
        buffers[buffer].last = std::max(buffers[buffer].last, times.last[output.index]);
        taken.push_back(buffer);
        plan.sum_bytes += rounded(output);
      }
      if (buffer_of[output.index] == kNoBuffer) start(output);
    }
  }
  plan.arena_bytes = place_all(buffers);
  for (size_t v = 0; v < plan.values.size(); ++v)
    if (buffer_of[v] != kNoBuffer) plan.values[v].offset = buffers[buffer_of[v]].offset;
  return plan;
}

size_t planned_bytes(const Graph& graph) {
  MemoryOptions options{constant_values(graph), true};
  for (const State& state : graph.states()) {
    options.outside[state.value.index] = true;
    if (state.next.valid()) options.outside[state.next.index] = true;
  }
  return plan_memory(graph, options).arena_bytes;
}

}  // namespace fovea::passes
