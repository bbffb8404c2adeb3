// What is computed again changes no bit of what a step makes, and makes its memory smaller.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "backends/cpu/cpu.h"
#include "base/random.h"
#include "engine/executable.h"
#include "engine/tiny.h"
#include "models/registry.h"
#include "nn/init.h"
#include "passes/plan_memory.h"
#include "train/step.h"

namespace fovea {
namespace {

Graph step_of(const ModelGraph& model, passes::RecomputeOptions recompute) {
  recompute.device = &cpu::cpu_backend().traits();
  training::StepOptions options;
  options.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  return training::build_step(training::lower_for_training(model, {}), options, {.fuse = true, .recompute = recompute});
}

size_t planned(const Graph& graph) { return passes::planned_bytes(graph, cpu::cpu_backend().traits()); }

// All states, as their bits, after a few steps; and the losses.
std::vector<uint32_t> bits_after(Graph graph, int64_t classes) {
  auto store = std::make_shared<engine::StateStore>();
  const auto executable = engine::Executable::compile(std::move(graph), cpu::cpu_backend(), store, std::make_shared<engine::Arena>());
  for (const State& state : executable->graph().states())
    if (state.role != StateRole::optimizer) store->set(state.name, initialize(state, 1, executable->graph().type(state.value).dtype));
  executable->prepare();
  std::vector<uint32_t> bits;
  for (int64_t step = 0; step < 3; ++step) {
    const RandomStream stream(7, "image " + std::to_string(step));
    const auto image = executable->input_as<float>("image");
    for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(2 * stream.uniform(i) - 1);
    const auto labels = executable->input_as<int32_t>("labels");
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(static_cast<int64_t>(2 * i) % classes);
    executable->input_as<float>("rate")[0] = 0.01f;
    if (executable->has_input("step")) executable->input_as<int64_t>("step")[0] = step;
    if (executable->has_input("seed")) executable->input_as<int64_t>("seed")[0] = 3;
    executable->run();
    bits.push_back(std::bit_cast<uint32_t>(executable->output_as<float>("loss")[0]));
  }
  for (const auto& [name, entry] : store->entries()) {
    if (entry.type.dtype != DType::f32) continue;
    for (float value : entry.memory.values<float>()) bits.push_back(std::bit_cast<uint32_t>(value));
  }
  return bits;
}

void expect_same_bits(const ModelGraph& model, int64_t classes) {
  const Graph plain = step_of(model, {.share = 0});
  const size_t most = planned(plain);
  const std::vector<uint32_t> wanted = bits_after(plain, classes);
  size_t before = most;
  // What is cheap; what fits into less; the least there is, for which convolutions run twice.
  for (const passes::RecomputeOptions& options :
       {passes::RecomputeOptions{.share = 1}, passes::RecomputeOptions{.share = 0, .arena_bytes = most * 3 / 4},
        passes::RecomputeOptions{.share = 0, .arena_bytes = 0}}) {
    const Graph graph = step_of(model, options);
    const size_t bytes = planned(graph);
    SCOPED_TRACE(bytes);
    EXPECT_GT(graph.node_count(), plain.node_count());
    EXPECT_LT(bytes, most);
    if (options.arena_bytes == 0) {
      EXPECT_LE(bytes, before);
    }
    before = std::min(before, bytes);
    EXPECT_TRUE(bits_after(graph, classes) == wanted);
  }
}

TEST(Recompute, ChangesNoBitOfANetworkWithEverything) {
  for (ActivationKind kind : {ActivationKind::relu, ActivationKind::silu})
    expect_same_bits(tiny_model({.batch = 8, .size = 64, .activation = kind, .random = true}), 5);
}

TEST(Recompute, NothingWhereTheDeviceIsNotKnown) {
  const ModelGraph model = tiny_model({.batch = 8, .size = 64});
  training::StepOptions options;
  options.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  const Graph graph = training::build_step(training::lower_for_training(model, {}), options, {.recompute = {.share = 1, .arena_bytes = 0}});
  for (const NodeInfo& node : graph.nodes()) EXPECT_FALSE(node.name.starts_with("again:")) << node.name;
}

TEST(Recompute, OnlyAsMuchAsIsEnough) {
  const ModelGraph model = tiny_model({.batch = 8, .size = 64});
  const auto copies = [&](const passes::RecomputeOptions& options) {
    const Graph graph = step_of(model, options);
    return std::ranges::count_if(graph.nodes(), [](const NodeInfo& node) { return node.name.starts_with("again:"); });
  };
  const size_t most = planned(step_of(model, {.share = 0}));
  EXPECT_EQ(copies({.share = 0, .arena_bytes = most}), 0);
  EXPECT_GT(copies({.share = 0, .arena_bytes = most - 1}), 0);
  EXPECT_LT(copies({.share = 0, .arena_bytes = most - 1}), copies({.share = 1}));
  EXPECT_GT(copies({.share = 0, .arena_bytes = 0}), copies({.share = 1}));
}

TEST(Recompute, ChangesNoBitOfWhatEachFamilyHasSlow) {
  for (const char* name : {"densenet121", "convnext_tiny", "deit_tiny_patch16_224"}) {
    SCOPED_TRACE(name);
    BuildOptions build;
    build.batch = 2;
    build.height = build.width = std::string(name).starts_with("deit") ? 224 : 64;
    expect_same_bits(models::build(models::get(name), build), 1000);
  }
}

}  // namespace
}  // namespace fovea
