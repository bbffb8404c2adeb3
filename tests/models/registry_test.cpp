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
  EXPECT_EQ(models::find("timm/resnet50"), nullptr);
  EXPECT_EQ(models::find("torchvision/torchvision/resnet50"), nullptr);
  EXPECT_EQ(models::find(""), nullptr);
}

TEST(Registry, SuggestsTheNearestNames) {
  const std::string message = usage_error([] { models::get("resnet5"); });
  EXPECT_THAT(message, HasSubstr("'resnet5'"));
  EXPECT_THAT(message, HasSubstr("resnet50"));
  EXPECT_THAT(usage_error([] { models::get("timm/eficientnet_lite0"); }), HasSubstr("efficientnet_lite0"));
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
    EXPECT_EQ(to_string(model.graph.type(model.pooled)), fmt::format("f32[1,{},1,1]", variant.feature_width)) << name;
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
