// What every family must do alike, on one small network of each: features by name, other heads, other channels and sizes, files.
#include <fmt/format.h>
#include <fovea/fovea.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "weights/read_weights.h"
#include "weights/safetensors.h"

namespace fovea {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct Encoder {
  const char* name;
  const char* head;           // the path of its linear head
  const char* layer;          // any layer that is no tap
  int64_t pooled = 0;         // channels of the last map
  bool standardized = false;  // its convolutions standardize their weights
};

std::string test_name(const testing::TestParamInfo<Encoder>& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '/', '_');
  return name;
}

Model load(const std::string& name, int64_t height = 64, int64_t width = 96, int64_t channels = 0) {
  LoadOptions options;
  options.weights = "none";
  options.channels = channels;
  Model model = Model::load(name, options);
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = height;
  preprocessing.width = width;
  preprocessing.resize = std::min(height, width);
  model.set_preprocessing(preprocessing);
  return model;
}

Tensor pictures(int64_t count, int64_t channels, int64_t height, int64_t width) {
  Tensor tensor(DType::f32, {count, channels, height, width});
  const auto values = tensor.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.37f * static_cast<float>(i % 7919));
  return tensor;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  double largest = 0;
  for (size_t i = 0; i < a.values<float>().size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a.values<float>()[i]) - static_cast<double>(b.values<float>()[i])));
  return largest;
}

class EveryFamily : public testing::TestWithParam<Encoder> {};

TEST_P(EveryFamily, GivesWhatComesBehindItsLastMap) {
  const Model model = load(GetParam().name);
  const auto features = model.features(pictures(2, 3, 64, 96), {"last_map", "pooled", "pre_logits", "logits"});
  for (const char* vector : {"pooled", "pre_logits", "logits"})
    EXPECT_LE(largest_difference(model.behind_last_map(features.at("last_map"), vector), features.at(vector)), 1e-4) << vector;
  EXPECT_THROW(model.behind_last_map(Tensor(DType::f32, {2, 3, 4, 4})), Error);
}

// The map of every tap has the shape that was announced before anything ran; vectors and any layer come by name.
TEST_P(EveryFamily, GivesFeaturesByName) {
  const Model model = load(GetParam().name);
  std::vector<std::string> names{"pooled", "pre_logits", "logits", GetParam().layer};
  const std::vector<TapInfo> taps = model.taps();
  for (const TapInfo& tap : taps) {
    names.push_back(tap.name);
    if (tap.tokens > 0) names.push_back(tap.name + ":tokens");
    if (tap.class_token) names.push_back(tap.name + ":class_token");
  }
  const auto features = model.features(pictures(2, 3, 64, 96), names);
  EXPECT_THAT(features.at("pooled").shape(), ElementsAre(2, GetParam().pooled));
  EXPECT_THAT(features.at("pre_logits").shape(), ElementsAre(2, model.feature_width()));
  EXPECT_THAT(features.at("logits").shape(), ElementsAre(2, 1000));
  for (const TapInfo& tap : taps) {
    const Tensor& map = features.at(tap.name);
    ASSERT_THAT(map.shape(), ElementsAre(2, tap.shape[0], tap.shape[1], tap.shape[2])) << tap.name;
    EXPECT_EQ(tap.channels, tap.shape[0]);
    EXPECT_EQ(tap.shape[1], static_cast<int64_t>(std::ceil(64 / tap.stride))) << tap.name;
    EXPECT_EQ(tap.shape[2], static_cast<int64_t>(std::ceil(96 / tap.stride))) << tap.name;
    if (tap.tokens == 0) continue;
    const Tensor& tokens = features.at(tap.name + ":tokens");
    ASSERT_THAT(tokens.shape(), ElementsAre(2, tap.tokens, tap.channels));
    // The grid's second row, first column, of the second picture.
    const int64_t prefix = tap.class_token ? 1 : 0, places = tap.shape[1] * tap.shape[2], place = tap.shape[2];
    ASSERT_EQ(tap.tokens, prefix + places);
    for (int64_t c = 0; c < tap.channels; ++c)
      ASSERT_EQ(map.values<float>()[static_cast<size_t>((tap.channels + c) * places + place)],
                tokens.values<float>()[static_cast<size_t>((tap.tokens + prefix + place) * tap.channels + c)]);
    if (tap.class_token) {
      const Tensor& token = features.at(tap.name + ":class_token");
      ASSERT_THAT(token.shape(), ElementsAre(2, tap.channels));
      EXPECT_TRUE(std::equal(token.values<float>().begin(), token.values<float>().begin() + tap.channels, tokens.values<float>().begin()));
    }
  }
  // Alone, so that only its part of the network runs: the same numbers.
  const std::string first = taps.front().name;
  EXPECT_LE(largest_difference(model.features(pictures(2, 3, 64, 96), {first}).at(first), features.at(first)), 1e-4);
}

