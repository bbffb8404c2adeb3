#include <fovea/fovea.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cpu/cpu.h"
#include "saliency/color_map.h"
#include "saliency/heat_maps.h"

namespace fovea {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Model load(const std::string& name, Fit fit = Fit::crop) {
  LoadOptions options;
  options.weights = "none";
  Model model = Model::load(name, options);
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = 64;
  preprocessing.width = 96;
  preprocessing.resize = 64;
  preprocessing.fit = fit;
  model.set_preprocessing(preprocessing);
  // The libraries start some heads as zero: no class depends on anything then.
  std::map<std::string, Tensor> state = model.state_dict();
  for (auto& [key, tensor] : state) {
    if (tensor.dtype() != DType::f32 || tensor.shape().size() != 2 || tensor.shape()[0] != 1000) continue;
    tensor = tensor.clone();
    const auto values = tensor.mutable_values<float>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = 0.05f * std::sin(static_cast<float>(i));
  }
  model.load_state_dict(state);
  return model;
}

Image picture(int64_t width, int64_t height) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>((i * i / 7 + i / 50) % 256);
  return image;
}

std::string message_of(const Model& model, const HeatMapOptions& options) {
  try {
    heat_map(model, picture(80, 60), options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "nothing was thrown";
}

class EveryFamily : public testing::TestWithParam<const char*> {};

// The map by itself, and of the first, a middle and the last tap; the model answers as before.
TEST_P(EveryFamily, ShowsWhereItLooked) {
  const Model model = load(GetParam());
  const Image image = picture(120, 80);
  const auto before = model.predict(image, 3);
  const HeatMap map = heat_map(model, image);
  EXPECT_THAT(map.heat.shape(), ElementsAre(80, 120));
  // By their probability: of made-up weights some tell classes apart by less than rounding.
  EXPECT_NEAR(map.explained.probability, before[0].probability, 1e-5);
  for (float value : map.heat.values<float>()) ASSERT_TRUE(value >= 0 && value <= 1) << value;

  const int64_t other = before[1].index;
  const std::vector<TapInfo> taps = model.taps();
  for (const TapInfo& tap : {taps.front(), taps[taps.size() / 2], taps.back()}) {
    const HeatMap one = heat_map(model, image, {HeatMethod::grad_cam, tap.name, before[1].name});
    EXPECT_EQ(one.tap, tap.name);
    EXPECT_EQ(one.explained.index, other);
    EXPECT_THAT(one.map.shape(), ElementsAre(tap.shape[1], tap.shape[2])) << tap.name;
    for (float value : one.map.values<float>()) ASSERT_TRUE(std::isfinite(value) && value >= 0) << tap.name;
  }
  const auto after = model.predict(image, 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(before[i].probability, after[i].probability);
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryFamily,
                         testing::Values("resnet18", "resnetv2_18", "mobilenet_v3_small", "tf_efficientnet_lite0", "densenet121",
                                         "convnextv2_atto", "deit_tiny_patch16_224"));
INSTANTIATE_TEST_SUITE_P(Slow, EveryFamily, testing::Values("vgg11", "efficientnet_b0", "vit_b_32", "mobilenetv1_100"));

// Of a mean and a linear head Grad-CAM before the ReLU adds up to the logit: here (1 + 3 + 5) / 3 * 0.5 + (2 + 4 + 6) / 3 * 0.25.
TEST(GradCam, AddsUpToTheLogitOfALinearHead) {
  const std::vector<float> map{1, 2, 3, 4, 5, 6}, weights{0.5f, 0.25f};  // 3 positions of 2 channels
  std::vector<float> gradient;
  for (int p = 0; p < 3; ++p)
    for (float weight : weights) gradient.push_back(weight / 3);
  const std::vector<float> sums = saliency::weighted_sum(map, gradient, 2);
  EXPECT_THAT(sums, ElementsAre(testing::FloatEq(1.0f / 3), testing::FloatEq(2.5f / 3), testing::FloatEq(4.0f / 3)));
  EXPECT_THAT(saliency::weighted_sum(map, std::vector<float>(6, -1.0f), 2), ElementsAre(0, 0, 0));
}

TEST(Rollout, FollowsTheClassTokenOrAllTokens) {
  // Two layers of three tokens. The second takes the class token's information from token 1 alone, the first token 1's from token 2 alone.
  const std::vector<float> first{1, 0, 0, 0, 0, 1, 0, 0, 1}, second{0, 1, 0, 0, 1, 0, 0, 0, 1};
  EXPECT_THAT(saliency::roll_out({first, second}, 3, 1), ElementsAre(0.25f, 0.25f));
  const auto all = saliency::roll_out({first, second}, 3, 0);
  EXPECT_THAT(all, ElementsAre(testing::FloatEq(0.5f / 3), testing::FloatEq(0.75f / 3), testing::FloatEq(1.75f / 3)));
}

// A grid of one hot cell: where it comes to lie under each fit.
TEST(OnPicture, UndoesWhatFitDid) {
  saliency::Grid grid{4, 4, std::vector<float>(16)};
  grid.values[5] = 2;  // second row, second column: the input's pixels 16 to 31
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = 64;
  preprocessing.resize = 64;
  const auto hottest = [&](Fit fit, int64_t height, int64_t width) {
    preprocessing.fit = fit;
    const Tensor heat = saliency::on_picture(grid, height, width, preprocessing);
    const auto values = heat.values<float>();
    double y = 0, x = 0, sum = 0;
    for (int64_t i = 0; i < heat.size(); ++i) {
      const double value = values[static_cast<size_t>(i)];
      y += value * (static_cast<double>(i / width) + 0.5), x += value * (static_cast<double>(i % width) + 0.5), sum += value;
    }
    EXPECT_GT(*std::ranges::max_element(values), 0.9f);
    return std::pair{std::lround(y / sum), std::lround(x / sum)};
  };
  EXPECT_EQ(hottest(Fit::squash, 64, 64), (std::pair{24L, 24L}));
  EXPECT_EQ(hottest(Fit::squash, 128, 64), (std::pair{48L, 24L}));
  EXPECT_EQ(hottest(Fit::crop, 64, 128), (std::pair{24L, 56L}));    // 32 columns cut off on the left
  EXPECT_EQ(hottest(Fit::crop, 128, 256), (std::pair{48L, 112L}));  // the same, twice as large
  EXPECT_EQ(hottest(Fit::pad, 48, 64), (std::pair{16L, 24L}));      // 8 rows of padding above
  EXPECT_EQ(hottest(Fit::pad, 64, 48), (std::pair{24L, 16L}));

  // What was cut off was not looked at.
  preprocessing.fit = Fit::crop;
  std::ranges::fill(grid.values, 1.0f);
  const Tensor cropped = saliency::on_picture(grid, 64, 128, preprocessing);
  for (int64_t x = 0; x < 128; ++x) EXPECT_EQ(cropped.values<float>()[static_cast<size_t>(x)], x >= 32 && x < 96 ? 1 : 0) << x;
  // Nothing speaks for the class.
  std::ranges::fill(grid.values, 0.0f);
  const Tensor nothing = saliency::on_picture(grid, 10, 10, preprocessing);
  for (float value : nothing.values<float>()) EXPECT_EQ(value, 0);
}

TEST(HeatMap, RefusesWhatIsNotThere) {
  Model model = load("resnet18");
  model.replace_head({"cat", "cattle", "dog"});
  EXPECT_THAT(message_of(model, {.class_name = "cap"}), HasSubstr("resnet18 has no class 'cap'; the nearest of its 3: cat"));
  EXPECT_THAT(message_of(model, {.tap = "layer9"}), HasSubstr("no output 'layer9'"));
  EXPECT_THAT(message_of(model, {.tap = "pooled"}), HasSubstr("pooled is a vector"));
  EXPECT_THAT(message_of(model, {.tap = "fc"}), HasSubstr("fc is a vector"));
  EXPECT_THAT(message_of(model, {.method = HeatMethod::rollout}), HasSubstr("resnet18 has no attention"));
  const Model vit = load("deit_tiny_patch16_224");
  EXPECT_THAT(message_of(vit, {.method = HeatMethod::rollout, .tap = "blocks.3"}), HasSubstr("blocks.3 is a tap for Grad-CAM"));
  EXPECT_THROW(parse_heat_method("gradcam++"), Error);
}

TEST(HeatMap, OfANetworkWithoutAHead) {
  LoadOptions options;
  options.weights = "none";
  Model model = Model::load("vit_small_patch14_dinov2", options);
  Preprocessing small = model.preprocessing();
  small.height = small.width = 56;
  model.set_preprocessing(small);
  const HeatMap map = heat_map(model, picture(50, 50));
  EXPECT_EQ(map.method, HeatMethod::rollout);
  EXPECT_EQ(map.explained.index, -1);
  EXPECT_THAT(map.map.shape(), ElementsAre(4, 4));
  EXPECT_THAT(message_of(model, {.method = HeatMethod::grad_cam}), HasSubstr("has no head"));
}

TEST(Viridis, HasThePublishedColours) {
  // matplotlib's viridis at 0, 64, 128, 200 and 255 of 255, in 8 bits.
  const std::pair<int, std::array<int, 3>> published[] = {
      {0, {68, 1, 84}}, {64, {59, 82, 139}}, {128, {33, 145, 140}}, {200, {112, 207, 87}}, {255, {253, 231, 37}}};
  for (const auto& [level, colour] : published)
    for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(saliency::viridis(static_cast<float>(level) / 255)[c], colour[c], 1) << level;
  EXPECT_EQ(saliency::viridis(-1), saliency::viridis(0));
  EXPECT_EQ(saliency::viridis(2), saliency::viridis(1));
}

// White stays white where the network did not look.
TEST(Overlay, BlendsAndRefusesAnotherSize) {
  Tensor heat(DType::f32, {2, 1});
  heat.mutable_values<float>()[1] = 1;
  const Image mixed = overlay({1, 2, {0, 0, 0, 255, 255, 255}}, heat);
  EXPECT_THAT(mixed.pixels, ElementsAre(0, 0, 0, 254, 241, 124));
  EXPECT_THROW(overlay({2, 1, {0, 0, 0, 255, 255, 255}}, heat), Error);
}

}  // namespace
}  // namespace fovea
