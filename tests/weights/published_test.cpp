// The table of published weights, beside what torchvision says of them (tests/data/weights/torchvision_published.txt).
#include "weights/published.h"

#include <set>

#include "weights/name_map.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

std::optional<double> accuracy(const std::string& word) { return word == "-" ? std::nullopt : std::optional(std::stod(word)); }

std::array<float, 3> three(const std::string& list) {
  std::array<float, 3> values{};
  std::istringstream words(list);
  for (float& value : values) {
    std::string word;
    std::getline(words, word, ',');
    value = std::stof(word);
  }
  return values;
}

TEST(Published, EveryRowIsWhatTorchvisionSays) {
  std::ifstream in(data("torchvision_published.txt"));
  size_t rows = 0;
  for (std::string line; std::getline(in, line); ++rows) {
    SCOPED_TRACE(line);
    std::istringstream words(line);
    std::string model, tag, standing, url, accuracy1, accuracy5, parameters, interpolation, mean, std, use;
    int64_t resize = 0, crop = 0;
    words >> model >> tag >> standing >> url >> accuracy1 >> accuracy5 >> parameters >> resize >> crop >> interpolation >> mean >> std >>
        use;
    ASSERT_FALSE(words.fail());
    const PublishedWeights& row = find_published(model, tag);
    EXPECT_EQ(row.is_default, standing == "default" && model != "mobilenet_v2");  // whose default comes from a Python package
    EXPECT_EQ(row.base_url + row.file, url);
    EXPECT_EQ(row.accuracy1, accuracy(accuracy1));
    EXPECT_EQ(row.accuracy5, accuracy(accuracy5));
    Preprocessing expected;
    expected.resize = resize;
    expected.height = expected.width = crop;
    expected.interpolation = parse_interpolation(interpolation);
    const auto means = three(mean);
    expected.mean.assign(means.begin(), means.end());
    expected.std = row.preprocessing.std;  // which the text has with seven digits
    EXPECT_EQ(row.preprocessing, expected) << to_string(row.preprocessing);
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(row.preprocessing.std[i], three(std)[i], 1e-9);
    EXPECT_EQ(row.non_commercial, use == "non-commercial");
    EXPECT_EQ(row.licence.find("non-commercial use only") != std::string::npos, row.non_commercial);
  }
  EXPECT_EQ(rows, 61u);
  EXPECT_EQ(published_weights().size(), rows + 4 + 786);  // and those of wheels, and timm's
}

TEST(Published, EveryRowIsWhole) {
  std::set<std::string> defaults, keys;
  for (const PublishedWeights& row : published_weights()) {
    EXPECT_TRUE(keys.insert(row.model + " " + row.tag).second) << row.model;
    EXPECT_TRUE(!row.is_default || defaults.insert(row.model).second) << row.model;
    EXPECT_FALSE(row.licence.empty() || row.layout.empty());
    EXPECT_NO_THROW((void)find_name_map(row.name_map));
    EXPECT_GE(row.preprocessing.resize, row.preprocessing.width);
    EXPECT_GT(row.preprocessing.width, 0);
    EXPECT_EQ(row.accuracy1.has_value(), row.accuracy5.has_value());
    EXPECT_EQ(row.sha256.find_first_not_of("0123456789abcdef"), std::string::npos);
    if (row.layout == "timm" && row.origin != Origin::pip) {  // the hub tells the digest with the file
      EXPECT_EQ(row.origin == Origin::hub, row.repository.starts_with("timm/")) << row.repository;
      continue;
    }
    EXPECT_GE(row.sha256.size(), 8u);
    // Most publishers put the digest's first digits last in the name.
    if (row.model != "mobilenet_v2" || row.classes > 0) {
      EXPECT_CONTAINS(row.file, "-" + row.sha256.substr(0, 8) + ".pth");
    }
  }
  for (const PublishedWeights& row : published_weights()) EXPECT_TRUE(defaults.count(row.model)) << row.model;
}