TEST_P(EveryFamily, TakesOtherHeads) {
  Model model = load(GetParam().name);
  const std::string head = GetParam().head;
  const int64_t width = model.feature_width();
  const Tensor images = pictures(1, 3, 64, 96);

  model.replace_head(7);
  auto state = model.state_dict();
  EXPECT_EQ(state.at(head + ".weight").shape()[0], 7);
  EXPECT_THAT(state.at(head + ".bias").shape(), ElementsAre(7));
  EXPECT_THAT(model.logits(images).shape(), ElementsAre(1, 7));

  model.replace_head(7, 0, {.kind = HeadKind::mlp, .hidden = 20});
  state = model.state_dict();
  EXPECT_EQ(state.count(head + ".weight"), 0u);
  EXPECT_EQ(state.at(head + ".0.weight").shape()[0], 20);
  EXPECT_EQ(state.at(head + ".0.weight").shape()[1], width);
  EXPECT_EQ(state.at(head + ".3.weight").shape()[1], 20);
  EXPECT_THAT(model.logits(images).shape(), ElementsAre(1, 7));

  model.replace_head(5, 0, {.kind = HeadKind::concat_pool, .hidden = 20});
  state = model.state_dict();
  EXPECT_THAT(state.at(head + ".2.running_mean").shape(), ElementsAre(2 * GetParam().pooled));
  EXPECT_THAT(state.at(head + ".4.weight").shape(), ElementsAre(20, 2 * GetParam().pooled));
  EXPECT_EQ(state.at(head + ".8.weight").shape()[0], 5);
  EXPECT_THAT(model.logits(images).shape(), ElementsAre(1, 5));
}

TEST_P(EveryFamily, TakesOtherChannels) {
  const std::string file = testing::TempDir() + "fovea-families.safetensors";
  const Model three = load(GetParam().name, 64, 64);
  three.save(file);
  const auto weights = three.state_dict();
  // Grey pictures in three equal channels, and in one: the same, since the weights are summed.
  const Tensor grey = pictures(1, 1, 64, 64);
  Tensor repeated(DType::f32, {1, 3, 64, 64});
  for (size_t i = 0; i < 3; ++i)
    std::copy(grey.values<float>().begin(), grey.values<float>().end(),
              repeated.mutable_values<float>().begin() + static_cast<long>(i) * 64 * 64);
  Model one = load(GetParam().name, 64, 64, 1);
  one.load_state_dict(weights);
  const Tensor expected = three.embed(repeated);
  double size = 0;
  for (float value : expected.values<float>()) size = std::max(size, std::abs(static_cast<double>(value)));
  // The standardized sum of weights is another one than the sum of standardized weights, in timm too.
  if (GetParam().standardized) {
    EXPECT_THAT(one.embed(grey).shape(), ElementsAre(1, one.feature_width()));
  } else {
    EXPECT_LE(largest_difference(one.embed(grey), expected), 1e-4 * size);
  }
  Model four = load(GetParam().name, 64, 64, 4);
  four.load_state_dict(weights);
  EXPECT_THAT(four.embed(pictures(2, 4, 64, 64)).shape(), ElementsAre(2, four.feature_width()));
  std::filesystem::remove(file);
}

