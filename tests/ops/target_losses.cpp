#include "ops/target_losses.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backends.h"
#include "cases.h"
#include "harness.h"
#include "ops/cross_entropy.h"

namespace fovea::testing {
namespace {

// Rows that sum to 1, as mixed labels do.
CaseInput mixed(int64_t rows, int64_t classes) {
  CaseInput input = positive({rows, classes, 1, 1}, 5);
  for (int64_t n = 0; n < rows; ++n) {
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += input.values[static_cast<size_t>(n * classes + k)];
    for (int64_t k = 0; k < classes; ++k) {
      double& value = input.values[static_cast<size_t>(n * classes + k)];
      value = static_cast<float>(value / sum);
    }
  }
  return input;
}

CaseInput ones_at(int64_t classes, const std::vector<int64_t>& labels) {
  const auto rows = static_cast<int64_t>(labels.size());
  CaseInput input{{DType::f32, {rows, classes, 1, 1}}, Values(static_cast<size_t>(rows * classes), 0.0)};
  for (int64_t n = 0; n < rows; ++n) input.values[static_cast<size_t>(n * classes + labels[static_cast<size_t>(n)])] = 1;
  return input;
}

CaseInput scaled(CaseInput input, double scale, double shift) {
  for (double& value : input.values) value = static_cast<float>(scale * value + shift);
  return input;
}

}  // namespace

std::vector<OpCase> target_loss_cases() {
  std::vector<OpCase> cases;
  const CaseInput logits = normal({4, 12, 1, 1}), weights = positive_channel_vector(12), soft = mixed(4, 12);
  for (double smoothing : {0.0, 0.1})
    for (double gamma : {0.0, 0.5, 2.0})
      for (bool weighted : {false, true}) {
        const std::string name = fmt::format("smoothing_{}_gamma_{}{}", smoothing, gamma, weighted ? "_weighted" : "");
        std::vector<CaseInput> inputs{logits, soft};
        if (weighted) inputs.push_back(weights);
        std::vector<CaseInput> back = inputs;
        back.insert(back.begin(), scalar(0.7));
        cases.push_back({name, SoftCrossEntropy{smoothing, gamma, weighted}, inputs, "f32[]", {0}});
        cases.push_back({name, SoftCrossEntropyGrad{smoothing, gamma, weighted}, back, "f32[4,12,1,1]"});
        cases.push_back({name, BinaryCrossEntropy{smoothing, gamma}, inputs, "f32[]", {0}});
        cases.push_back({name, BinaryCrossEntropyGrad{smoothing, gamma}, back, "f32[4,12,1,1]"});
      }
  // exp overflows unless the largest is taken off, and probabilities round to 0 and 1
  const CaseInput large = scaled(normal({4, 1000, 1, 1}), 100, 500), labels = ones_at(1000, {0, 999, 5, 500});
  for (double gamma : {0.0, 0.5, 2.0}) {
    const std::string name = fmt::format("large_logits_gamma_{}", gamma);
    cases.push_back({name, SoftCrossEntropy{0.1, gamma}, {large, labels}, "f32[]"});
    cases.push_back({name, SoftCrossEntropyGrad{0.1, gamma}, {scalar(0.7), large, labels}, "f32[4,1000,1,1]"});
    cases.push_back({name, BinaryCrossEntropy{0, gamma}, {large, labels}, "f32[]"});
    cases.push_back({name, BinaryCrossEntropyGrad{0, gamma}, {scalar(0.7), large, labels}, "f32[4,1000,1,1]"});
  }
  cases.push_back({"one_row", SoftCrossEntropy{}, {normal({1, 3, 1, 1}), mixed(1, 3)}, "f32[]", {0}});
  cases.push_back({"hard", BinaryCrossEntropy{0, 2}, {normal({2, 3, 1, 1}), ones_at(3, {0, 2})}, "f32[]", {0}});
  cases.push_back({"targets",
                   SoftCrossEntropy{},
                   {only("f32[4,12,1,1]"), only("f32[4,11,1,1]")},
                   "error: soft_cross_entropy: targets is [4,11,1,1], [4,12,1,1] is wanted"});
  cases.push_back({"weights",
                   BinaryCrossEntropy{},
                   {only("f32[4,12,1,1]"), only("f32[4,12,1,1]"), only("f32[1,11,1,1]")},
                   "error: binary_cross_entropy: class weights is [1,11,1,1], [1,12,1,1] is wanted"});
  cases.push_back({"gamma",
                   BinaryCrossEntropy{0, -1},
                   {only("f32[4,12,1,1]"), only("f32[4,12,1,1]")},
                   "error: binary_cross_entropy: gamma -1, 0 or more"});
  cases.push_back({"smoothing",
                   SoftCrossEntropy{1.5, 0},
                   {only("f32[4,12,1,1]"), only("f32[4,12,1,1]")},
                   "error: soft_cross_entropy: smoothing 1.5, from 0 to 1"});
  cases.push_back({"rank",
                   SoftCrossEntropyGrad{},
                   {only("f32[1]"), only("f32[4,12,1,1]"), only("f32[4,12,1,1]")},
                   "error: soft_cross_entropy_grad: dloss [1] has 1 dimensions, 0 are wanted"});
  return cases;
}

namespace {

// Of targets that are classes, without weights and gamma, the loss is that of the labels.
TEST(SoftCrossEntropy, OfOneClassARowIsCrossEntropy) {
  const CaseInput logits = normal({3, 5, 1, 1});
  const CaseInput labels = integers(DType::i32, {3}, {4, 0, 2});
  for (const backend::Backend* backend : backends())
    for (double smoothing : {0.0, 0.2}) {
      const auto hard = run_case(*backend, {"hard", CrossEntropy{smoothing}, {logits, labels}, ""}, {}).value();
      for (bool weighted_mean : {false, true}) {
        const SoftCrossEntropy op{smoothing, 0, weighted_mean};
        const auto soft = run_case(*backend, {"soft", op, {logits, ones_at(5, {4, 0, 2})}, ""}, {}).value();
        EXPECT_NEAR(soft[0][0], hard[0][0], 1e-6) << backend->name();
      }
    }
}

}  // namespace
}  // namespace fovea::testing
