// The memory plan, checked by an observer that knows nothing of how it was made: no value is overwritten before its last reader.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "backends/cpu/cpu.h"
#include "models/registry.h"
#include "ops/concat.h"
#include "ops/slice.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/plan_memory.h"
#include "train/step.h"

namespace fovea {
namespace {

// Replays the plan by what lies in each 64 bytes: every node's inputs must still be in memory when it runs, every output at the end. A
// concatenation or a slice by channels has the content of what it is made of.
class Observer {
 public:
  Observer(const Graph& graph, const passes::MemoryPlan& plan)
      : graph_(graph), plan_(plan), memory_((plan.arena_bytes + kUnit - 1) / kUnit), content_(graph.value_count()) {}

  void replay() {
    for (const NamedValue& input : graph_.inputs()) write(input.value, own(input.value));
    for (const NodeInfo& node : graph_.nodes()) {
      for (ValueId id : node.inputs) read(id, node.name);
      const Content made = moved(node);
      for (ValueId id : node.outputs) write(id, made.empty() ? own(id) : made);
      for (ValueId id : node.outputs) read(id, "the result of " + node.name);  // two results in one place
    }
    for (const NamedValue& output : graph_.outputs()) read(output.value, "output " + output.name);
  }

 private:
  static constexpr size_t kUnit = 64;
  using Content = std::vector<uint64_t>;  // by unit of the value, pixel after pixel

  size_t units(ValueId id) const { return (graph_.type(id).bytes() + kUnit - 1) / kUnit; }
  size_t pixel_units(ValueId id) const { return static_cast<size_t>(graph_.type(id).shape.channels()) * 4 / kUnit; }

  Content own(ValueId id) const {
    Content content(units(id));
    for (size_t i = 0; i < content.size(); ++i) content[i] = (uint64_t{id.index + 1} << 32) + i;
    return content;
  }

  // Of a concatenation of whole units, or of such a slice; empty for everything else.
  Content moved(const NodeInfo& node) const {
    const auto* concat = node.op.as<Concat>();
    const auto* slice = node.op.as<Slice>();
    if ((!concat || concat->axis != 1) && (!slice || slice->axis != 1)) return {};
    for (const auto* ids : {&node.inputs, &node.outputs})
      for (ValueId id : *ids)
        if (graph_.type(id).shape.channels() * 4 % static_cast<int64_t>(kUnit) != 0 || content_[node.inputs[0].index].empty()) return {};
    Content content;
    const size_t each = pixel_units(node.outputs[0]);
    for (size_t pixel = 0; pixel * each < units(node.outputs[0]); ++pixel)
      for (ValueId id : node.inputs) {
        const Content& from = content_[id.index];
        const auto first = from.begin() + static_cast<std::ptrdiff_t>(pixel * pixel_units(id));
        if (slice)
          content.insert(content.end(), first + slice->begin * 4 / static_cast<int64_t>(kUnit),
                         first + slice->end * 4 / static_cast<int64_t>(kUnit));
        else
          content.insert(content.end(), first, first + static_cast<std::ptrdiff_t>(pixel_units(id)));
      }
    return content;
  }

  // Calls body(unit of memory, unit of the value).
  template <class Body>
  void over(ValueId id, const Body& body) const {
    const auto& [offset, row_stride] = plan_.values[id.index];
    if (offset == passes::Placement::kNone) return;
    ASSERT_EQ(offset % kUnit, 0u);
    const size_t each = row_stride > 0 ? pixel_units(id) : units(id),
                 apart = row_stride > 0 ? static_cast<size_t>(row_stride) * 4 / kUnit : each;
    for (size_t i = 0; i < units(id); ++i) {
      const size_t at = offset / kUnit + i / each * apart + i % each;
      ASSERT_LT(at, memory_.size());
      body(at, i);
    }
  }

  void write(ValueId id, Content content) {
    if (plan_.values[id.index].offset == passes::Placement::kNone) return;
    over(id, [&](size_t at, size_t i) { memory_[at] = content[i]; });
    content_[id.index] = std::move(content);
  }
  void read(ValueId id, const std::string& reader) const {
    size_t lost = 0;
    over(id, [&](size_t at, size_t i) { lost += memory_[at] != content_[id.index][i]; });
    EXPECT_EQ(lost, 0u) << reader << " reads %" << id.index << ", which is overwritten";
  }