TEST_P(EveryFamily, ComesBackFromItsFile) {
  const std::string file = testing::TempDir() + "fovea-families.safetensors";
  Model model = load(GetParam().name, 64, 64);
  model.replace_head({"cat", "dog"}, 3, {.kind = HeadKind::mlp, .hidden = 16});
  model.save(file);
  const Model again = Model::load(file);
  EXPECT_EQ(again.name(), model.name());
  EXPECT_EQ(again.head(), model.head());
  EXPECT_THAT(again.classes(), ElementsAre("cat", "dog"));
  const Tensor images = pictures(1, 3, 64, 64);
  EXPECT_EQ(largest_difference(again.logits(images), model.logits(images)), 0);
  std::filesystem::remove(file);
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryFamily,
                         testing::Values(Encoder{"resnet18", "fc", "layer2.0.conv1", 512},
                                         Encoder{"resnetv2_18", "head.fc", "stages.1.blocks.0.conv1", 512},
                                         Encoder{"mobilenetv1_100", "classifier", "blocks.1.0.conv_dw", 1024},
                                         Encoder{"mobilenet_v3_small", "classifier.3", "features.3.block.1.0", 576},
                                         Encoder{"efficientnet_b0", "classifier.1", "features.3.0.block.1.0", 1280},
                                         Encoder{"tf_efficientnet_lite0", "classifier", "blocks.1.0.conv_dw", 1280},
                                         Encoder{"mnasnet_small", "classifier", "blocks.1.0.conv_dw", 1280},
                                         Encoder{"mobilenetv3_small_050", "classifier", "blocks.1.0.conv_dw", 288},
                                         Encoder{"densenet121", "classifier", "features.denseblock2.denselayer3.conv2", 1024},
                                         Encoder{"convnextv2_atto", "head.fc", "stages.1.blocks.0.conv_dw", 320},
                                         Encoder{"deit_tiny_patch16_224", "head", "blocks.3.attn.qkv", 192}),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Slow, EveryFamily,
                         testing::Values(Encoder{"resnetv2_50x1_bit", "head.fc", "stages.1.blocks.0.conv1", 2048, true},
                                         Encoder{"vgg11", "classifier.6", "classifier.3", 512},
                                         Encoder{"convnext_tiny", "classifier.2", "features.3.0.block.0", 768},
                                         Encoder{"vit_b_32", "heads.head", "encoder.layers.encoder_layer_3.mlp.0", 768}),
                         test_name);

TEST(Heads, KeepWhatTheyKnow) {
  Model model = load("resnet18", 64, 64);
  model.replace_head({"cat", "dog", "bird"}, 1, {.kind = HeadKind::mlp, .hidden = 3});  // as many as classes: no layer is taken for another
  const auto before = model.state_dict();
  model.replace_head({"fish", "dog", "mouse"}, 2, {.kind = HeadKind::mlp, .hidden = 3});
  const auto after = model.state_dict();
  const auto row = [](const Tensor& tensor, size_t i) {
    const auto values = tensor.values<float>();
    const size_t width = values.size() / 3;
    return std::vector<float>(values.begin() + static_cast<long>(i * width), values.begin() + static_cast<long>((i + 1) * width));
  };
  for (const char* name : {"fc.0.weight", "fc.0.bias"})
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(row(after.at(name), i), row(before.at(name), i)) << name;
  for (const char* name : {"fc.3.weight", "fc.3.bias"}) {
    EXPECT_EQ(row(after.at(name), 1), row(before.at(name), 1)) << name;
    EXPECT_NE(row(after.at(name), 0), row(before.at(name), 0)) << name;
  }
  // Nothing is known to a head of another kind, or by numbers.
  model.replace_head({"dog", "cat", "bird"}, 3);
  const auto linear = model.state_dict();
  model.replace_head(3, 4);
  EXPECT_NE(row(model.state_dict().at("fc.weight"), 0), row(linear.at("fc.weight"), 0));
}

TEST(Outputs, HaveNamesAndErrorsThatHelp) {
  const Model model = load("resnet18", 64, 64);
  const Tensor images = pictures(1, 3, 64, 64);
  const auto features = model.features(images, {"layer1.0", "layer1.0.bn1", "layer1.0.bn1:relu", "layer1.0.bn2:add"});
  const auto& norm = features.at("layer1.0.bn1");
  const auto& activated = features.at("layer1.0.bn1:relu");
  for (size_t i = 0; i < norm.values<float>().size(); ++i)
    ASSERT_EQ(activated.values<float>()[i], std::max(0.0f, norm.values<float>()[i])) << i;
  const auto& sum = features.at("layer1.0.bn2:add");
  const auto& block = features.at("layer1.0");
  for (size_t i = 0; i < sum.values<float>().size(); ++i) ASSERT_EQ(block.values<float>()[i], std::max(0.0f, sum.values<float>()[i])) << i;
  try {
    model.features(images, {"layer1.0.conv3"});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("layer1.0.conv3"));
    EXPECT_THAT(error.what(), HasSubstr("layer1.0.conv1"));
  }
  try {
    model.features(images, {"logit"});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the nearest: logits"));
  }
}

