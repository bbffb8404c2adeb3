// The default network against timm on real photographs.
#include <fovea/fovea.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/json_value.h"

namespace fovea {
namespace {

bool required(const char* name) {
  const char* value = std::getenv(name);
  return value && std::string(value) == "1";
}

bool is_cached(const std::string& model) {
  const auto weights = find_weights(model);
  return weights && weights->cached;
}

TEST(Photographs, AreSeenAsTimmSeesThem) {
  if (!is_cached("tf_efficientnet_lite0")) {
    if (required("FOVEA_REQUIRE_WEIGHTS")) FAIL() << "the default weights are not in the cache";
    GTEST_SKIP() << "the default weights are not in the cache; scripts/get_default_weights.sh gets them";
  }
  const Model model = Model::load("tf_efficientnet_lite0");
  const std::string folder = std::string(FOVEA_TEST_DATA) + "/api/";
  std::ifstream answers(folder + "photographs.json");
  for (const nlohmann::json& answer : nlohmann::json::parse(answers)) {
    const auto best = model.predict(folder + answer.at("file").get<std::string>(), 1).front();
    EXPECT_EQ(best.index, answer.at("index").get<int64_t>()) << answer;
    EXPECT_NEAR(best.probability, answer.at("probability").get<double>(), 0.001) << answer;
  }
  EXPECT_EQ(model.predict(folder + "coffee.webp", 1).front().name, "espresso");

  // Maps with 8 bits of mantissa change no answer, and probabilities by little.
  LoadOptions half;
  half.dtype = "bf16";
  const Model narrow = Model::load("tf_efficientnet_lite0", half);
  EXPECT_EQ(narrow.dtype(), narrow.loaded().precision_note.empty() ? "bf16" : "f32");
  std::ifstream again(folder + "photographs.json");
  for (const nlohmann::json& answer : nlohmann::json::parse(again)) {
    const auto best = narrow.predict(folder + answer.at("file").get<std::string>(), 1).front();
    EXPECT_EQ(best.index, answer.at("index").get<int64_t>()) << answer;
    EXPECT_NEAR(best.probability, answer.at("probability").get<double>(), 0.05) << answer;
  }
}

// Twenty pictures with their labels, beside timm (tests/data/api/generate_imagenet.py): the accuracy of what people download.
TEST(Photographs, OfImageNetAreRightAsOftenAsTimmIs) {
  const std::string folder = std::string(FOVEA_SOURCE_DIR) + "/build/imagenet/";
  if (!std::filesystem::exists(folder)) {
    if (required("FOVEA_REQUIRE_IMAGENET")) FAIL() << folder << " is not there";
    GTEST_SKIP() << folder << " is not there; scripts/get_imagenet_pictures.sh gets it";
  }
  std::ifstream answers(std::string(FOVEA_TEST_DATA) + "/api/imagenet.json");
  const nlohmann::json networks = nlohmann::json::parse(answers);
  for (const auto& [name, expected] : networks.items()) {
    if (!is_cached(name)) continue;
    const Model model = Model::load(name);
    int top1 = 0, top5 = 0;
    for (const nlohmann::json& answer : expected.at("pictures")) {
      const auto file = answer.at("file").get<std::string>();
      const auto best = model.predict(folder + file, 5);
      const int64_t label = std::stoll(file.substr(file.rfind('_') + 1));
      top1 += best.front().index == label;
      top5 += std::ranges::any_of(best, [&](const ClassProbability& one) { return one.index == label; });
      EXPECT_EQ(best.front().index, answer.at("index").get<int64_t>()) << name << ' ' << file;
      EXPECT_NEAR(best.front().probability, answer.at("probability").get<double>(), 0.001) << name << ' ' << file;
    }
    EXPECT_EQ(top1, expected.at("top1").get<int>()) << name;
    EXPECT_EQ(top5, expected.at("top5").get<int>()) << name;
  }
}

}  // namespace
}  // namespace fovea
