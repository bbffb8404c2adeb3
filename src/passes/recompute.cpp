#include "passes/recompute.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/log.h"
#include "ir/slots.h"
#include "ops/batch_norm.h"
#include "ops/concat.h"
#include "ops/slice.h"
#include "ops/view.h"
#include "passes/drop_dead.h"
#include "passes/place_updates.h"
#include "passes/plan_memory.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();
constexpr size_t kLeastBytes = 1 << 15;  // smaller values are not worth a node

double seconds_of(const Cost& cost, const DeviceTraits& device) {
  return std::max(static_cast<double>(cost.multiply_adds) / device.multiply_adds_per_second,
                  static_cast<double>(cost.bytes) / device.bytes_per_second);
}

Cost cost_of(const Graph& graph, const NodeInfo& node) {
  const Types inputs = graph.types(node.inputs), outputs = graph.types(node.outputs);
  return node.op.cost(inputs, outputs);
}

double seconds_of(const Graph& graph, const DeviceTraits& device) {
  double seconds = 0;
  for (const NodeInfo& node : graph.nodes()) seconds += seconds_of(cost_of(graph, node), device);
  return seconds;
}

bool moves_nothing(const Op& op) { return op.as<Concat>() || op.as<Slice>() || op.as<View>(); }

// What is known of a training graph before anything is chosen.
class Step {
 public:
  Step(const Graph& graph, const DeviceTraits& device)
      : graph_(graph),
        device_(device),
        uses_(graph),
        wanted_(graph.value_count(), kNever),
        last_(graph.value_count(), 0),
        next_(graph.value_count()) {
    for (const State& state : graph.states())
      if (state.next.valid()) next_[state.next.index] = true;
    const auto loss = graph.find_output(slots::kLoss.name);
    if (!loss || !graph.value(*loss).producer.valid()) return;
    end_ = graph.value(*loss).producer.index + 1;
    for (uint32_t n = 0; n < graph.node_count(); ++n)
      for (ValueId id : graph.node(NodeId{n}).inputs) {
        last_[id.index] = n;
        if (n >= end_) wanted_[id.index] = std::min(wanted_[id.index], n);
      }
  }

  const Graph& graph() const { return graph_; }
  const DeviceTraits& device() const { return device_; }
  uint32_t end() const { return end_; }                            // of the forward part: its nodes are those before
  uint32_t wanted(ValueId id) const { return wanted_[id.index]; }  // the first reader in the backward part
  uint32_t last(ValueId id) const { return last_[id.index]; }      // the last reader of all
  size_t bytes(ValueId id) const { return graph_.type(id).bytes(); }
  const NodeInfo& producer(ValueId id) const { return graph_.node(graph_.value(id).producer); }

  // Whether a value of the forward part can be made a second time: no output, and its node writes no state but for the batch norm, which
  // need not.
  bool repeatable(ValueId id) const {
    const NodeId node = graph_.value(id).producer;
    if (!node.valid() || node.index >= end_ || uses_.other[id.index] > 0 || !is_floating(graph_.type(id).dtype)) return false;
    if (graph_.node(node).op.as<BatchNormTraining>()) return graph_.value(id).result == 0;
    return std::ranges::none_of(graph_.node(node).outputs, [&](ValueId output) { return next_[output.index]; });
  }

 private:
  const Graph& graph_;
  const DeviceTraits& device_;
  Uses uses_;
  uint32_t end_ = 0;
  std::vector<uint32_t> wanted_, last_;  // by value
  std::vector<bool> next_;               // by value: the next of a state
};

// made_again, by value: the backward part reads a second computation of it. apart, by value: each reader (a value that is computed again
// from it, or the backward part) gets a computation of its own.
struct Choice {
  std::vector<bool> made_again, apart;
  explicit Choice(const Graph& graph) : made_again(graph.value_count()), apart(graph.value_count()) {}
};

class Writer {
 public:
  Writer(const Step& step, const Choice& choice)
      : step_(step), choice_(choice), rewrite_(step.graph()), affine_(step.graph().value_count()) {
    for (auto& made : again_) made.resize(step.graph().value_count());
  }

  Graph write() {
    const Graph& graph = step_.graph();
    for (uint32_t n = 0; n < graph.node_count(); ++n) {
      const NodeInfo& node = graph.node(NodeId{n});
      if (n < step_.end()) {
        copy_forward(NodeId{n});
        continue;
      }
      std::vector<ValueId> inputs;
      for (ValueId id : node.inputs) inputs.push_back(late(id, false));
      const auto outputs = rewrite_.target().add(node.op, inputs, node.name);
      for (size_t k = 0; k < outputs.size(); ++k) rewrite_.set(node.outputs[k], outputs[k]);
    }
    return place_updates(drop_dead(rewrite_.finish()));
  }

