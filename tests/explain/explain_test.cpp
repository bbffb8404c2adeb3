#include "explain/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace fovea::explain {
namespace {

using testing::ElementsAre;

struct Explained {
  std::vector<Explanation> topics;

  const Explanation* find(const std::string& topic) const {
    for (const Explanation& one : topics)
      if (one.topic == topic) return &one;
    return nullptr;
  }
  const Explanation& get(const std::string& topic) const {
    static const Explanation none;
    EXPECT_NE(find(topic), nullptr) << topic;
    return find(topic) ? *find(topic) : none;
  }
};

Explained explained(const std::string& name, int64_t height = 224, int64_t width = 224) {
  const models::Variant& variant = models::get(name);
  BuildOptions options;
  options.height = height;
  options.width = width;
  options.classes = variant.classes;
  const ModelGraph model = models::build(variant, options);
  return {explain(Subject(model, variant))};
}

double fact(const Explanation& explanation, const std::string& key) {
  for (const Fact& one : explanation.facts)
    if (one.key == key) return one.value;
  ADD_FAILURE() << explanation.topic << " has no " << key;
  return 0;
}

double value(const Explanation& explanation, const ExplanationRow& row, const std::string& key) {
  for (size_t c = 0; c < explanation.columns.size(); ++c)
    if (explanation.columns[c].key == key) return row.values.at(c);
  ADD_FAILURE() << explanation.topic << " has no column " << key;
  return 0;
}

std::vector<double> column(const Explanation& explanation, const std::string& key) {
  std::vector<double> values;
  for (const ExplanationRow& row : explanation.rows) values.push_back(value(explanation, row, key));
  return values;
}

// Howard et al. 2017, arXiv:1704.04861, table 4: 569 million multiply-adds and 4.2 million parameters, with full convolutions 4866
// and 29.3.
TEST(DepthwiseSeparable, MobileNetAgainstItsPaper) {
  const Explained network = explained("mobilenetv1_100");
  const Explanation& topic = network.get("depthwise_separable");
  EXPECT_EQ(topic.rows.size(), 13U);
  EXPECT_NEAR(fact(topic, "network_multiply_adds") / 1e6, 569, 0.5);
  EXPECT_NEAR(fact(topic, "network_parameters") / 1e6, 4.2, 0.05);
  EXPECT_NEAR(fact(topic, "standard_network_multiply_adds") / 1e6 - 1.024, 4866, 0.5);
  EXPECT_NEAR(fact(topic, "standard_network_parameters") / 1e6, 29.3, 0.05);
}

TEST(DepthwiseSeparable, CostsWhatTheFormulaSays) {
  // Pairs: MobileNetV2 has 17 blocks, EfficientNet-B0 16, ConvNeXt tiny 18 (there the wider pointwise convolution follows), each with one.
  for (const auto& [name, pairs] : {std::pair{"mobilenet_v2", 17},
                                    {"efficientnet_b0", 16},
                                    {"convnext_tiny", 18},
                                    {"tf_efficientnet_lite0", 16},
                                    {"mobilenet_v3_large", 15}}) {
    const Explained network = explained(name, 224, 160);
    const Explanation& topic = network.get("depthwise_separable");
    EXPECT_EQ(topic.rows.size(), static_cast<size_t>(pairs)) << name;
    for (const ExplanationRow& row : topic.rows) {
      const double kernel = value(topic, row, "kernel"), out = value(topic, row, "out");
      EXPECT_NEAR(value(topic, row, "separable_multiply_adds") / value(topic, row, "standard_multiply_adds"),
                  1 / out + 1 / (kernel * kernel), 1e-12)
          << name << " " << row.name;
    }
  }
  EXPECT_EQ(explained("resnext50_32x4d").find("depthwise_separable"), nullptr);  // groups of more than one channel
}

TEST(Patches, AreCountedAtAnySize) {
  const Explained square = explained("vit_b_16"), wide = explained("vit_b_16", 224, 320);
  EXPECT_EQ(fact(square.get("patches"), "patches"), 196);
  EXPECT_EQ(fact(square.get("patches"), "tokens"), 197);
  EXPECT_THAT(square.get("patches").text, testing::HasSubstr("(224/16)(224/16) = 14 x 14 = 196"));
  EXPECT_EQ(fact(wide.get("patches"), "patches"), 14 * 20);
  // 12 layers of Q K^T and P V with 768 channels.
  EXPECT_EQ(fact(wide.get("patches"), "attention_multiply_adds"), 12.0 * 2 * 281 * 281 * 768);
  EXPECT_EQ(fact(explained("vit_b_32").get("patches"), "tokens"), 50);
  EXPECT_EQ(fact(explained("vit_small_patch14_dinov2", 518, 518).get("patches"), "patches"), 37 * 37);
  EXPECT_EQ(fact(explained("convnext_tiny").get("patches"), "patches"), 56 * 56);  // a stem of 4x4 every 4 pixels
  EXPECT_EQ(explained("resnet18").find("patches"), nullptr);
}

// Huang et al. 2016, arXiv:1608.06993, table 1.
TEST(DenseBlocks, AreThoseOfTheTable) {
  const Explained network = explained("densenet121");
  const Explanation& topic = network.get("dense_blocks");
  EXPECT_EQ(topic.rows[0].name, "features.denseblock1");
  EXPECT_THAT(column(topic, "layers"), ElementsAre(6, 12, 24, 16));
  EXPECT_THAT(column(topic, "in"), ElementsAre(64, 128, 256, 512));
  EXPECT_THAT(column(topic, "out"), ElementsAre(256, 512, 1024, 1024));
  EXPECT_EQ(fact(topic, "growth_rate"), 32);
  EXPECT_EQ(fact(topic, "compression"), 0.5);
  const Explained wide = explained("densenet161");
  EXPECT_THAT(column(wide.get("dense_blocks"), "growth"), ElementsAre(48, 48, 48, 48));
  EXPECT_THAT(column(wide.get("dense_blocks"), "out"), ElementsAre(384, 768, 2112, 2208));
  EXPECT_EQ(explained("resnet18").find("dense_blocks"), nullptr);
}

TEST(Concatenation, CostsWhatTheFormulaSays) {
  const Explained network = explained("densenet121");
  const Explanation &topic = network.get("concatenation"), &blocks = network.get("dense_blocks");
  for (size_t i = 0; i < topic.rows.size(); ++i) {
    const double layers = value(blocks, blocks.rows[i], "layers"), in = value(blocks, blocks.rows[i], "in");
    EXPECT_NEAR(value(topic, topic.rows[i], "ratio"), 1 + 32 * (layers + 1) / (2 * in), 1e-12);
  }
  // 64 + 32, ..., 64 + 6 * 32 channels of 56 x 56 floats.
  EXPECT_EQ(value(topic, topic.rows[0], "concatenated_bytes"), (6 * 64 + 32 * 21) * 56 * 56 * 4);
}

// Parameters of torchvision's "downsample" modules, summed in PyTorch.
TEST(Shortcuts, AreCountedWithTheirParameters) {
  struct Known {
    const char* name;
    int64_t identities, projections, parameters;
  };
  for (const Known& known : {Known{"resnet18", 5, 3, 173824}, Known{"resnet50", 12, 4, 2776576}, Known{"mobilenet_v2", 10, 0, 0},
                             Known{"efficientnet_b0", 9, 0, 0}, Known{"convnext_tiny", 18, 0, 0}, Known{"vit_b_16", 24, 0, 0}}) {
    const Explained network = explained(known.name);
    const Explanation& topic = network.get("shortcuts");
    EXPECT_EQ(fact(topic, "identities"), known.identities) << known.name;
    EXPECT_EQ(fact(topic, "projections"), known.projections) << known.name;
    EXPECT_EQ(fact(topic, "parameters"), known.parameters) << known.name;
  }
  for (const char* name : {"vgg16", "densenet121", "mobilenetv1_100"}) EXPECT_EQ(explained(name).find("shortcuts"), nullptr) << name;
}

TEST(CompoundScaling, AgainstTheBaseline) {
  const Explained large = explained("efficientnet_b7", 600, 600);
  const Explanation& topic = large.get("compound_scaling");
  EXPECT_THAT(column(topic, "baseline"), ElementsAre(16, 320, 224, testing::_));  // table 1 of the paper
  EXPECT_THAT(column(topic, "own"), ElementsAre(55, 640, 600, testing::_));
  // Table 2 there: 37 G against 0.39 G.
  EXPECT_NEAR(column(topic, "ratio").back(), 37 / 0.39, 3);
  EXPECT_NEAR(fact(topic, "phi"), 7, 0.1);
  const Explained same = explained("efficientnet_b0");
  EXPECT_EQ(fact(same.get("compound_scaling"), "phi"), 0);
  const Explained timm = explained("tf_efficientnet_lite4", 300, 300);
  EXPECT_THAT(column(timm.get("compound_scaling"), "own"), ElementsAre(30, 448, 300, testing::_));  // 1, 4, 4, 6, 6, 8, 1 blocks
  EXPECT_EQ(explained("resnet50").find("compound_scaling"), nullptr);
}

// Liu et al. 2022, arXiv:2201.03545: 3, 3, 9, 3 blocks of 96, 192, 384, 768 channels.
TEST(LargeKernels, OfConvNeXt) {
  const Explained network = explained("convnext_tiny");
  const Explanation& topic = network.get("large_kernels");
  ASSERT_EQ(topic.rows.size(), 1U);
  const int64_t channels = 3 * 96 + 3 * 192 + 9 * 384 + 3 * 768;
  EXPECT_EQ(value(topic, topic.rows[0], "layers"), 18);
  EXPECT_EQ(value(topic, topic.rows[0], "parameters"), 49 * channels);
  EXPECT_EQ(value(topic, topic.rows[0], "parameters_at_3"), 9 * channels);
  EXPECT_EQ(fact(topic, "receptive_field"), 1688);
  EXPECT_EQ(explained("mobilenet_v2").find("large_kernels"), nullptr);
  const Explained second = explained("convnextv2_tiny");
  EXPECT_EQ(fact(second.get("response_norm"), "parameters"), 2 * 4 * channels);  // gamma and beta on the wide side
  EXPECT_EQ(network.find("response_norm"), nullptr);
}

// Simonyan and Zisserman 2014, arXiv:1409.1556, section 2.3: 27 C^2 against 49 C^2.
TEST(StackedKernels, OfVgg) {
  const Explained network = explained("vgg16");
  const Explanation& topic = network.get("stacked_kernels");
  EXPECT_THAT(column(topic, "layers"), ElementsAre(2, 2, 3, 3, 3));
  EXPECT_THAT(column(topic, "kernel"), ElementsAre(5, 5, 7, 7, 7));
  EXPECT_EQ(value(topic, topic.rows.back(), "parameters"), 27 * 512 * 512);
  EXPECT_EQ(value(topic, topic.rows.back(), "single_parameters"), 49 * 512 * 512);
  EXPECT_EQ(value(topic, topic.rows.back(), "single_multiply_adds"), 49.0 * 512 * 512 * 14 * 14);
  EXPECT_EQ(explained("resnet18").find("stacked_kernels"), nullptr);
}

TEST(FullyConnected, OfVggAndMobileNetV3) {
  const Explained network = explained("vgg16");
  const Explanation& topic = network.get("fully_connected");
  EXPECT_THAT(column(topic, "in"), ElementsAre(25088, 4096, 4096));
  EXPECT_THAT(column(topic, "parameters"), ElementsAre(102764544, 16781312, 4097000));
  EXPECT_NEAR(fact(topic, "share"), 123642856.0 / 138357544.0, 1e-12);
  EXPECT_THAT(column(explained("mobilenet_v3_large").get("fully_connected"), "in"), ElementsAre(960, 1280));
  EXPECT_EQ(explained("resnet50").find("fully_connected"), nullptr);
}

// Every network explains itself: whatever is told has a value for each column.
TEST(Explanations, AreWholeForEveryNetwork) {
  for (const std::string& name : models::names()) {
    const Explained network = explained(name);
    EXPECT_FALSE(network.topics.empty()) << name;
    for (const Explanation& topic : network.topics) {
      EXPECT_FALSE(topic.title.empty() || topic.formula.empty() || topic.text.empty()) << name << " " << topic.topic;
      for (const ExplanationRow& row : topic.rows) {
        EXPECT_FALSE(row.name.empty()) << name << " " << topic.topic;
        EXPECT_EQ(row.values.size(), topic.columns.size()) << name << " " << topic.topic;
      }
      for (const Fact& one : topic.facts) EXPECT_TRUE(std::isfinite(one.value)) << name << " " << topic.topic << " " << one.key;
    }
  }
}

}  // namespace
}  // namespace fovea::explain
