// What fovea::summary says of stages, beside PyTorch's own numbers.
#include <fovea/inspect.h>
#include <gtest/gtest.h>

#include <set>

#include "api/activations.h"
#include "models/registry.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "train/step.h"

namespace fovea {
namespace {

Summary summary_at(const std::string& name, int64_t size) {
  SummaryOptions options;
  options.height = options.width = size;
  return summary(name, options);
}

TEST(Summary, StagesAddUp) {
  for (const char* name : {"resnet18", "mobilenet_v3_small", "deit_tiny_patch16_224", "convnextv2_atto", "vit_small_patch14_dinov2"}) {
    const Summary result = summary_at(name, 112);
    int64_t parameters = 0, multiply_adds = 0, training = 0, inference = 0;
    for (const StageSummary& stage : result.stages) {
      parameters += stage.parameters;
      multiply_adds += stage.multiply_adds;
      training += stage.training_bytes;
      inference = std::max(inference, stage.inference_bytes);
      EXPECT_GT(stage.inference_bytes, 0) << name << " " << stage.name;
    }
    EXPECT_EQ(parameters, result.parameters) << name;
    EXPECT_EQ(multiply_adds, result.multiply_adds) << name;
    EXPECT_EQ(training, result.training_bytes) << name;
    EXPECT_EQ(inference, result.inference_bytes) << name;
    // The plan holds at least that.
    EXPECT_LE(inference, result.memory.inference) << name;
    EXPECT_LE(training, result.memory.training) << name;
  }
}

TEST(Summary, LayersBetweenTheLastMapAndTheHeadHaveTheirRow) {
  const Summary result = summary_at("mobilenet_v3_small", 64);
  const size_t last = result.stages.size() - 1;
  EXPECT_EQ(result.stages[last].name, "classifier.3");
  EXPECT_EQ(result.stages[last].parameters, 1024 * 1000 + 1000);
  EXPECT_EQ(result.stages[last - 1].name, "classifier.0");
  EXPECT_EQ(result.stages[last - 1].parameters, 576 * 1024 + 1024);
  EXPECT_EQ(result.stages[last - 2].name, "pooling");
  EXPECT_EQ(result.stages[last - 2].shape, std::vector<int64_t>{576});
}

TEST(Summary, TokensAreTheirGrid) {
  const Summary result = summary_at("deit_tiny_patch16_224", 224);
  EXPECT_EQ(result.stages[3].shape, (std::vector<int64_t>{192, 14, 14}));
  EXPECT_EQ(result.stages[3].stride, 16);
  EXPECT_TRUE(result.stages[3].field.whole);
  EXPECT_EQ(result.stages.back().shape, std::vector<int64_t>{1000});
}

// A step holds what the weight gradients read (the inputs of convolutions and linear layers), what the norms' gradients read (their inputs,
// mean and deviation, per channel), the results of additions with a ReLU behind, and where each pool's maximum was. Bytes of these tensors
// of torchvision's networks at 64 x 64, counted by hooks in PyTorch.
int64_t held_without_recomputation(const std::string& name) {
  BuildOptions options;
  options.height = options.width = 64;
  options.batch = 2;
  const ModelGraph model = models::build(models::get(name), options);
  Graph graph = model.graph;
  graph.output(stage_output(0), model.logits);
  graph.output("logits", model.logits);
  const Graph step = training::build_step(passes::lower_mode(graph, {true, {}}), {}, {.fuse = true, .recompute = {.share = 0}});
  return held_for_training(step, 1)[0];
}

TEST(Summary, TrainingHoldsWhatTheBackwardReads) {
  EXPECT_EQ(held_without_recomputation("resnet18"), 2 * (1419264 + 65536) + 38400);  // tensors, indices, statistics
  EXPECT_EQ(held_without_recomputation("resnet50"), 2 * (6627328 + 65536) + 212480);
  EXPECT_EQ(held_without_recomputation("vgg11"), 2 * (3131392 + 499712));  // without norms ReLU's results are held too, the pools' inputs
}

TEST(Summary, WhatIsMadeAgainIsNotHeld) {
  EXPECT_LT(summary_at("resnet18", 64).training_bytes, 1419264 + 65536 + 38400);
  EXPECT_LT(summary_at("resnet50", 64).training_bytes, 6627328 + 65536 + 212480);
}

TEST(Summary, WhatIsFrozenHoldsNothing) {
  SummaryOptions options;
  options.height = options.width = 64;
  options.freeze = "layer2";
  const Summary result = summary("resnet18", options);
  for (const StageSummary& stage : result.stages) {
    const bool frozen = stage.name == "relu" || stage.name == "maxpool" || stage.name == "layer1";
    if (frozen) {
      EXPECT_EQ(stage.training_bytes, 0) << stage.name;
    }
    if (stage.name == "layer2") {
      EXPECT_EQ(stage.training_bytes, 128 * 8 * 8 * 4);  // its result, which layer3 reads
    }
    if (stage.name == "layer3") {
      EXPECT_GT(stage.training_bytes, 0);
    }
  }
}

// The stem's convolution reads the picture and writes 64 maps of half its size; they are written over by nothing else.
TEST(Summary, InferenceHoldsWhatIsStillNeeded) {
  const Summary result = summary_at("resnet18", 64);
  EXPECT_EQ(result.stages[0].inference_bytes, (3 * 64 * 64 + 64 * 32 * 32) * 4);
  // The pool's input and result.
  EXPECT_EQ(result.stages[1].inference_bytes, (64 * 32 * 32 + 64 * 16 * 16) * 4);
}

TEST(Summary, NodesHaveNamesOfTheirOwn) {
  const Summary result = summary_at("deit_tiny_patch16_224", 64);
  std::set<std::string> names;
  for (const NodeSummary& node : result.nodes) EXPECT_TRUE(names.insert(node.name).second) << node.name;
  EXPECT_TRUE(names.contains("blocks.0.attn.qkv"));
}

TEST(Compare, GivesEachItsOwnNumbers) {
  CompareOptions options;
  options.seconds = 0;
  options.height = options.width = 64;
  const std::vector<Comparison> two = compare({"resnet18", "mobilenet_v3_small"}, options);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].parameters, 11689512);  // torchvision's
  EXPECT_EQ(two[1].parameters, 2542856);
  EXPECT_EQ(two[0].feature_width, 512);
  EXPECT_EQ(two[0].field.height, 435);
  EXPECT_EQ(two[0].runs, 0);
  EXPECT_NEAR(two[0].accuracy1.value_or(0), 69.758, 1e-4);  // torchvision's table
  options.seconds = 0.05;
  const std::vector<Comparison> timed = compare({"mobilenet_v3_small", "mobilenet_v3_small"}, options);
  EXPECT_EQ(timed[0].runs, timed[1].runs);
  EXPECT_GE(timed[0].runs, 3);
  EXPECT_GT(timed[0].least_milliseconds, 0);
  EXPECT_LE(timed[0].least_milliseconds, timed[0].median_milliseconds);
}

}  // namespace
}  // namespace fovea