 private:
  void copy_forward(NodeId id) {
    const NodeInfo& node = step_.graph().node(id);
    const auto* norm = node.op.as<BatchNormTraining>();
    if (!norm || !choice_.made_again[node.outputs[0].index]) return rewrite_.copy(id);
    BatchNormTraining op = *norm;
    op.with_affine = true;
    const auto outputs = rewrite_.target().add(op, rewrite_.map(node.inputs), node.name);
    for (size_t k = 0; k < node.outputs.size(); ++k) rewrite_.set(node.outputs[k], outputs[k]);
    affine_[node.outputs[0].index] = outputs.back();
  }

  // The value as the backward part has it, for one of its nodes or for a copy.
  ValueId late(ValueId id, bool for_copy) {
    if (!choice_.made_again[id.index]) return rewrite_.map(id);
    ValueId& made = again_[for_copy && choice_.apart[id.index]][id.index];
    if (made.valid()) return made;
    const NodeInfo& node = step_.producer(id);
    Op op = node.op;
    std::vector<ValueId> inputs;
    if (const auto* norm = node.op.as<BatchNormTraining>()) {
      op = BatchNormApply{norm->residual, norm->activation};
      inputs = {late(node.inputs[0], true), rewrite_.map(node.outputs[1]), affine_[id.index]};
      if (norm->residual) inputs.push_back(late(node.inputs[5], true));
    } else {
      for (ValueId input : node.inputs) inputs.push_back(late(input, true));
    }
    const auto outputs = rewrite_.target().add(std::move(op), inputs, "again:" + node.name);
    return made = outputs[step_.graph().value(id).result];
  }

  const Step& step_;
  const Choice& choice_;
  Rewrite rewrite_;
  std::vector<ValueId> again_[2];  // by value of the source: for nodes of the backward part, for copies
  std::vector<ValueId> affine_;    // by result of a batch norm
};

// Values that are made again together: one that the backward part reads, and links of the chain to it.
struct Candidate {
  std::vector<ValueId> values;
  size_t bytes = 0;  // that need no memory in between
  double seconds = 0;
  double worth() const { return static_cast<double>(bytes) / seconds; }
};

class Cheap {
 public:
  explicit Cheap(const Step& step) : step_(step), taken_(step.graph().value_count()) {}

  // The most bytes for their time first.
  std::vector<Candidate> find() {
    std::vector<Candidate> candidates;
    for (uint32_t n = 0; n < step_.end(); ++n)
      for (ValueId id : step_.graph().node(NodeId{n}).outputs) {
        if (step_.wanted(id) == kNever || step_.bytes(id) < kLeastBytes) continue;
        Candidate candidate;
        if (!add(id, step_.wanted(id), candidate)) continue;
        for (ValueId value : candidate.values) taken_[value.index] = true;
        candidate.bytes = step_.bytes(id);
        candidates.push_back(std::move(candidate));
      }
    std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) {
      return a.worth() != b.worth() ? a.worth() > b.worth() : a.bytes > b.bytes;
    });
    return candidates;
  }

 private:
  // Whether the value can be made again at node `at` without keeping anything longer for it.
  bool add(ValueId id, uint32_t at, Candidate& candidate) const {
    if (!step_.repeatable(id)) return false;
    const NodeInfo& node = step_.producer(id);
    const Cost cost = cost_of(step_.graph(), node);
    if (cost.multiply_adds > 0 || moves_nothing(node.op)) return false;
    for (ValueId input : node.inputs) {
      constexpr size_t kSmall = 16;  // times smaller
      const bool kept = !taken_[input.index] && step_.last(input) >= at;
      if (kept || step_.bytes(input) * kSmall <= step_.bytes(id) || step_.graph().state_of(input)) continue;
      const bool link = !taken_[input.index] && step_.wanted(input) == kNever;
      if (!link || !add(input, at, candidate)) return false;
    }
    candidate.values.push_back(id);
    candidate.seconds += seconds_of(cost, step_.device());
    return true;
  }

  const Step& step_;
  std::vector<bool> taken_;
};

Choice choice_of(const Graph& graph, std::span<const Candidate> candidates) {
  Choice choice(graph);
  for (const Candidate& candidate : candidates)
    for (ValueId id : candidate.values) choice.made_again[id.index] = choice.apart[id.index] = true;
  return choice;
}

