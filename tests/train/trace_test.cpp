// Fifty steps of a tiny network, loss by loss, and of schedules, as PyTorch and timm have them (tests/data/train/generate.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "backends/reference/reference.h"
#include "base/json_value.h"
#include "engine/executable.h"
#include "nn/heads.h"
#include "nn/layers.h"
#include "passes/retype.h"
#include "train/recipes.h"
#include "train/schedule.h"
#include "train/step.h"
#include "train/step_runner.h"

namespace fovea::training {
namespace {

constexpr int64_t kTraceBatch = 6, kTraceSize = 12, kTraceClasses = 4;

Tensor wave(const std::vector<int64_t>& shape, double phase, double scale, double shift = 0) {
  Tensor tensor(DType::f64, shape);
  auto values = tensor.mutable_values<double>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = shift + scale * std::sin(1.3 * static_cast<double>(i) + phase);
  return tensor;
}

ModelGraph network() {
  ModelGraph model;
  Scope s(model.graph, model.taps, model.positions);
  Value x(model.graph, model.graph.input("image", {DType::f32, {kTraceBatch, 3, kTraceSize, kTraceSize}}));
  model.image = x.id();
  x = silu(batch_norm(s["1"], conv2d(s["0"], x, {.out = 8, .kernel = 3, .stride = 2, .padding = 1})));
  x = silu(batch_norm(s["4"], conv2d(s["3"], x, {.out = 16, .kernel = 3, .stride = 2, .padding = 1})));
  model.map = x.id();
  x = global_average_pool(x);
  model.pooled = x.id();
  model.logits = linear(s["8"], x, {.out = kTraceClasses, .weight = constant_init(0), .bias = constant_init(0)}).id();
  return model;
}

struct Traced {
  std::vector<double> losses;
  std::shared_ptr<engine::StateStore> store;
};

struct Choices {
  OptimizerOptions optimizer = {};
  double rate = 0.02, clip_norm = 0, ema = 0;
  int64_t accumulate = 1;
  LossOptions loss = {.smoothing = 0.1};
};

std::unique_ptr<engine::Executable> compile(const Choices& choices, Gradients gradients, const std::shared_ptr<engine::StateStore>& store,
                                            const std::shared_ptr<engine::Arena>& arena) {
  StepOptions options;
  options.optimizer = choices.optimizer;
  options.optimizer.weight_decay = 0.05;
  options.gradients = gradients;
  options.clip_norm = choices.clip_norm;
  options.loss = choices.loss;
  options.parameter = [](const State& state) { return ParameterOptions{1, state.stored_shape.size() > 1 ? 1.0 : 0.0}; };
  return engine::Executable::compile(passes::retype(build_step(lower_for_training(network(), {}), options), DType::f64),
                                     reference::reference_backend(), store, arena);
}

void start(engine::StateStore& store) {
  const char* const parameters[] = {"0.weight", "1.weight", "1.bias", "3.weight", "4.weight", "4.bias", "8.weight", "8.bias"};
  for (size_t i = 0; i < std::size(parameters); ++i)
    store.set(parameters[i], wave(store.at(parameters[i]).stored_shape, static_cast<double>(i), 0.3, i == 1 || i == 4 ? 1 : 0));
  for (const char* norm : {"1", "4"}) {
    const std::string name = std::string(norm) + ".running_var";
    store.set(name, wave(store.at(name).stored_shape, 0, 0, 1));
  }
}

void write_batch(engine::Executable& step, int64_t n) {
  step.write_input("image", wave({kTraceBatch, 3, kTraceSize, kTraceSize}, static_cast<double>(10 + n), 1));
  const auto label = [&](int64_t i) { return (i * i + n) % kTraceClasses; };
  if (step.has_input("labels"))
    for (int64_t i = 0; i < kTraceBatch; ++i) step.input_as<int32_t>("labels")[static_cast<size_t>(i)] = static_cast<int32_t>(label(i));
  if (step.has_input("targets")) {
    const auto targets = step.input_as<double>("targets");
    std::ranges::fill(targets, 0.0);
    for (int64_t i = 0; i < kTraceBatch; ++i) targets[static_cast<size_t>(i * kTraceClasses + label(i))] = 1;
  }
  if (step.has_input("class_weights")) step.write_input("class_weights", wave({1, kTraceClasses, 1, 1}, 0, 0.5, 1));
}

Traced trace(const Choices& choices) {
  constexpr int64_t kSteps = 50;
  Traced result{{}, std::make_shared<engine::StateStore>(DType::f64)};
  const auto arena = std::make_shared<engine::Arena>();
  const bool accumulates = choices.accumulate > 1;
  const auto step = compile(choices, accumulates ? Gradients::completed : Gradients::applied, result.store, arena);
  const auto part = accumulates ? compile(choices, Gradients::collected, result.store, arena) : nullptr;
  std::unique_ptr<engine::Executable> averaging;
  if (choices.ema > 0)
    averaging = engine::Executable::compile(build_average(step->graph()), reference::reference_backend(), result.store, arena);
  start(*result.store);
  step->prepare();
  if (averaging) {
    averaging->prepare();
    for (const State& state : averaging->graph().states())
      if (state.name.starts_with(kAverage)) result.store->set(state.name, result.store->get(state.name.substr(8)));
  }
  const Batches batches{kTraceBatch * kSteps, kTraceBatch, choices.accumulate};
  for (int64_t n = 0; n < kSteps; ++n) {
    const Group group = batches.group(0, n);
    engine::Executable& now = group.last ? *step : *part;
    if (part && group.first) part->prepare();
    write_batch(now, n);
    if (now.has_input("rate")) now.input_as<double>("rate")[0] = choices.rate / static_cast<double>(group.update + 1);
    for (const char* counter : {"step", "update"})
      if (now.has_input(counter)) now.input_as<int64_t>(counter)[0] = group.update;
    if (now.has_input("keep")) now.input_as<double>("keep")[0] = group.first ? 0 : 1;
    if (now.has_input("scale")) now.input_as<double>("scale")[0] = group.share;
    now.run();
    result.losses.push_back(now.output_as<double>("loss")[0]);
    if (!averaging) continue;
    averaging->input_as<double>("keep")[0] = choices.ema;
    averaging->input_as<double>("scale")[0] = 1 - choices.ema;
    averaging->run();
  }
  return result;
}

nlohmann::json answers() {
  std::ifstream file(FOVEA_TEST_DATA "/train/trace.json");
  return nlohmann::json::parse(file);
}

void expect_near(const std::vector<double>& found, const std::vector<double>& wanted, double ceiling, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size()) << what;
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], ceiling * std::abs(wanted[i])) << what << ", step " << i;
}

