#include "ops/cross_entropy.h"

#include <gtest/gtest.h>

#include "backends/reference/reference.h"
#include "base/error.h"
#include "cases.h"
#include "harness.h"

namespace fovea::testing {

std::vector<OpCase> cross_entropy_cases() {
  std::vector<OpCase> cases;
  const CaseInput labels = integers(DType::i32, {4}, {0, 11, 5, 5});
  for (double smoothing : {0.0, 0.1, 1.0}) {
    const std::string name = fmt::format("smoothing_{}", smoothing);
    cases.push_back({name, CrossEntropy{smoothing}, {normal({4, 12, 1, 1}), labels}, "f32[] f32[4,12,1,1]", {0}});
    cases.push_back({name, CrossEntropyGrad{smoothing}, {scalar(0.7), positive({4, 12, 1, 1}), labels}, "f32[4,12,1,1]"});
  }
  CaseInput large = normal({4, 1000, 1, 1});
  for (double& value : large.values) value = static_cast<float>(100 * value + 500);  // exp overflows unless the largest is taken off
  cases.push_back({"large_logits", CrossEntropy{0.1}, {large, integers(DType::i32, {4}, {0, 999, 5, 500})}, "f32[] f32[4,1000,1,1]"});
  cases.push_back({"one_row", CrossEntropy{}, {normal({1, 3, 1, 1}), integers(DType::i32, {1}, {2})}, "f32[] f32[1,3,1,1]", {0}});
  cases.push_back(
      {"labels", CrossEntropy{}, {only("f32[4,12,1,1]"), only("i32[5]")}, "error: cross_entropy: labels [5] for logits [4,12,1,1]"});
  cases.push_back(
      {"label_type", CrossEntropy{}, {only("f32[4,12,1,1]"), only("i64[4]")}, "error: cross_entropy: labels is i64[4], i32 is wanted"});
  cases.push_back({"pixels",
                   CrossEntropy{},
                   {only("f32[4,12,2,1]"), only("i32[4]")},
                   "error: cross_entropy: logits is [4,12,2,1], [4,12,1,1] is wanted"});
  cases.push_back(
      {"smoothing", CrossEntropy{1.5}, {only("f32[4,12,1,1]"), only("i32[4]")}, "error: cross_entropy: smoothing 1.5, from 0 to 1"});
  cases.push_back({"rank",
                   CrossEntropyGrad{},
                   {only("f32[1]"), only("f32[4,12,1,1]"), only("i32[4]")},
                   "error: cross_entropy_grad: dloss [1] has 1 dimensions, 0 are wanted"});
  return cases;
}

namespace {

TEST(CrossEntropy, RefusesALabelThatIsNoClass) {
  for (int64_t label : {-1, 12}) {
    const OpCase test{"label", CrossEntropy{}, {normal({1, 12, 1, 1}), integers(DType::i32, {1}, {static_cast<double>(label)})}, ""};
    try {
      run_case(reference::reference_backend(), test, {});
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), fmt::format("cross_entropy: label {} at row 0, 12 classes", label));
    }
  }
}

}  // namespace
}  // namespace fovea::testing
