// Grad-CAM and rollout beside torch's (tests/data/saliency/generate.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "backends/cpu/cpu.h"
#include "base/json_value.h"
#include "reference/formula.h"
#include "saliency/heat_maps.h"

namespace fovea::answers {
namespace {

// [1, 3, H, W] as [H, W, 3].
std::vector<float> channels_last(const Tensor& images) {
  const auto planes = images.values<float>();
  const size_t pixels = planes.size() / 3;
  std::vector<float> result;
  for (size_t i = 0; i < pixels; ++i)
    for (size_t c = 0; c < 3; ++c) result.push_back(planes[c * pixels + i]);
  return result;
}

double largest(const std::vector<double>& values) { return *std::ranges::max_element(values); }

TEST(HeatMaps, AgreeWithTorch) {
  std::ifstream file(FOVEA_TEST_DATA "/saliency/heat_maps.json");
  for (const auto& expected : nlohmann::json::parse(file)) {
    const std::string name = expected.at("model");
    const int64_t size = expected.at("size");
    SCOPED_TRACE(name + " " + expected.at("tap").get<std::string>());
    Preprocessing preprocessing;
    preprocessing.height = preprocessing.width = size;
    preprocessing.fit = Fit::squash;
    const auto network = std::make_shared<engine::Network>(models::get(name), engine::NetworkForm{}, preprocessing, std::nullopt);
    for (const auto& [state, entry] : network->store()->entries()) network->store()->set(state, parameter(state, entry.stored_shape, 0));
    saliency::HeatMaps maps(network, cpu::cpu_backend(), {.method = parse_heat_method(expected.at("method")), .tap = expected.at("tap")});
    const saliency::Look look = maps.look(channels_last(images({1, 3, size, size}, 0)), expected.value("class", int64_t{-1}));

    std::vector<double> map;
    for (const auto& row : expected.at("map"))
      for (double value : row) map.push_back(value);
    ASSERT_EQ(look.grid.values.size(), map.size());
    for (size_t i = 0; i < map.size(); ++i) EXPECT_NEAR(look.grid.values[i], map[i], 2e-4 * largest(map)) << i;
    if (expected.contains("logit")) {
      EXPECT_NEAR(look.logits[static_cast<size_t>(look.class_index)], expected.at("logit").get<double>(), 1e-4);
    }

    const Tensor heat = saliency::on_picture(look.grid, size, size, preprocessing);
    const std::vector<double> some = expected.at("heat");
    for (size_t i = 0; i < some.size(); ++i) EXPECT_NEAR(heat.values<float>()[97 * i], some[i], 3e-4) << i;
  }
}

}  // namespace
}  // namespace fovea::answers