// Of timm 1.0.31: create_transform(**resolve_data_config(cfg)) of a few sets that are unlike one another.
TEST(Published, RowsOfTimm) {
  const PublishedWeights& plain = find_published("timm/resnet50");
  EXPECT_EQ(plain.tag, "a1_in1k");
  EXPECT_EQ(plain.repository, "timm/resnet50.a1_in1k");
  EXPECT_EQ(plain.file, "model.safetensors");
  EXPECT_EQ(to_string(plain.preprocessing),
            "fit=crop|resize=235|size=224x224|interpolation=bicubic|alpha=white|mean=0.485,0.456,0.406|std=0.229,0.224,0.225");
  EXPECT_EQ(plain.accuracy1, 80.382);
  EXPECT_EQ(plain.licence, "apache-2.0");
  const PublishedWeights& half = find_published("vit_base_patch16_224");
  EXPECT_EQ(half.tag, "augreg2_in21k_ft_in1k");
  EXPECT_EQ(to_string(half.preprocessing),
            "fit=crop|resize=248|size=224x224|interpolation=bicubic|alpha=white|mean=0.5,0.5,0.5|std=0.5,0.5,0.5");
  const PublishedWeights& clip = find_published("vit_base_patch32_clip_quickgelu_224", "openai");
  EXPECT_EQ(clip.repository, "timm/vit_base_patch32_clip_224.openai");
  EXPECT_EQ(clip.classes, 512);
  EXPECT_EQ(clip.preprocessing.mean[0], 0.48145466f);
  EXPECT_EQ(find_published("tf_efficientnetv2_b3", "in21k_ft_in1k").preprocessing.fit, Fit::squash_crop);
  EXPECT_EQ(find_published("tf_efficientnetv2_s", "in21k_ft_in1k").preprocessing.fit, Fit::crop);
  EXPECT_EQ(find_published("tf_efficientnetv2_l", "in21k_ft_in1k").preprocessing.fit, Fit::squash);
  EXPECT_EQ(find_published("vit_small_patch14_dinov2").classes, 0);
  const PublishedWeights& restricted = find_published("timm/resnet18", "fb_swsl_ig1b_ft_in1k");
  EXPECT_TRUE(restricted.non_commercial);
  EXPECT_EQ(restricted.licence, "cc-by-nc-4.0: non-commercial use only");
  const PublishedWeights& elsewhere = find_published("vit_huge_patch14_gap_224", "in1k_ijepa");
  EXPECT_EQ(elsewhere.origin, Origin::web);
  EXPECT_EQ(elsewhere.file, "IN1K-vit.h.14-300e.pth.tar");
  EXPECT_EQ(elsewhere.base_url, "https://dl.fbaipublicfiles.com/ijepa/");
  EXPECT_EQ(find_published("tf_efficientnet_lite0").origin, Origin::pip) << "what was the default stays it";
  int restricted_rows = 0;
  std::set<std::string> architectures;
  for (const PublishedWeights& row : published_weights()) {
    restricted_rows += row.non_commercial;
    if (row.layout == "timm") architectures.insert(row.model);
  }
  EXPECT_EQ(restricted_rows, 6 + 70 + 3 + 1);
  EXPECT_EQ(architectures.size(), 388u);
}

TEST(Published, LooksUpByModelAndTag) {
  EXPECT_EQ(find_published("resnet50").tag, "IMAGENET1K_V2");
  const PublishedWeights& first = find_published("resnet50", "IMAGENET1K_V1");
  EXPECT_EQ(first.file, "resnet50-0676ba61.pth");
  EXPECT_EQ(first.preprocessing.resize, 256);
  EXPECT_EQ(find_published("efficientnet_v2_l").preprocessing.mean[0], 0.5f);
  EXPECT_EQ(find_published("efficientnet_b1", "IMAGENET1K_V1").preprocessing.width, 240);
  EXPECT_EQ(find_published("efficientnet_b1", "IMAGENET1K_V1").preprocessing.interpolation, Interpolation::bicubic);
  EXPECT_EQ(find_published("vit_h_14").preprocessing.height, 518);
  EXPECT_EQ(find_published("vit_b_16").preprocessing.height, 224);
  EXPECT_EQ(find_published("vgg16", "IMAGENET1K_FEATURES").without, std::vector<std::string>{"classifier."});
  EXPECT_TRUE(find_published("vgg16").without.empty());
  EXPECT_EQ(look_up_published("resnet51"), nullptr);
  EXPECT_CONTAINS(message_of([] { (void)find_published("resnet50", "V9"); }),
                  "resnet50 has no weights 'V9'; there are IMAGENET1K_V1, IMAGENET1K_V2");
  EXPECT_CONTAINS(message_of([] { (void)find_published("resnet51"); }),
                  "no weights are published for 'resnet51'; the nearest names that have some: resnet50, resnet101, resnet152");
}

}  // namespace
}  // namespace fovea::weights
