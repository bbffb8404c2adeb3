#include "train/freeze.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "ir/slots.h"
#include "passes/lower_mode.h"
#include "passes/plan_memory.h"
#include "passes/rewrite.h"
#include "passes/split_frozen.h"
#include "train/step.h"

namespace fovea::training {
namespace {

int64_t multiply_adds_of(const Graph& graph, const NodeInfo& node) {
  return node.op.cost(graph.types(node.inputs), graph.types(node.outputs)).multiply_adds;
}

int64_t multiply_adds_of(const Graph& graph) {
  int64_t sum = 0;
  for (const NodeInfo& node : graph.nodes()) sum += multiply_adds_of(graph, node);
  return sum;
}

int64_t below(const Graph& graph, ValueId value) {
  std::vector<bool> needed(graph.value_count());
  needed[value.index] = true;
  int64_t sum = 0;
  for (size_t n = graph.node_count(); n-- > 0;) {
    const NodeInfo& node = graph.nodes()[n];
    if (std::ranges::none_of(node.outputs, [&](ValueId id) { return needed[id.index]; })) continue;
    for (ValueId id : node.inputs) needed[id.index] = true;
    sum += multiply_adds_of(graph, node);
  }
  return sum;
}

bool is_backward(const NodeInfo& node) {
  return node.name.starts_with("grad:") || node.name.starts_with("again:") || node.name.starts_with("update:");
}

// Bytes that the backward pass reads of what the forward pass makes or a frozen part gives.
size_t saved_bytes(const Graph& step) {
  std::vector<bool> read(step.value_count());
  for (const NodeInfo& node : step.nodes())
    if (is_backward(node))
      for (ValueId id : node.inputs) read[id.index] = true;
  size_t sum = 0;
  for (const NamedValue& input : step.inputs())
    if (read[input.value.index]) sum += step.type(input.value).bytes();
  for (const NodeInfo& node : step.nodes()) {
    if (is_backward(node)) continue;
    for (ValueId id : node.outputs)
      if (read[id.index]) sum += step.type(id).bytes();
  }
  return sum;
}

StepOptions sgd(const std::set<std::string>& frozen) {
  StepOptions options;
  options.optimizer.kind = OptimizerOptions::Kind::sgd;
  options.frozen = frozen;
  return options;
}

}  // namespace

FreezeChoice choose_freeze(const engine::Network& network, int64_t pictures, int64_t classes) {
  struct Rule {
    int64_t below = 0;  // pictures a class
    double share = 0;   // of the forward multiply-adds
  };
  constexpr int64_t kHeadOnly = 10;
  constexpr std::array<Rule, 3> kRules{{{30, 0.85}, {100, 0.5}, {300, 0.25}}};
  const int64_t each = pictures / std::max<int64_t>(1, classes);
  const std::string reason = fmt::format("{} training pictures a class", each);
  if (each < kHeadOnly) return {"all", fmt::format("{}, fewer than {}: the head alone trains", reason, kHeadOnly)};
  for (const Rule& rule : kRules) {
    if (each >= rule.below) continue;
    const ModelGraph model = network.build(1);
    const double most = rule.share * static_cast<double>(below(model.graph, model.pre_logits));
    std::string deepest = "none";
    for (const Tap& tap : model.taps)
      if (static_cast<double>(below(model.graph, tap.value)) <= most) deepest = tap.name;
    return {deepest, fmt::format("{}, fewer than {}: up to the deepest tap below which at most {:.0f} % of the multiply-adds lie", reason,
                                 rule.below, 100 * rule.share)};
  }
  return {"none", fmt::format("{}, at least {}: everything trains", reason, kRules.back().below)};
}

FreezeSavings freeze_savings(const engine::Network& network, const std::set<std::string>& frozen, int64_t batch,
                             const DeviceTraits& device) {
  FreezeSavings savings;
  savings.batch = batch;
  const ModelGraph model = network.build(batch);
  for (const State& state : model.graph.states()) {
    if (state.role != StateRole::parameter) continue;
    const int64_t elements = model.graph.type(state.value).elements();
    savings.parameters += elements;
    if (frozen.contains(state.name)) savings.frozen_parameters += elements;
  }
  const int64_t forward = multiply_adds_of(model.graph);
  const auto work_of = [&](const Graph& step, const Graph* prefix) {
    StepWork work;
    const int64_t before = prefix ? multiply_adds_of(*prefix) : 0;
    work.forward = forward / batch;
    work.backward = (before + multiply_adds_of(step) - forward) / batch;
    work.saved_bytes = saved_bytes(step) / static_cast<size_t>(batch);
    work.arena_bytes = std::max(passes::planned_bytes(step, device), prefix ? passes::planned_bytes(*prefix, device) : 0);
    return work;
  };
  const passes::PipelineOptions pipeline{.recompute = {.device = &device}};
  savings.full = work_of(build_step(lower_for_training(model, {}), sgd({}), pipeline), nullptr);
  passes::SplitGraph split = passes::split_frozen(lower_for_training(model, frozen), frozen, {slots::kImage.name});
  const Graph prefix = passes::optimize(std::move(split.prefix));
  savings.prefix = multiply_adds_of(prefix) / batch;
  savings.frozen = work_of(build_step(std::move(split.suffix), sgd(frozen), pipeline), &prefix);
  return savings;
}

double FreezeSavings::share() const {
  return static_cast<double>(frozen.forward + frozen.backward) / static_cast<double>(full.forward + full.backward);
}

double FreezeSavings::share_with_features_kept() const {
  return static_cast<double>(frozen.forward + frozen.backward - prefix) / static_cast<double>(full.forward + full.backward);
}

std::string to_string(const FreezeSavings& s) {
  const auto millions = [](auto number) { return static_cast<double>(number) / 1e6; };
  return fmt::format(
      "{:.2f} M of {:.2f} M parameters stay as they are; multiply-adds a picture, forward and backward: {:.0f} M + {:.0f} M in place of "
      "{:.0f} M + {:.0f} M; saved activations a picture: {:.1f} MB in place of {:.1f}; planned values of a step of {}: {:.1f} MB in place "
      "of "
      "{:.1f}; expected share of a full step: {:.0f} %, and {:.1f} % where the frozen part's outputs are kept",
      millions(s.frozen_parameters), millions(s.parameters), millions(s.frozen.forward), millions(s.frozen.backward),
      millions(s.full.forward), millions(s.full.backward), millions(s.frozen.saved_bytes), millions(s.full.saved_bytes), s.batch,
      millions(s.frozen.arena_bytes), millions(s.full.arena_bytes), 100 * s.share(), 100 * s.share_with_features_kept());
}

}  // namespace fovea::training
