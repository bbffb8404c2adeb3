#include <fmt/format.h>
#include <fovea/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "reference/compare.h"
#include "reference/formula.h"
#include "reference/nodes.h"

namespace fovea::answers {
namespace {

using testing::HasSubstr;

std::string path_of(const std::string& name) { return FOVEA_TEST_DATA "/reference/" + name + ".json"; }

void expect_none_over(const Report& report) {
  EXPECT_GT(report.quantities.size(), 0u);
  EXPECT_EQ(report.over(), 0) << report.text();
}

class Float32 : public testing::TestWithParam<std::string> {};
class Float64 : public testing::TestWithParam<std::string> {};
class Nodes : public testing::TestWithParam<std::string> {};

TEST_P(Float32, OnTheCpuBackend) { expect_none_over(compare(read_answer(path_of(GetParam())), {cpu::cpu_backend(), DType::f32})); }

TEST_P(Float64, OnTheReferenceBackend) {
  expect_none_over(compare(read_answer(path_of(GetParam())), {reference::reference_backend(), DType::f64}));
}

TEST_P(Nodes, EveryOneOfTheStep) { expect_none_over(compare_nodes(read_answer(path_of(GetParam())))); }

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '/', '_');
  return name;
}

const std::string kQuick = "timm/tf_efficientnet_lite0";
INSTANTIATE_TEST_SUITE_P(Quick, Float32, testing::Values(kQuick), test_name);
INSTANTIATE_TEST_SUITE_P(Quick, Float64, testing::Values(kQuick), test_name);
INSTANTIATE_TEST_SUITE_P(Quick, Nodes, testing::Values(kQuick), test_name);

INSTANTIATE_TEST_SUITE_P(Slow, Float32, testing::ValuesIn(answers_in(FOVEA_TEST_DATA "/reference")), test_name);
// Plain loops in double take minutes a network, so these are the smallest of their families.
INSTANTIATE_TEST_SUITE_P(Slow, Float64,
                         testing::Values("torchvision/resnet18", "timm/resnetv2_50", "torchvision/densenet121", "timm/mobilenetv1_100",
                                         "torchvision/mobilenet_v2", "torchvision/mobilenet_v3_small", "torchvision/efficientnet_b0",
                                         "timm/convnextv2_nano", "timm/deit_tiny_patch16_224", "timm/test_convnext",
                                         "timm/gc_efficientnetv2_rw_t", "timm/tf_efficientnet_cc_b0_4e", "timm/mobilenetv4_hybrid_medium"),
                         test_name);
// One of each family.
INSTANTIATE_TEST_SUITE_P(Slow, Nodes,
                         testing::Values("torchvision/resnet18", "timm/resnetv2_50x1_bit", "torchvision/vgg11", "torchvision/densenet121",
                                         "torchvision/mobilenet_v3_small", "torchvision/efficientnet_b0", "timm/convnextv2_nano",
                                         "timm/deit_tiny_patch16_224"),
                         test_name);

// Numbers that the formula's definition (tests/data/reference/README.md) gives in Python.
TEST(Formula, GivesTheDefinitionsNumbers) {
  const Noise noise("conv1.weight");
  EXPECT_EQ(noise[0], 0x1.7141000000000p-4);
  EXPECT_EQ(noise[1], 0x1.f617580000000p-2);
  const auto value = [](const Tensor& tensor, size_t i) { return tensor.values<float>()[i]; };
  EXPECT_EQ(value(parameter("bn1.running_var", {64}, 7), 63), 0x1.6efc720000000p-1f);
  EXPECT_EQ(value(parameter("fc.weight", {10, 512}, 0), 5119), 0x1.787d7c0000000p-5f);
  EXPECT_EQ(value(parameter("bn1.weight", {3}, 0), 2), 0x1.daf83c0000000p-1f);
  EXPECT_EQ(value(parameter("fc.bias", {3}, 0), 1), -0x1.f91acc0000000p-9f);
  const Tensor tracked = parameter("bn1.num_batches_tracked", {}, 0);
  EXPECT_EQ(tracked.values<int64_t>()[0], 0);
  EXPECT_EQ(value(images({2, 3, 20, 12}, 3), 1439), -0x1.c99a4a0000000p-1f);
  EXPECT_EQ(value(images({2, 3, 20, 12}, 3), 777), -0x1.8f8f9c0000000p-2f);
}

TEST(Distance, OneWrongValueMovesIt) {
  Tensor tensor(DType::f64, {1000});
  const auto values = tensor.mutable_values<double>();
  double squares = 0, product = 0;
  const Noise noise("x"), direction("projection0:x");
  for (int64_t i = 0; i < 1000; ++i) {
    values[static_cast<size_t>(i)] = noise[i];
    squares += noise[i] * noise[i];
    product += noise[i] * direction[i];
  }
  const Description description{"x", std::sqrt(squares), {product / std::sqrt(squares)}, {}};
  EXPECT_LT(distance(description, tensor), 1e-14);
  values[500] += 0.01;
  EXPECT_GT(distance(description, tensor), 1e-5);
  values[500] = std::numeric_limits<double>::quiet_NaN();
  const Quantity quantity{"x", distance(description, tensor), 1e10, {}};
  EXPECT_TRUE(quantity.over());
}

TEST(Distance, NothingIsOverWithoutALimit) {
  Report report{"title", {}};
  report.add("shown", 5, std::nullopt);
  report.add("judged", 1e-9, 1e-8);
  EXPECT_EQ(report.over(), 0);
  report.add("wrong", 1e-7, 1e-8, "of something");
  EXPECT_EQ(report.over(), 1);
  EXPECT_THAT(report.text(), HasSubstr("allowed 1e-08 of something  OVER"));
  EXPECT_THAT(report.text(), HasSubstr("3 quantities, 2 judged, 1 over"));
}

std::string error_of(const Answer& answer) {
  try {
    compare(answer, {cpu::cpu_backend(), DType::f32});
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Answers, AnUnknownModelAndOtherParametersAreErrors) {
  Answer answer = read_answer(path_of("torchvision/resnet18"));
  answer.parameters[3].second[0] = 65;
  EXPECT_THAT(error_of(answer), HasSubstr("parameter 3 is bn1.running_mean[64] here, bn1.running_mean[65] in the answer"));
  answer.model = "torchvision/resnet19";
  EXPECT_THAT(error_of(answer), HasSubstr("there is no model 'torchvision/resnet19'"));
}

// A seed that the answer was not made with must not pass.
TEST(Answers, OtherWeightsAreOver) {
  Answer answer = read_answer(path_of("torchvision/resnet18"));
  answer.seed = 1;
  const Report report = compare(answer, {cpu::cpu_backend(), DType::f32});
  EXPECT_GT(report.over(), 40);
}

TEST(Answers, BadFilesAreErrors) {
  const std::string file = testing::TempDir() + "answer.json";
  const auto message = [&](const char* text) -> std::string {
    std::ofstream(file) << text;
    try {
      read_answer(file);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_THAT(message(""), HasSubstr("answer.json: "));
  EXPECT_THAT(message("{\"model\": 3}"), HasSubstr("answer.json: "));
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace fovea::answers