TEST(Trace, FiftyStepsAsPyTorchAndTimmTakeThem) {
  using Kind = OptimizerOptions::Kind;
  const OptimizerOptions sgd{.kind = Kind::sgd}, nesterov{.kind = Kind::sgd, .nesterov = true}, adamw,
      rmsprop{.kind = Kind::rmsprop, .rmsprop_eps = 1e-10};
  const std::pair<const char*, Choices> runs[] = {
      {"sgd", {sgd}},
      {"nesterov", {nesterov}},
      {"adamw", {adamw}},
      {"rmsprop", {rmsprop, 0.002}},
      {"adamw clipped", {.optimizer = adamw, .clip_norm = 0.5}},
      {"sgd clipped", {.optimizer = sgd, .clip_norm = 0.1}},
      {"sgd accumulated", {.optimizer = sgd, .accumulate = 3}},
      {"adamw accumulated and clipped", {.optimizer = adamw, .clip_norm = 0.5, .accumulate = 4}},
      {"focal, weighted", {.optimizer = sgd, .loss = {.focal_gamma = 2, .class_weights = true}}},
  };
  const auto wanted = answers();
  for (const auto& [name, choices] : runs) expect_near(trace(choices).losses, wanted.at(name), 1e-7, name);
}

TEST(Trace, AveragedWeightsAsTimmHasThem) {
  const auto wanted = answers().at("adamw averaged");
  const Traced traced = trace({.ema = 0.9});
  expect_near(traced.losses, wanted.at("losses"), 1e-7, "losses");
  for (const char* name : {"8.bias", "1.running_mean"}) {
    const auto values = traced.store->get(std::string(kAverage) + name);
    expect_near({values.values<double>().begin(), values.values<double>().end()}, wanted.at(name), 1e-7, name);
  }
}

TEST(Trace, SchedulesAsTorchHasThem) {
  constexpr int64_t kSteps = 50, kWarmup = 8;
  constexpr double kPeak = 0.4;
  const auto answer = answers();
  for (const auto kind : {RateSchedule::cosine, RateSchedule::step, RateSchedule::constant, RateSchedule::one_cycle}) {
    std::vector<double> rates;
    for (int64_t step = 0; step < kSteps; ++step) rates.push_back(rate_at({kind, kPeak, kWarmup, kSteps}, step));
    expect_near(rates, answer.at("rates").at(to_string(kind)), 1e-12, to_string(kind));
  }
  std::vector<double> rates;
  Plateau plateau;
  for (const double loss : answer.at("validation losses").get<std::vector<double>>()) {
    rates.push_back(rate_at({RateSchedule::plateau, kPeak, 0, kSteps}, static_cast<int64_t>(rates.size())) * plateau.factor);
    plateau.epoch(loss);
  }
  expect_near(rates, answer.at("rates").at("plateau"), 1e-12, "plateau");
}

}  // namespace
}  // namespace fovea::training
