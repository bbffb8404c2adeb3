#include "passes/plan_memory.h"

#include <algorithm>
#include <numeric>

#include "ops/concat.h"
#include "ops/slice.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

constexpr size_t kAlignment = 64;

// Values that lie in the same memory, one after another or one within the other.
struct Buffer {
  size_t bytes = 0;
  int64_t first = 0, last = 0;  // steps; step n is node n, inputs are made at -1
  size_t offset = 0;
  std::vector<ValueId> members = {};
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

class Planner {
 public:
  Planner(const Graph& graph, const DeviceTraits& device, const MemoryOptions& options)
      : graph_(graph),
        device_(device),
        options_(options),
        uses_(graph),
        times_(find_lifetimes(graph, options.share)),
        within_(graph.value_count()),
        locations_(graph.value_count()) {
    if (options.share) find_views();
  }

  MemoryPlan plan() {
    for (const NamedValue& input : graph_.inputs())
      if (!options_.outside[input.value.index]) start(input.value);
    for (uint32_t n = 0; n < graph_.node_count(); ++n) {
      std::vector<size_t> taken;  // buffers that a result of this node writes over
      for (size_t k = 0; k < graph_.node(NodeId{n}).outputs.size(); ++k) place(n, k, taken);
    }
    plan_.arena_bytes = place_all(buffers_);
    plan_.values.resize(graph_.value_count());
    for (size_t v = 0; v < locations_.size(); ++v)
      if (placed(ValueId{static_cast<uint32_t>(v)})) plan_.values[v] = {buffers_[locations_[v].buffer].offset, locations_[v].row_stride};
    return std::move(plan_);
  }

 private:
  static constexpr size_t kNoBuffer = static_cast<size_t>(-1);
  struct Location {
    size_t buffer = kNoBuffer;
    int64_t row_stride = 0;
  };

  size_t rounded(ValueId id) const { return (graph_.type(id).bytes() + kAlignment - 1) / kAlignment * kAlignment; }
  bool placed(ValueId id) const { return locations_[id.index].buffer != kNoBuffer; }
  bool unread(ValueId id) const { return uses_.nodes[id.index].empty() && uses_.other[id.index] == 0; }
  int64_t channels(ValueId id) const { return graph_.type(id).shape.channels(); }
  // Between its pixels.
  int64_t stride(ValueId id) const {
    if (graph_.type(id).shape.rank() != 4) return 0;
    return locations_[id.index].row_stride > 0 ? locations_[id.index].row_stride : channels(id);
  }

  bool may_be_view(ValueId id) const {
    const NodeId producer = graph_.value(id).producer;
    if (!producer.valid() || options_.outside[id.index] || uses_.other[id.index] > 0 || within_[id.index].valid()) return false;
    const auto takes = [&](NodeId node) {
      return std::ranges::find(device_.take_views, graph_.node(node).op.name()) != device_.take_views.end();
    };
    return takes(producer) && std::ranges::all_of(uses_.nodes[id.index], takes);
  }

  void find_views() {
    const auto aligned = [&](ValueId id) { return static_cast<size_t>(channels(id)) * size_of(graph_.type(id).dtype) % kAlignment == 0; };
    for (uint32_t n = static_cast<uint32_t>(graph_.node_count()); n-- > 0;) {
      const NodeInfo& node = graph_.node(NodeId{n});
      const auto* concat = node.op.as<Concat>();
      const auto* slice = node.op.as<Slice>();
      if (!(concat && concat->axis == 1) && !(slice && slice->axis == 1 && slice->begin == 0)) continue;
      const ValueId whole = concat ? node.outputs[0] : node.inputs[0], part = concat ? node.inputs[0] : node.outputs[0];
      const bool twice = std::count(node.inputs.begin(), node.inputs.end(), part) > 1;
      const bool wide = 2 * channels(part) >= channels(whole);  // a thin one would keep the whole for itself
      if (options_.outside[whole.index] || twice || (slice && !wide) || !aligned(part) || !aligned(whole) ||
          graph_.type(part).dtype != graph_.type(whole).dtype || !may_be_view(part))
        continue;
      within_[part.index] = whole;
    }
  }

  void start(ValueId id) {
    if (placed(id)) return;
    plan_.sum_bytes += rounded(id);
    if (const ValueId whole = within_[id.index]; whole.valid()) {
      start(whole);
      locations_[id.index] = {locations_[whole.index].buffer, stride(whole)};
      join(id, locations_[id.index].buffer);
      return;
    }
    locations_[id.index].buffer = buffers_.size();
    buffers_.push_back({rounded(id), times_.made[id.index], times_.last[id.index], 0, {id}});
  }

  void join(ValueId id, size_t buffer) {
    buffers_[buffer].first = std::min(buffers_[buffer].first, times_.made[id.index]);
    buffers_[buffer].last = std::max(buffers_[buffer].last, times_.last[id.index]);
    buffers_[buffer].members.push_back(id);
  }

  void place(uint32_t n, size_t result, std::vector<size_t>& taken) {
    const NodeInfo& node = graph_.node(NodeId{n});
    const ValueId output = node.outputs[result];
    if (options_.outside[output.index] || unread(output) || placed(output)) return;
    for (size_t i = 0; i < node.inputs.size() && options_.share && !within_[output.index].valid(); ++i) {
      const size_t buffer = locations_[node.inputs[i].index].buffer;
      if (!node.op.overwrites(static_cast<int>(i), static_cast<int>(result)) || std::count(taken.begin(), taken.end(), buffer) > 0 ||
          !may_write_over(n, node.inputs[i], output))
        continue;
      locations_[output.index] = locations_[node.inputs[i].index];
      join(output, buffer);
      taken.push_back(buffer);
      plan_.sum_bytes += rounded(output);
      return;
    }
    start(output);
  }

  bool may_write_over(uint32_t n, ValueId input, ValueId output) const {
    const NodeInfo& node = graph_.node(NodeId{n});
    const bool twice = std::count(node.inputs.begin(), node.inputs.end(), input) > 1;
    if (!placed(input) || twice || times_.last[input.index] != n || rounded(input) != rounded(output)) return false;
    if (graph_.type(input).dtype != graph_.type(output).dtype) return false;
    if (locations_[input.index].row_stride > 0 && !(graph_.type(input) == graph_.type(output) && may_be_view(output))) return false;
    // All values of a buffer begin at its first channel, so they meet: none may be read later, nor another one by this node.
    return std::ranges::none_of(buffers_[locations_[input.index].buffer].members, [&](ValueId other) {
      if (other == input) return false;
      return times_.last[other.index] > n || std::count(node.inputs.begin(), node.inputs.end(), other) > 0;
    });
  }

  const Graph& graph_;
  const DeviceTraits& device_;
  const MemoryOptions& options_;
  Uses uses_;
  Lifetimes times_;
  std::vector<ValueId> within_;      // by value: what it is a view of
  std::vector<Location> locations_;  // by value
  std::vector<Buffer> buffers_;
  MemoryPlan plan_;
};

}  // namespace

MemoryPlan plan_memory(const Graph& graph, const DeviceTraits& device, const MemoryOptions& options) {
  return Planner(graph, device, options).plan();
}

size_t planned_bytes(const Graph& graph, const DeviceTraits& device) {
  MemoryOptions options{constant_values(graph), true};
  for (const State& state : graph.states()) {
    options.outside[state.value.index] = true;
    if (state.next.valid()) options.outside[state.next.index] = true;
  }
  return plan_memory(graph, device, options).arena_bytes;
}

}  // namespace fovea::passes