// Values on which everything after them in the forward part depends, and nothing before them is read any more but by the backward part.
std::vector<ValueId> cuts_of(const Step& step) {
  const Graph& graph = step.graph();
  std::vector<uint32_t> last(graph.value_count(), 0);  // reader in the forward part
  for (uint32_t n = 0; n < step.end(); ++n)
    for (ValueId id : graph.node(NodeId{n}).inputs) last[id.index] = n;
  std::vector<ValueId> cuts;
  std::vector<ValueId> live;
  for (const NamedValue& input : graph.inputs())
    if (step.bytes(input.value) >= kLeastBytes) live.push_back(input.value);
  for (uint32_t n = 0; n < step.end(); ++n) {
    for (ValueId id : graph.node(NodeId{n}).outputs)
      if (step.bytes(id) >= kLeastBytes && !graph.state_of(id)) live.push_back(id);
    std::erase_if(live, [&](ValueId id) { return last[id.index] <= n; });
    if (live.size() == 1 && (cuts.empty() || cuts.back() != live[0]) && step.repeatable(live[0])) cuts.push_back(live[0]);
  }
  return cuts;
}

// Everything is made again but for every cut at which `apart` bytes have gathered since the last, and what follows the last one.
Choice between_cuts(const Step& step, std::span<const ValueId> cuts, size_t apart, std::span<const Candidate> cheap) {
  const Graph& graph = step.graph();
  Choice choice = choice_of(graph, cheap);
  std::vector<ValueId> since;
  size_t bytes = 0, next = 0;
  for (uint32_t n = 0; n < step.end(); ++n)
    for (ValueId id : graph.node(NodeId{n}).outputs) {
      if (step.bytes(id) < kLeastBytes || !step.repeatable(id)) continue;
      const bool cut = next < cuts.size() && cuts[next] == id;
      next += cut;
      if (cut && bytes >= apart) {
        for (ValueId value : since) choice.made_again[value.index] = true;
        choice.made_again[id.index] = false;
        since.clear();
        bytes = 0;
        continue;
      }
      since.push_back(id);
      if (!choice.made_again[id.index]) bytes += step.bytes(id);
    }
  return choice;
}

struct Plan {
  Graph graph;
  size_t bytes = 0;
  double seconds = 0;
};

Plan plan_of(const Step& step, const Choice& choice) {
  Plan plan{Writer(step, choice).write()};
  plan.bytes = planned_bytes(plan.graph, step.device());
  plan.seconds = seconds_of(plan.graph, step.device());
  return plan;
}

// The fewest of the cheap ones, from `count` on, that fit; all where none do.
Plan least_cheap(const Step& step, std::span<const Candidate> cheap, size_t count, size_t limit) {
  size_t low = count, high = cheap.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (plan_of(step, choice_of(step.graph(), cheap.first(middle))).bytes <= limit)
      high = middle;
    else
      low = middle + 1;
  }
  return plan_of(step, choice_of(step.graph(), cheap.first(low)));
}

Plan within(const Step& step, std::span<const Candidate> cheap, size_t count, size_t limit) {
  Plan best = least_cheap(step, cheap, count, limit);
  if (best.bytes <= limit) return best;
  const std::vector<ValueId> cuts = cuts_of(step);
  constexpr double kWider = 1.3;
  size_t all = 0;
  for (uint32_t n = 0; n < step.end(); ++n)
    for (ValueId id : step.graph().node(NodeId{n}).outputs) all += step.bytes(id);
  for (double apart = 1; apart < static_cast<double>(all); apart = std::max(apart * kWider, static_cast<double>(all) / 256)) {
    Plan plan = plan_of(step, between_cuts(step, cuts, static_cast<size_t>(apart), cheap));
    const bool fits = plan.bytes <= limit;
    const bool better = best.bytes > limit ? plan.bytes < best.bytes : fits && plan.seconds < best.seconds;
    if (better) best = std::move(plan);
  }
  return best;
}

}  // namespace

Graph recompute(const Graph& graph, const RecomputeOptions& options) {
  if (!options.device) return graph;
  const Step step(graph, *options.device);
  const std::vector<Candidate> cheap = Cheap(step).find();
  const double whole = seconds_of(graph, *options.device);
  size_t count = 0;
  for (double seconds = 0; count < cheap.size() && (seconds += cheap[count].seconds) <= options.share * whole;) ++count;
  if (step.end() == 0) return graph;
  if (options.arena_bytes == SIZE_MAX) {
    log("passes", "recompute: {} of {} cheap values", count, cheap.size());
    return Writer(step, choice_of(graph, std::span(cheap).first(count))).write();
  }
  Plan plan = within(step, cheap, count, options.arena_bytes);
  log("passes", "recompute: {} bytes for {} of values, {:.1f} % more time by the model", plan.bytes, options.arena_bytes,
      100 * (plan.seconds / whole - 1));
  return std::move(plan.graph);
}

}  // namespace fovea::passes