TEST(Outputs, NetworksWithoutAHeadGiveFeaturesAndTakeAHead) {
  Model model = load("vit_small_patch14_dinov2", 70, 56);
  EXPECT_TRUE(model.classes().empty());
  EXPECT_THAT(model.embed(pictures(1, 3, 70, 56)).shape(), ElementsAre(1, 384));
  try {
    model.logits(pictures(1, 3, 70, 56));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("logits"));
  }
  model.replace_head(3);
  EXPECT_THAT(model.logits(pictures(1, 3, 70, 56)).shape(), ElementsAre(1, 3));
}

// The same names and shapes in timm's file, another padding in the network that it is of.
TEST(Weights, OfGooglesEfficientNetV2AreNotTorchvisions) {
  const std::string file = testing::TempDir() + "fovea-tf-v2.safetensors";
  weights::StateDict tensors;
  for (const auto& [name, tensor] : load("tf_efficientnetv2_s", 64, 64).state_dict()) tensors.add(name, tensor);
  weights::write_safetensors(file, tensors);
  LoadOptions options;
  options.weights = file;
  EXPECT_EQ(Model::load("tf_efficientnetv2_s", options).preprocessing().height, 300);
  try {
    Model::load("efficientnet_v2_s", options);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::mismatch);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("they are of tf_efficientnetv2_s, not of efficientnet_v2_s"), HasSubstr(file)));
  }
  std::filesystem::remove(file);
}

// A file of position embeddings of another size makes a network of that size, so that they are resized once, if at all.
TEST(Sizes, PositionEmbeddingsOfAFileAreKept) {
  const std::string file = testing::TempDir() + "fovea-positions.safetensors";
  auto state = load("deit_tiny_patch16_224", 64, 64).state_dict();
  ASSERT_THAT(state.at("pos_embed").shape(), ElementsAre(1, 197, 192));
  Tensor table(DType::f32, {1, 1 + 6 * 6, 192});
  for (size_t i = 0; i < table.values<float>().size(); ++i) table.mutable_values<float>()[i] = std::cos(0.7f * static_cast<float>(i));
  state.at("pos_embed") = table;
  weights::StateDict tensors;
  for (const auto& [name, tensor] : state) tensors.add(name, tensor);
  weights::write_safetensors(file, tensors);

  LoadOptions options;
  options.weights = file;
  const Model model = Model::load("deit_tiny_patch16_224", options);
  EXPECT_EQ(model.preprocessing().height, 96);
  EXPECT_EQ(model.preprocessing().width, 96);
  EXPECT_EQ(model.preprocessing().resize, 106);  // 248 of 224
  EXPECT_TRUE(model.loaded().reshaped.empty());
  const Tensor kept = model.state_dict().at("pos_embed");
  ASSERT_EQ(kept.shape(), table.shape());
  EXPECT_TRUE(std::ranges::equal(kept.values<float>(), table.values<float>()));

  const std::string converted = testing::TempDir() + "fovea-positions-converted.safetensors";
  convert_weights(file, converted, "deit_tiny_patch16_224");
  for (const weights::NamedTensor& named : weights::read_weights(converted)) {
    if (named.name == "pos_embed") {
      EXPECT_EQ(named.tensor.shape(), table.shape());
    }
  }
  std::filesystem::remove(file);
  std::filesystem::remove(converted);
}

TEST(Sizes, ThatAreNoMultipleOfThePatchAreRefused) {
  Model model = load("deit_tiny_patch16_224", 64, 64);
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.width = 100;
  try {
    model.set_preprocessing(preprocessing);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("multiples of 16, not 64x100"));
  }
}

}  // namespace
}  // namespace fovea
