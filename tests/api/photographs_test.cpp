// The default network against timm on real photographs.
#include <fovea/fovea.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "base/json_value.h"

namespace fovea {
namespace {

TEST(Photographs, AreSeenAsTimmSeesThem) {
  bool here = false;
  for (const WeightsInfo& weights : published_weights())
    here = here || (weights.model == "tf_efficientnet_lite0" && weights.is_default && weights.cached);
  if (!here) {
    const char* required = std::getenv("FOVEA_REQUIRE_WEIGHTS");
    if (required && std::string(required) == "1") FAIL() << "the default weights are not in the cache";
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

}  // namespace
}  // namespace fovea