  const Graph& graph_;
  const passes::MemoryPlan& plan_;
  std::vector<uint64_t> memory_;
  std::vector<Content> content_;  // by value
};

void expect_sound(const Graph& graph, const passes::MemoryPlan& plan) { Observer(graph, plan).replay(); }

passes::MemoryPlan plan_of(const Graph& graph) {
  passes::MemoryOptions options{std::vector<bool>(graph.value_count(), false), true};
  for (const State& state : graph.states()) {
    options.outside[state.value.index] = true;
    if (state.next.valid()) options.outside[state.next.index] = true;
  }
  return passes::plan_memory(graph, cpu::cpu_backend().traits(), options);
}

Graph training_graph(const std::string& name, int64_t size) {
  BuildOptions build;
  build.batch = 4;
  build.height = build.width = size;
  return training::build_step(training::lower_for_training(models::build(models::get(name), build), {}), {},
                              {.recompute = {.device = &cpu::cpu_backend().traits()}});
}

TEST(MemoryPlan, NothingIsOverwrittenBeforeItsLastReader) {
  for (const char* name : {"resnet18", "resnet50", "efficientnet_b0", "tf_efficientnet_lite0", "densenet121"}) {
    const Graph graph = training_graph(name, 64);
    const auto plan = plan_of(graph);
    SCOPED_TRACE(name);
    expect_sound(graph, plan);
    EXPECT_LT(plan.arena_bytes, plan.sum_bytes);
  }
}

TEST(MemoryPlan, InferenceNeedsAFractionOfTheSum) {
  ModelGraph model = models::build(models::get("resnet50"), {});
  model.graph.output("logits", model.logits);
  const Graph graph = passes::optimize(passes::lower_mode(model.graph, {}));
  const auto plan = plan_of(graph);
  expect_sound(graph, plan);
  // The largest moment of a bottleneck at 224 x 224: two maps of 256 x 56 x 56 and one of 64 x 56 x 56, or so; weights that are folded here
  // count too.
  EXPECT_LT(plan.arena_bytes * 2, plan.sum_bytes);
}

TEST(MemoryPlan, ADenseBlockOwnsOneBuffer) {
  // Every concatenation's first part, and the gradient's, is a view; copied they would be as many buffers as layers.
  const Graph graph = training_graph("densenet121", 64);
  const auto plan = plan_of(graph);
  int views = 0;
  for (const NodeInfo& node : graph.nodes()) {
    if (!node.op.as<Concat>()) continue;
    EXPECT_EQ(plan.values[node.inputs[0].index].offset, plan.values[node.outputs[0].index].offset) << node.name;
    EXPECT_GT(plan.values[node.inputs[0].index].row_stride, graph.type(node.inputs[0]).shape.channels()) << node.name;
    ++views;
  }
  EXPECT_EQ(views, 58);
  for (const NodeInfo& node : graph.nodes())
    if (const auto* slice = node.op.as<Slice>(); slice && slice->begin == 0) {
      EXPECT_EQ(plan.values[node.inputs[0].index].offset, plan.values[node.outputs[0].index].offset) << node.name;
    }
}

TEST(MemoryPlan, AnObserverSeesASharedPlace) {
  Graph graph = training_graph("resnet18", 32);
  auto plan = plan_of(graph);
  // Two values that live at the same time in one place: the observer has to complain, or it would pass anything.
  size_t first = passes::Placement::kNone;
  for (const NodeInfo& node : graph.nodes()) {
    for (ValueId id : node.outputs) {
      if (plan.values[id.index].offset == passes::Placement::kNone) continue;
      if (first == passes::Placement::kNone)
        first = plan.values[id.index].offset;
      else
        plan.values[id.index].offset = first;
    }
  }
  testing::TestPartResultArray failures;
  {
    testing::ScopedFakeTestPartResultReporter reporter(testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    expect_sound(graph, plan);
  }
  EXPECT_GT(failures.size(), 0);
}

}  // namespace
}  // namespace fovea
