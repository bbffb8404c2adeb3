// Against PyTorch's answers in double: tests/data/ops/torch.json and training.json, written by the generators beside them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "backends.h"
#include "base/json_value.h"
#include "harness.h"
#include "ops/registry.h"

namespace fovea::testing {
namespace {

struct TorchCase {
  OpCase test;
  Types types;
  std::vector<Values> outputs;
};

CaseInput read_operand(const nlohmann::json& json) { return {parse_type(json.at("type").get<std::string>()), json.at("values"), true}; }

std::vector<TorchCase> torch_cases(const char* name) {
  std::ifstream file(std::string(FOVEA_TEST_DATA "/ops/") + name);
  std::vector<TorchCase> cases;
  for (const nlohmann::json& entry : nlohmann::json::parse(file)) {
    FieldTexts fields;
    for (const auto& [name, text] : entry.at("fields").items()) fields[name] = text.get<std::string>();
    const std::string op = entry.at("op");
    TorchCase read{{fmt::format("{} {}", op, entry.at("name").get<std::string>()), parse_op(op, fields), {}, ""}, {}, {}};
    for (const nlohmann::json& input : entry.at("inputs")) read.test.inputs.push_back(read_operand(input));
    for (const nlohmann::json& output : entry.at("outputs")) {
      read.types.push_back(parse_type(output.at("type").get<std::string>()));
      read.outputs.push_back(output.at("values"));
    }
    cases.push_back(std::move(read));
  }
  return cases;
}

// A float backend starts from rounded inputs; where PyTorch's state of a step before is not a float, that alone costs 6e-8.
void expect_agreement(const std::vector<TorchCase>& cases) {
  for (const TorchCase& entry : cases) {
    SCOPED_TRACE(entry.test.name);
    for (const backend::Backend* backend : backends())
      for (DType dtype : {DType::f32, DType::f64}) {
        if (!backend->supports(dtype)) continue;
        OpCase test = entry.test;
        if (dtype == DType::f32)
          for (CaseInput& input : test.inputs)
            if (is_floating(input.type.dtype))
              for (double& value : input.values) value = static_cast<float>(value);
        const auto found = run_case(*backend, test, {.dtype = dtype});
        ASSERT_TRUE(found.has_value()) << backend->name();
        ASSERT_EQ(found->size(), entry.outputs.size());
        for (size_t o = 0; o < found->size(); ++o) {
          const double ceiling = !is_floating(entry.types[o].dtype) ? 0 : dtype == DType::f64 ? 1e-13 : 1e-6;
          EXPECT_LE(distance((*found)[o], entry.outputs[o]), ceiling) << backend->name() << " " << to_string(dtype) << ", output " << o;
        }
      }
  }
}

TEST(Torch, EveryBackendAgrees) {
  const std::vector<TorchCase> cases = torch_cases("torch.json");
  ASSERT_GT(cases.size(), 80u);
  expect_agreement(cases);
}

// Losses of targets, RMSprop, clipping: tests/data/ops/training.json, by generate_training.py.
TEST(Torch, LossesAndUpdatesAgree) {
  const std::vector<TorchCase> cases = torch_cases("training.json");
  ASSERT_GT(cases.size(), 30u);
  expect_agreement(cases);
}

}  // namespace
}  // namespace fovea::testing
