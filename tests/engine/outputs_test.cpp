#include <gtest/gtest.h>

#include <algorithm>

#include "engine/session.h"
#include "models/registry.h"
#include "ops/attention.h"
#include "ops/conv2d.h"

namespace fovea {
namespace {

int64_t convolutions(const Graph& graph) {
  return std::ranges::count_if(graph.nodes(), [](const NodeInfo& node) { return node.op.as<Conv2d>() || node.op.as<FusedConv2d>(); });
}

int64_t attentions(const Graph& graph) {
  return std::ranges::count_if(graph.nodes(), [](const NodeInfo& node) { return node.op.as<Attention>() != nullptr; });
}

// Whoever asks for an early layer pays for no later one.
TEST(Outputs, RunOnlyWhatTheyNeed) {
  const ModelGraph resnet = models::build(models::get("resnet18"), {.height = 64, .width = 64});
  EXPECT_EQ(convolutions(engine::inference_graph(resnet, {"logits"})), 21);  // 17, 3 projections and the head
  EXPECT_EQ(convolutions(engine::inference_graph(resnet, {"pooled"})), 20);
  EXPECT_EQ(convolutions(engine::inference_graph(resnet, {"layer1"})), 5);
  EXPECT_EQ(convolutions(engine::inference_graph(resnet, {"layer1.0.conv1"})), 2);
  EXPECT_EQ(convolutions(engine::inference_graph(resnet, {"layer1.0.conv1", "layer1"})), 5);
  const ModelGraph deit = models::build(models::get("deit_tiny_patch16_224"), {});
  EXPECT_EQ(attentions(engine::inference_graph(deit, {"logits"})), 12);
  EXPECT_EQ(attentions(engine::inference_graph(deit, {"blocks.2"})), 3);
  EXPECT_EQ(attentions(engine::inference_graph(deit, {"patch_embed"})), 0);
  const ModelGraph vgg = models::build(models::get("vgg11"), {});
  EXPECT_EQ(convolutions(engine::inference_graph(vgg, {"pooled"})), 8);  // none of the fully connected layers
}

}  // namespace
}  // namespace fovea
