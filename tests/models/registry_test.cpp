#include "models/registry.h"

#include <fmt/format.h>
#include <fovea/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/conv2d.h"

namespace fovea {
namespace {

using testing::HasSubstr;

// Runs `body` and returns the message of the usage error that it must throw.
template <class Body>
std::string usage_error(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(Registry, FindsByNameAndByLayout) {
  EXPECT_EQ(models::get("resnet50").name, "resnet50");
  EXPECT_EQ(models::get("torchvision/resnet50").name, "resnet50");
  EXPECT_EQ(models::get("timm/resnet50").name, "timm/resnet50");
  EXPECT_EQ(models::get("timm/resnetv2_50").name, "resnetv2_50");
  EXPECT_EQ(models::find("torchvision/resnetv2_50"), nullptr);
  EXPECT_EQ(models::find("timm/timm/resnet50"), nullptr);
  EXPECT_EQ(models::find("torchvision/torchvision/resnet50"), nullptr);
  EXPECT_EQ(models::find(""), nullptr);
}

TEST(Registry, SuggestsTheNearestNames) {
  const std::string message = usage_error([] { models::get("resnet5"); });
  EXPECT_THAT(message, HasSubstr("'resnet5'"));
  EXPECT_THAT(message, HasSubstr("resnet50"));
  EXPECT_THAT(usage_error([] { models::get("timm/eficientnet_lite0"); }), HasSubstr(": timm/efficientnet_lite0"));
  EXPECT_THAT(usage_error([] { models::get("torchvison/vgg16"); }), HasSubstr(": torchvision/vgg16"));
  EXPECT_THAT(usage_error([] { models::get("vgg-16"); }), HasSubstr(": vgg16"));
  EXPECT_THAT(usage_error([] { models::get("resnext50"); }), HasSubstr(": resnext50_32x4d"));
  EXPECT_THAT(usage_error([] { models::get("DINOv2"); }), HasSubstr(": vit_base_patch14_dinov2, vit_giant_patch14_dinov2"));
  EXPECT_THAT(usage_error([] { models::get("mobilenetv1_100.ra4_e3600_r224_in1k"); }), HasSubstr(": mobilenetv1_100"));
  EXPECT_THAT(usage_error([] { models::get("timm/mobilenet_v2"); }), HasSubstr(": mobilenet_v2"));
}

TEST(Registry, RefusesSizesThatMakeNoSense) {
  const models::Variant& resnet18 = models::get("resnet18");
  EXPECT_EQ(usage_error([&] { models::build(resnet18, {.height = 0}); }), "resnet18 takes pictures of at least 1x1, not 0x224");
  EXPECT_THAT(usage_error([&] { models::build(resnet18, {.batch = 0}); }), HasSubstr("a batch of 0"));
  EXPECT_THAT(usage_error([&] { models::build(resnet18, {.channels = -3}); }), HasSubstr("-3 channels"));
  EXPECT_THAT(usage_error([&] { models::build(resnet18, {.classes = -1}); }), HasSubstr("-1 classes"));
}

TEST(Registry, TheLeastSizeIsEnough) {
  for (const std::string& name : models::names()) {
    const models::Variant& variant = models::get(name);
    const ModelGraph model = models::build(variant, {.height = variant.least_size, .width = variant.least_size});
    EXPECT_EQ(to_string(model.graph.type(model.pre_logits)), fmt::format("f32[1,{},1,1]", variant.feature_width)) << name;
  }
}

// A size that no stride divides still has the strides of the network, not a ratio of sizes.
TEST(Registry, StridesAreTheNetworksOwn) {
  const ModelGraph model = models::build(models::get("resnet18"), {.height = 225, .width = 97});
  std::vector<std::pair<std::string, double>> strides;
  for (const Tap& tap : model.taps) strides.emplace_back(tap.name, tap.stride);
  EXPECT_EQ(strides, (std::vector<std::pair<std::string, double>>{
                         {"relu", 2}, {"maxpool", 4}, {"layer1", 4}, {"layer2", 8}, {"layer3", 16}, {"layer4", 32}}));
}

// The odd zero of SAME goes to the bottom and the right, and depends on the size.
TEST(Registry, TensorFlowNetworksPadAsTensorFlow) {
  const auto stem_padding = [](int64_t height, int64_t width) {
    const ModelGraph model = models::build(models::get("tf_efficientnet_lite0"), {.height = height, .width = width});
    return model.graph.nodes().front().op.as<Conv2d>()->padding;
  };
  EXPECT_EQ(stem_padding(224, 224), (Padding2{0, 1, 0, 1}));
  EXPECT_EQ(stem_padding(225, 224), (Padding2{1, 1, 0, 1}));
}

TEST(Registry, NewHeadsStartAsTheLibrarysDo) {
  const auto head = [](const char* name, int64_t classes) {
    const ModelGraph model = models::build(models::get(name), {.classes = classes});
    const auto states = model.graph.states();
    return std::pair(states[states.size() - 2].init, states.back().init);
  };
  const auto [resnet_weight, resnet_bias] = head("resnet18", 16);
  EXPECT_EQ(resnet_weight.kind, Init::Kind::uniform);
  EXPECT_DOUBLE_EQ(resnet_weight.value, 1 / std::sqrt(512.0));
  EXPECT_EQ(resnet_bias.kind, Init::Kind::uniform);
  EXPECT_DOUBLE_EQ(resnet_bias.value, 1 / std::sqrt(512.0));
  for (const char* name : {"efficientnet_b0", "efficientnet_lite0"}) {
    const auto [weight, bias] = head(name, 16);
    EXPECT_EQ(weight.kind, Init::Kind::uniform) << name;
    EXPECT_DOUBLE_EQ(weight.value, 0.25) << name;
    EXPECT_EQ(bias.kind, Init::Kind::constant) << name;
    EXPECT_EQ(bias.value, 0) << name;
  }
  const auto expect = [&](const char* name, Init::Kind kind, double value) {
    const auto [weight, bias] = head(name, 16);
    EXPECT_EQ(weight.kind, kind) << name;
    EXPECT_EQ(weight.value, value) << name;
    EXPECT_EQ(bias.kind, Init::Kind::constant) << name;
    EXPECT_EQ(bias.value, 0) << name;
  };
  expect("resnetv2_50x1_bit", Init::Kind::normal, 0.01);
  expect("convnext_tiny", Init::Kind::truncated_normal, 0.02);
  expect("convnextv2_atto", Init::Kind::truncated_normal, 0.02);
  expect("vit_b_32", Init::Kind::constant, 0);
  expect("vit_small_patch14_dinov2", Init::Kind::truncated_normal, 0.02);
}

// The last layer of a torchvision transformer starts at 0; were the layer before it to, neither would ever learn.
TEST(Registry, HiddenLayersOfHeadsDoNotStartAtZero) {
  const ModelGraph mlp = models::build(models::get("vit_b_32"), {.head = {.kind = HeadKind::mlp}});
  EXPECT_DOUBLE_EQ(mlp.graph.find_state("heads.head.0.weight")->init.value, 1 / std::sqrt(768.0));
  EXPECT_EQ(mlp.graph.find_state("heads.head.3.weight")->init.value, 0);
  const ModelGraph concat_pool = models::build(models::get("vit_b_32"), {.head = {.kind = HeadKind::concat_pool}});
  EXPECT_DOUBLE_EQ(concat_pool.graph.find_state("heads.head.4.weight")->init.value, 1 / std::sqrt(2 * 768.0));
}

TEST(Registry, TransformersLayersStartAsTheLibrarysDo) {
  const auto start = [](const char* model, const char* state) {
    const ModelGraph graph = models::build(models::get(model), {});
    const Init init = graph.graph.find_state(state)->init;
    return std::pair(init.kind, init.value);
  };
  const auto uniform = [](double bound) { return std::pair(Init::Kind::uniform, bound); };
  EXPECT_EQ(start("vit_b_32", "conv_proj.weight"), std::pair(Init::Kind::truncated_normal, std::sqrt(1.0 / 3072)));
  EXPECT_EQ(start("vit_b_32", "encoder.pos_embedding"), std::pair(Init::Kind::normal, 0.02));
  EXPECT_EQ(start("vit_b_32", "encoder.layers.encoder_layer_0.self_attention.in_proj_weight"), uniform(std::sqrt(6.0 / 3072)));
  EXPECT_EQ(start("vit_b_32", "encoder.layers.encoder_layer_0.self_attention.out_proj.weight"), uniform(1 / std::sqrt(768.0)));
  EXPECT_EQ(start("vit_b_32", "encoder.layers.encoder_layer_0.mlp.3.weight"), uniform(std::sqrt(6.0 / 3840)));
  EXPECT_EQ(start("vit_b_32", "encoder.layers.encoder_layer_0.mlp.3.bias"), std::pair(Init::Kind::normal, 1e-6));
  EXPECT_EQ(start("vit_small_patch14_dinov2", "patch_embed.proj.bias"), uniform(1 / std::sqrt(588.0)));
  EXPECT_EQ(start("vit_small_patch14_dinov2", "blocks.0.attn.qkv.weight"), std::pair(Init::Kind::truncated_normal, 0.02));
  EXPECT_EQ(start("vit_small_patch14_dinov2", "blocks.0.ls1.gamma"), std::pair(Init::Kind::constant, 1e-5));
}

TEST(Registry, LayersStartAsTheLibrarysDo) {
  const auto start = [](const char* model, const char* state) {
    const ModelGraph graph = models::build(models::get(model), {});
    return graph.graph.find_state(state)->init.value;
  };
  // By the inputs, torch.nn.init.kaiming_normal_'s default.
  EXPECT_DOUBLE_EQ(start("densenet121", "features.denseblock1.denselayer2.conv1.weight"), std::sqrt(2.0 / 96));
  EXPECT_DOUBLE_EQ(start("densenet121", "features.denseblock1.denselayer2.conv2.weight"), std::sqrt(2.0 / (128 * 9)));
  EXPECT_DOUBLE_EQ(start("vgg11", "features.3.weight"), std::sqrt(2.0 / (128 * 9)));
  EXPECT_DOUBLE_EQ(start("vgg11", "classifier.0.weight"), 0.01);
  EXPECT_DOUBLE_EQ(start("timm/vgg11", "pre_logits.fc1.weight"), std::sqrt(2.0 / (4096 * 49)));
  EXPECT_DOUBLE_EQ(start("mobilenet_v3_small", "classifier.0.weight"), 0.01);
  EXPECT_DOUBLE_EQ(start("mobilenetv1_100", "blocks.0.0.conv_dw.weight"), std::sqrt(2.0 / 9));
  EXPECT_EQ(start("resnet50", "layer1.0.bn3.weight"), 1);
  EXPECT_EQ(start("timm/resnet50", "layer1.0.bn3.weight"), 0);
  EXPECT_EQ(start("timm/resnet50", "layer1.0.bn2.weight"), 1);
}

// torchvision counts every group's outputs for a depthwise weight's variance, timm one group's.
TEST(Registry, DepthwiseWeightsStartAsTheLibrarysDo) {
  const auto deviation = [](const char* model, const char* state) {
    const ModelGraph graph = models::build(models::get(model), {});
    const Init init = graph.graph.find_state(state)->init;
    EXPECT_EQ(init.kind, Init::Kind::normal);
    return init.value;
  };
  EXPECT_DOUBLE_EQ(deviation("efficientnet_b0", "features.1.0.block.0.0.weight"), std::sqrt(2.0 / (32 * 9)));
  EXPECT_DOUBLE_EQ(deviation("efficientnet_lite0", "blocks.0.0.conv_dw.weight"), std::sqrt(2.0 / 9));
  EXPECT_DOUBLE_EQ(deviation("resnet50", "layer1.0.conv2.weight"), std::sqrt(2.0 / (64 * 9)));
}

}  // namespace
}  // namespace fovea
