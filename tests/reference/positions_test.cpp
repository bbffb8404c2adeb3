// A transformer on pictures whose size is not that of its position embeddings, beside timm (tests/data/models/generate_positions.py).
#include <gtest/gtest.h>

#include <map>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/file.h"
#include "base/json_value.h"
#include "engine/executable.h"
#include "engine/session.h"
#include "models/registry.h"
#include "passes/retype.h"
#include "reference/compare.h"
#include "reference/formula.h"

namespace fovea::answers {
namespace {

using Json = nlohmann::ordered_json;

Description described(const std::string& name, const Json& json) {
  return {name, json.at("l2").get<double>(), json.at("projections").get<std::vector<double>>(), {}};
}

// The distance of each of the case's tensors, by its name.
std::map<std::string, double> distances(const std::string& name, const Json& pictures, const Target& target) {
  const auto input = pictures.at("input").get<std::vector<int64_t>>();
  const auto native = pictures.at("native").get<std::vector<int64_t>>();
  ModelGraph model = models::build(
      models::get(name), {.batch = input[0], .height = input[2], .width = input[3], .native_height = native[0], .native_width = native[1]});
  std::vector<std::string> outputs{"logits"};
  for (const auto& [stage, unused] : pictures.at("stages").items()) outputs.push_back(stage + ":tokens");
  Graph graph = engine::inference_graph(std::move(model), outputs);
  if (target.dtype != DType::f32) graph = passes::retype(graph, target.dtype);

  const auto store = std::make_shared<engine::StateStore>(target.dtype);
  const auto run = engine::Executable::compile(std::move(graph), target.backend, store, std::make_shared<engine::Arena>());
  for (const State& state : run->graph().states()) store->set(state.name, parameter(state.name, state.stored_shape, 0));
  run->prepare();
  run->write_input("image", images(input, 0));
  run->run();

  std::map<std::string, double> result{
      {"logits", distance(described("logits", pictures.at("logits")), run->read_output("logits", DType::f64))}};
  for (const auto& [stage, value] : pictures.at("stages").items())
    result[stage] = distance(described(stage, value), run->read_output(stage + ":tokens", DType::f64));
  return result;
}

void expect_agreement(const Target& target, double allowed) {
  const Json answer = Json::parse(read_text(FOVEA_TEST_DATA "/models/positions.json"));
  ASSERT_EQ(answer.at("cases").size(), 5u);
  for (const Json& pictures : answer.at("cases"))
    for (const auto& [name, found] : distances(answer.at("model").get<std::string>(), pictures, target))
      EXPECT_LE(found, allowed) << name << " of " << pictures.at("input");
}

TEST(Positions, AreResizedAsTimmDoesInFloat64) { expect_agreement({reference::reference_backend(), DType::f64}, 1e-8); }
TEST(Positions, AreResizedAsTimmDoesOnTheCpu) { expect_agreement({cpu::cpu_backend(), DType::f32}, 2e-5); }

}  // namespace
}  // namespace fovea::answers
