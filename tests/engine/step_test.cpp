// A whole training step on the reference backend in double: fused and plain agree, gradients match finite differences, freezing prunes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/reference/reference.h"
#include "base/random.h"
#include "engine/executable.h"
#include "engine/tiny.h"
#include "nn/init.h"
#include "passes/retype.h"
#include "train/step.h"

namespace fovea {
namespace {

Tensor random_tensor(const std::vector<int64_t>& shape, const std::string& name) {
  Tensor tensor(DType::f64, shape);
  const RandomStream stream(7, name);
  auto values = tensor.mutable_values<double>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = 2 * stream.uniform(i) - 1;
  return tensor;
}

// The parameters moved by `distance` along a random direction.
std::unique_ptr<engine::Executable> compile(const Graph& graph, double distance) {
  auto store = std::make_shared<engine::StateStore>(DType::f64);
  auto executable = engine::Executable::compile(passes::retype(graph, DType::f64), reference::reference_backend(), store,
                                                std::make_shared<engine::Arena>());
  for (const State& state : executable->graph().states()) {
    if (state.role == StateRole::optimizer) continue;
    Tensor value = initialize(state, 1, executable->graph().type(state.value).dtype);
    if (state.role == StateRole::parameter) {
      const Tensor direction = random_tensor({value.size()}, state.name);
      auto values = value.mutable_values<double>();
      for (size_t i = 0; i < values.size(); ++i) values[i] += distance * direction.values<double>()[i];
    }
    store->set(state.name, value);
  }
  executable->prepare();
  return executable;
}

void fill(engine::Executable& executable, int64_t step) {
  executable.write_input("image", random_tensor({4, 3, 24, 24}, "image"));
  const auto labels = executable.input_as<int32_t>("labels");
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(2 * i % 5);
  if (executable.has_input("rate")) executable.input_as<double>("rate")[0] = 0.01;
  if (executable.has_input("step")) executable.input_as<int64_t>("step")[0] = step;
  if (executable.has_input("seed")) executable.input_as<int64_t>("seed")[0] = 3;
}

std::vector<double> losses(const Graph& graph, int steps) {
  const auto executable = compile(graph, 0);
  std::vector<double> result;
  for (int step = 0; step < steps; ++step) {
    fill(*executable, step);
    executable->run();
    result.push_back(executable->output_as<double>("loss")[0]);
  }
  return result;
}

Graph step_of(const ModelGraph& model, const training::StepOptions& options, bool fuse = true) {
  return training::build_step(training::lower_for_training(model, options.frozen), options, {.fuse = fuse});
}

training::StepOptions sgd() {
  training::StepOptions options;
  options.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  options.loss.smoothing = 0.1;
  return options;
}

TEST(Step, FusedAndPlainStepsAgree) {
  for (ActivationKind kind : {ActivationKind::relu, ActivationKind::relu6, ActivationKind::silu, ActivationKind::hard_swish}) {
    for (bool random : {false, true}) {
      const ModelGraph model = tiny_model({.activation = kind, .random = random});
      const Graph plain = step_of(model, sgd(), false), fused = step_of(model, sgd());
      EXPECT_LT(fused.node_count(), plain.node_count());
      const auto expected = losses(plain, 4), found = losses(fused, 4);
      for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12 * expected[i]) << "step " << i;
      EXPECT_TRUE(random || found[3] < found[0]);
    }
  }
}

TEST(Step, GradientsMatchFiniteDifferences) {
  // Along a random direction in the space of all parameters: (f(p + h d) - f(p - h d)) / 2h against the sum of <gradient, d>. Smooth
  // activations only.
  training::StepOptions options = sgd();
  options.gradients_as_outputs = true;
  const Graph step = step_of(tiny_model({.activation = ActivationKind::silu, .random = true}), options);
  const auto executable = compile(step, 0);
  fill(*executable, 0);
  executable->input_as<double>("rate")[0] = 0;
  executable->run();
  double expected = 0;
  int count = 0;
  for (const NamedValue& output : executable->graph().outputs()) {
    if (!output.name.starts_with("grad:")) continue;
    ++count;
    const Tensor gradient = executable->read_output(output.name, DType::f64), direction = random_tensor(gradient.shape(), output.name.substr(5));
    for (size_t i = 0; i < static_cast<size_t>(gradient.size()); ++i)
      expected += gradient.values<double>()[i] * direction.values<double>()[i];
  }
  EXPECT_EQ(count, 28);
  const auto loss_at = [&](double distance) {
    const auto shifted = compile(step, distance);
    fill(*shifted, 0);
    shifted->run();
    return shifted->output_as<double>("loss")[0];
  };
  const double h = 1e-6;
  EXPECT_NEAR((loss_at(h) - loss_at(-h)) / (2 * h), expected, 1e-7 * std::abs(expected));
}

TEST(Step, WhatIsFrozenHasNoGradientAndNoUpdate) {
  const ModelGraph model = tiny_model();
  training::StepOptions options = sgd();
  for (const std::string& name : states_below(model.graph, model.taps[0].value)) {
    if (model.graph.find_state(name)->role == StateRole::parameter) options.frozen.insert(name);
  }
  ASSERT_TRUE(options.frozen.contains("unit1.conv2.weight") && !options.frozen.contains("unit2.conv1.weight"));
  const Graph step = step_of(model, options);
  for (const NodeInfo& node : step.nodes()) EXPECT_THAT(node.name, testing::Not(testing::MatchesRegex("(grad|update):(stem|unit1).*")));
  std::vector<std::string> input_grads;
  for (const NodeInfo& node : step.nodes())
    if (node.op.name() == "conv2d_input_grad") input_grads.push_back(node.name);
  // Not conv1's and not project's: what they read is frozen.
  EXPECT_THAT(input_grads, testing::UnorderedElementsAre("grad:fc", "grad:unit2.conv2", "grad:unit2.expand", "grad:unit2.reduce"));
  for (const State& state : step.states()) {
    const bool frozen = state.name.starts_with("stem") || state.name.starts_with("unit1");
    EXPECT_TRUE(!frozen || !state.next.valid()) << state.name;
  }
  // Its batch norms are folded away.
  for (const NodeInfo& node : step.nodes()) EXPECT_NE(node.op.name(), "batch_norm_inference");
}

}  // namespace
}  // namespace fovea
