// Ten steps of a tiny network, loss by loss as PyTorch has them (tests/data/train/generate.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backends/reference/reference.h"
#include "engine/executable.h"
#include "nn/heads.h"
#include "nn/layers.h"
#include "passes/retype.h"
#include "train/step.h"

namespace fovea::training {
namespace {

constexpr int64_t kBatch = 6, kSize = 12, kClasses = 4;

Tensor wave(const std::vector<int64_t>& shape, double phase, double scale, double shift = 0) {
  Tensor tensor(DType::f64, shape);
  auto values = tensor.mutable_values<double>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = shift + scale * std::sin(1.3 * static_cast<double>(i) + phase);
  return tensor;
}

ModelGraph network() {
  ModelGraph model;
  Scope s(model.graph, model.taps);
  Value x(model.graph, model.graph.input("image", {DType::f32, {kBatch, 3, kSize, kSize}}));
  model.image = x.id();
  x = silu(batch_norm(s["1"], conv2d(s["0"], x, {.out = 8, .kernel = 3, .stride = 2, .padding = 1})));
  x = silu(batch_norm(s["4"], conv2d(s["3"], x, {.out = 16, .kernel = 3, .stride = 2, .padding = 1})));
  model.map = x.id();
  x = global_average_pool(x);
  model.pooled = x.id();
  model.logits = linear(s["8"], x, {.out = kClasses, .weight = constant_init(0), .bias = constant_init(0)}).id();
  return model;
}

std::vector<double> losses(OptimizerOptions::Kind kind) {
  StepOptions options;
  options.optimizer.kind = kind;
  options.optimizer.weight_decay = 0.05;
  options.loss.smoothing = 0.1;
  options.parameter = [](const State& state) { return ParameterOptions{1, state.stored_shape.size() > 1 ? 1.0 : 0.0}; };
  auto store = std::make_shared<engine::StateStore>(DType::f64);
  const auto step = engine::Executable::compile(passes::retype(build_step(lower_for_training(network(), {}), options), DType::f64),
                                                reference::reference_backend(), store, std::make_shared<engine::Arena>());
  const char* const parameters[] = {"0.weight", "1.weight", "1.bias", "3.weight", "4.weight", "4.bias", "8.weight", "8.bias"};
  for (size_t i = 0; i < std::size(parameters); ++i)
    store->set(parameters[i], wave(store->at(parameters[i]).stored_shape, static_cast<double>(i), 0.3, i == 1 || i == 4 ? 1 : 0));
  for (const char* norm : {"1", "4"}) {
    Tensor ones = wave(store->at(std::string(norm) + ".running_var").stored_shape, 0, 0, 1);
    store->set(std::string(norm) + ".running_var", ones);
  }
  step->prepare();
  std::vector<double> result;
  for (int64_t n = 0; n < 10; ++n) {
    step->write_input("image", wave({kBatch, 3, kSize, kSize}, static_cast<double>(10 + n), 1));
    const auto labels = step->input_as<int32_t>("labels");
    for (int64_t i = 0; i < kBatch; ++i) labels[static_cast<size_t>(i)] = static_cast<int32_t>((i * i + n) % kClasses);
    step->input_as<double>("rate")[0] = 0.02 / static_cast<double>(n + 1);
    if (step->has_input("step")) step->input_as<int64_t>("step")[0] = n;
    step->run();
    result.push_back(step->output_as<double>("loss")[0]);
  }
  return result;
}

TEST(Trace, TenStepsAsPyTorchTakesThem) {
  std::ifstream file(FOVEA_TEST_DATA "/train/trace.json");
  const auto answer = nlohmann::json::parse(file);
  for (const auto& [name, kind] : {std::pair("sgd", OptimizerOptions::Kind::sgd), std::pair("adamw", OptimizerOptions::Kind::adamw)}) {
    const auto wanted = answer.at(name).get<std::vector<double>>();
    const auto found = losses(kind);
    ASSERT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-8 * wanted[i]) << name << ", step " << i;
  }
}

}  // namespace
}  // namespace fovea::training
