#include "explain/receptive_field.h"

#include <gtest/gtest.h>

#include "models/registry.h"

namespace fovea::explain {
namespace {

ReceptiveField field_of(const std::string& name, const std::string& tap, int64_t size = 224) {
  BuildOptions options;
  options.height = options.width = size;
  const ModelGraph model = models::build(models::get(name), options);
  const auto fields = receptive_fields(model.graph, model.image);
  for (const Tap& one : model.taps)
    if (one.name == tap) return fields[one.value.index];
  ADD_FAILURE() << name << " has no tap " << tap;
  return {};
}

struct Known {
  const char *name, *tap;
  int64_t pixels;
};

// Araujo et al. 2019 have 212 for VGG-16, 315 for MobileNet and 483 for a ResNet-50 whose strides sit at the end of each stage;
// torchvision's, which begin them, come to 427. All of these, DenseNet's and ConvNeXt's are counted by hand with the article's formula:
// ConvNeXt 4 + 3 6 4 = 76, + 4 + 3 6 8 = 224, + 8 + 9 6 16 = 1096, + 16 + 3 6 32 = 1688.
TEST(ReceptiveField, IsThatOfTheLiterature) {
  for (const Known& known : {Known{"vgg16", "features.30", 212}, Known{"vgg16", "features.29", 196}, Known{"resnet18", "layer4", 435},
                             Known{"resnet50", "maxpool", 11}, Known{"resnet50", "layer1", 35}, Known{"resnet50", "layer4", 427},
                             Known{"densenet121", "features.denseblock4", 2071}, Known{"convnext_tiny", "features.7", 1688}}) {
    const ReceptiveField field = field_of(known.name, known.tap);
    EXPECT_EQ(field.height, known.pixels) << known.name << " " << known.tap;
    EXPECT_EQ(field.width, known.pixels) << known.name << " " << known.tap;
    EXPECT_FALSE(field.whole) << known.name << " " << known.tap;
    // It is the network's, whatever the picture's size.
    EXPECT_EQ(field_of(known.name, known.tap, 256).height, known.pixels) << known.name << " " << known.tap;
  }
}

TEST(ReceptiveField, OfMobileNet) {
  BuildOptions options;
  const ModelGraph model = models::build(models::get("mobilenetv1_100"), options);
  EXPECT_EQ(receptive_fields(model.graph, model.image)[model.map.index].height, 315);
}

// Through a mean over the map, attention or the statistics of a group a place learns of the whole picture.
TEST(ReceptiveField, IsWholeAfterGatesAttentionAndGroupStatistics) {
  EXPECT_FALSE(field_of("mobilenet_v3_large", "features.3").whole);  // its first gate stands in block 4
  EXPECT_TRUE(field_of("mobilenet_v3_large", "features.4").whole);
  EXPECT_EQ(field_of("mobilenet_v3_large", "features.4").height, 35);
  EXPECT_FALSE(field_of("vit_b_16", "conv_proj").whole);
  EXPECT_TRUE(field_of("vit_b_16", "encoder.layers.encoder_layer_0").whole);
  EXPECT_EQ(field_of("vit_b_16", "encoder.layers.encoder_layer_11").height, 16);
  EXPECT_TRUE(field_of("resnetv2_50x1_bit", "stages.0").whole);
  EXPECT_TRUE(field_of("convnextv2_atto", "stages.0").whole);
  EXPECT_FALSE(field_of("convnextv2_atto", "stem").whole);
}

TEST(ReceptiveField, AVectorHasNoWindowOfItsOwn) {
  for (const char* name : {"resnet18", "vgg11", "vit_b_32", "mobilenet_v3_small"}) {
    const ModelGraph model = models::build(models::get(name), BuildOptions{});
    for (const ValueId vector : {model.pre_logits, model.logits}) {
      const ReceptiveField field = receptive_fields(model.graph, model.image)[vector.index];
      EXPECT_EQ(field.height, 0) << name;
      EXPECT_TRUE(field.whole) << name;
    }
  }
}

TEST(ReceptiveField, WithOtherKernels) {
  const ModelGraph model = models::build(models::get("resnet18"), BuildOptions{});
  // 1 + 6 in the stem, + 2 * 2 in the pool, and nothing after it.
  const auto fields = receptive_fields(model.graph, model.image, [](const NodeInfo& node, Size2 kernel) {
    return node.name == "conv1" ? kernel : Size2{1, 1};
  });
  EXPECT_EQ(fields[model.map.index].height, 11);
}

}  // namespace
}  // namespace fovea::explain
