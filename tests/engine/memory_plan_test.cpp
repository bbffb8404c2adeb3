// The memory plan, checked by an observer that knows nothing of how it was made: no value is overwritten before its last reader.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <map>

#include "models/registry.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/plan_memory.h"
#include "train/step.h"

namespace fovea {
namespace {

struct Region {
  size_t begin, end;
  ValueId value;
};

// Replays the plan: every node's inputs must still be in memory when it runs, every output at the end.
void expect_sound(const Graph& graph, const passes::MemoryPlan& plan) {
  std::map<size_t, Region> content;  // by begin; what each byte range holds
  const auto write = [&](ValueId id) {
    const size_t begin = plan.values[id.index].offset;
    if (begin == passes::Placement::kNone) return;
    const size_t end = begin + graph.type(id).bytes();
    ASSERT_LE(end, plan.arena_bytes);
    ASSERT_EQ(begin % 64, 0u);
    for (auto it = content.begin(); it != content.end();)
      it = it->second.begin < end && begin < it->second.end ? content.erase(it) : std::next(it);
    content.emplace(begin, Region{begin, end, id});
  };
  const auto read = [&](ValueId id, const std::string& reader) {
    const size_t begin = plan.values[id.index].offset;
    if (begin == passes::Placement::kNone) return;
    const auto found = content.find(begin);
    ASSERT_TRUE(found != content.end() && found->second.value == id) << reader << " reads %" << id.index << ", which is overwritten";
  };
  for (const NamedValue& input : graph.inputs()) write(input.value);
  for (const NodeInfo& node : graph.nodes()) {
    for (ValueId id : node.inputs) read(id, node.name);
    for (ValueId id : node.outputs) write(id);
  }
  for (const NamedValue& output : graph.outputs()) read(output.value, "output " + output.name);
}

passes::MemoryPlan plan_of(const Graph& graph) {
  passes::MemoryOptions options{std::vector<bool>(graph.value_count(), false), true};
  for (const State& state : graph.states()) {
    options.outside[state.value.index] = true;
    if (state.next.valid()) options.outside[state.next.index] = true;
  }
  return passes::plan_memory(graph, options);
}

Graph training_graph(const std::string& name, int64_t size) {
  BuildOptions build;
  build.batch = 4;
  build.height = build.width = size;
  return training::build_step(training::lower_for_training(models::build(models::get(name), build), {}), {});
}

TEST(MemoryPlan, NothingIsOverwrittenBeforeItsLastReader) {
  for (const char* name : {"resnet18", "resnet50", "efficientnet_b0", "tf_efficientnet_lite0"}) {
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
