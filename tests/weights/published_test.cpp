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
    EXPECT_EQ(row.is_default, standing == "default");
    EXPECT_EQ(row.base_url + row.file, url);
    EXPECT_EQ(row.accuracy1, accuracy(accuracy1));
    EXPECT_EQ(row.accuracy5, accuracy(accuracy5));
    Preprocessing expected;
    expected.resize = resize;
    expected.height = expected.width = crop;
    expected.interpolation = parse_interpolation(interpolation);
    expected.mean = three(mean);
    expected.std = row.preprocessing.std;  // which the text has with seven digits
    EXPECT_EQ(row.preprocessing, expected) << to_string(row.preprocessing);
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(row.preprocessing.std[i], three(std)[i], 1e-9);
    EXPECT_EQ(row.non_commercial, use == "non-commercial");
    EXPECT_EQ(row.licence.find("non-commercial use only") != std::string::npos, row.non_commercial);
  }
  EXPECT_EQ(rows, 61u);
  EXPECT_EQ(published_weights().size(), rows + 1);  // and EfficientNet-Lite0
}

TEST(Published, EveryRowIsWhole) {
  std::set<std::string> defaults, keys;
  for (const PublishedWeights& row : published_weights()) {
    EXPECT_TRUE(keys.insert(row.model + " " + row.tag).second) << row.model;
    EXPECT_TRUE(!row.is_default || defaults.insert(row.model).second) << row.model;
    EXPECT_GE(row.sha256.size(), 8u);
    EXPECT_EQ(row.sha256.find_first_not_of("0123456789abcdef"), std::string::npos);
    // The publisher puts the digest's first digits last in the name.
    EXPECT_CONTAINS(row.file, "-" + row.sha256.substr(0, 8) + ".pth");
    EXPECT_FALSE(row.licence.empty() || row.layout.empty());
    EXPECT_NO_THROW((void)find_name_map(row.name_map));
    EXPECT_GE(row.preprocessing.resize, row.preprocessing.width);
  }
  for (const PublishedWeights& row : published_weights()) EXPECT_TRUE(defaults.count(row.model)) << row.model;
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
