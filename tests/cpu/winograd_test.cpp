#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hwy/highway.h>
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "base/parallel.h"
#include "cpu/op_check.h"
#include "ops/conv2d.h"

namespace fovea::test {
namespace {

using testing::HasSubstr;

struct WinogradCase {
  Shape x;
  int64_t outputs;
  Padding2 padding{1, 1, 1, 1};
  Shape w() const { return {outputs, x.channels(), 3, 3}; }
  Conv2d op() const { return {{1, 1}, padding, 1}; }
  Shape y() const { return Op(op()).infer(std::vector<Type>{{DType::f32, x}, {DType::f32, w()}})[0].shape; }
};

// Sizes that tiles of 4x4 results divide and that they do not, channels that vectors divide and that they do not, sums in one part and in
// several; the last one's weights are shared by all threads.
const WinogradCase kWinogradCases[] = {
    {{1, 32, 32, 32}, 32},                 //
    {{3, 37, 17, 19}, 35},                 //
    {{2, 64, 21, 30}, 100, {0, 0, 0, 0}},  //
    {{1, 150, 32, 29}, 32, {2, 1, 0, 3}},  //
    {{5, 300, 13, 15}, 40},                //
    {{1, 176, 14, 13}, 176},
};

CheckOptions with(double tolerance, int weights, bool constant, int64_t extra_stride) {
  CheckOptions options;
  options.tolerance = tolerance;
  options.dense_operands = {weights};
  if (constant) options.constant_inputs = {weights};
  options.extra_stride = extra_stride;
  return options;
}

void expect_winograd(const Op& op, const std::vector<Array>& inputs, const CheckOptions& options) {
  EXPECT_THAT(check_op(op, inputs, options).kernel, HasSubstr("winograd"));
}

void check_all(const WinogradCase& c, double tolerance) {
  const Array x = random_array(c.x, 71), w = random_array(c.w(), 72), dy = random_array(c.y(), 73);
  const Array bias = random_array({1, c.outputs, 1, 1}, 74), residual = random_array(c.y(), 75, 3);
  const FusedConv2d fused{{1, 1}, c.padding, 1, true, true, ActivationKind::relu};
  const Conv2dInputGrad input_grad{{1, 1}, c.padding, 1, {c.x.height(), c.x.width()}};
  expect_winograd(c.op(), {x, w}, with(tolerance, 1, true, 0));
  expect_winograd(fused, {x, w, bias, residual}, with(tolerance, 1, true, 3));
  expect_winograd(input_grad, {w, dy}, with(tolerance, 0, true, 3));
  if (c.x.batch() * c.y().height() * c.y().width() < 900) return;  // too few tiles to transform weights for
  expect_winograd(c.op(), {x, w}, with(tolerance, 1, false, 3));
  expect_winograd(input_grad, {w, dy}, with(tolerance, 0, false, 0));
  const Conv2dWeightGrad weight_grad{{1, 1}, c.padding, 1, {3, 3}};
  for (int64_t extra_stride : {0, 5}) expect_winograd(weight_grad, {x, dy}, with(tolerance, 100, false, extra_stride));
}

TEST(CpuWinograd, IsWhatDoublesGive) {
  for (const WinogradCase& c : kWinogradCases) check_all(c, 2e-6);
}

TEST(CpuWinograd, AddsUpWeightGradientsOverBlocks) {
  const WinogradCase c{{4, 37, 50, 50}, 35};
  expect_winograd(Conv2dWeightGrad{{1, 1}, c.padding, 1, {3, 3}}, {random_array(c.x, 71), random_array(c.y(), 73)},
                  with(2e-6, 100, false, 0));
}

TEST(CpuWinograd, FollowsEveryActivation) {
  const WinogradCase& c = kWinogradCases[1];
  for (ActivationKind kind : {ActivationKind::identity, ActivationKind::relu, ActivationKind::relu6, ActivationKind::silu,
                              ActivationKind::sigmoid, ActivationKind::hard_swish, ActivationKind::hard_sigmoid, ActivationKind::gelu})
    for (bool bias : {false, true})
      for (bool residual : {false, true}) {
        std::vector<Array> inputs{random_array(c.x, 71), random_array(c.w(), 72, 0.1)};
        if (bias) inputs.push_back(random_array({1, c.outputs, 1, 1}, 74));
        if (residual) inputs.push_back(random_array(c.y(), 75));
        expect_winograd(FusedConv2d{{1, 1}, c.padding, 1, bias, residual, kind}, inputs, with(2e-6, 1, true, 0));
      }
}

TEST(CpuWinograd, OnEveryInstructionSet) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    check_all(kWinogradCases[1], 2e-6);
    check_all(kWinogradCases[3], 2e-6);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

std::vector<float> convolve(const WinogradCase& c, const std::vector<float>& x, const std::vector<float>& w) {
  std::vector<cpu::Operand> inputs{cpu::Operand::dense({DType::f32, c.x}), cpu::Operand::dense({DType::f32, c.w()})};
  const std::vector<cpu::Operand> outputs{cpu::Operand::dense({DType::f32, c.y()})};
  const cpu::Planned planned = cpu::plan_conv2d_winograd({c.op(), inputs, outputs});
  EXPECT_TRUE(planned.kernel) << planned.refusal;
  std::vector<float> y(static_cast<size_t>(c.y().elements()), -1.0f), workspace(planned.kernel->workspace_bytes() / sizeof(float));
  // Kernels read their inputs only.
  const std::vector<void*> in{const_cast<float*>(x.data()), const_cast<float*>(w.data())}, out{y.data()};
  planned.kernel->bind(in, out, workspace.data());
  planned.kernel->run();
  return y;
}

// Neither the threads nor the pictures beside it change a bit of a picture's results. With eight threads the second one's weights are
// shared, in two blocks of tiles.
TEST(CpuWinograd, GivesTheSameBitsHoweverItIsDivided) {
  const int before = threads();
  for (const WinogradCase& c : {WinogradCase{{4, 48, 36, 40}, 64}, WinogradCase{{2, 176, 56, 56}, 176}}) {
    const auto numbers = [](Shape shape, uint64_t seed) {
      const Array array = random_array(shape, seed);
      return std::vector<float>(array.values.begin(), array.values.end());
    };
    WinogradCase first = c;
    first.x[0] = 1;
    const std::vector<float> x = numbers(c.x, 71), w = numbers(c.w(), 72), alone(x.begin(), x.begin() + first.x.elements());
    set_threads(1);
    const std::vector<float> wanted = convolve(c, x, w);
    for (int count : {1, 2, 3, 8}) {
      set_threads(count);
      EXPECT_EQ(convolve(c, x, w), wanted) << count << " threads";
      const std::vector<float> y = convolve(first, alone, w);
      EXPECT_TRUE(std::equal(y.begin(), y.end(), wanted.begin())) << count << " threads, one picture";
    }
  }
  set_threads(before);
}

TEST(CpuWinograd, RefusesWhatItIsNotForAndWhereItDoesNotPay) {
  const auto refusal = [](const Conv2d& op, Shape x, Shape w, bool constant) {
    std::vector<cpu::Operand> inputs{cpu::Operand::dense({DType::f32, x}), cpu::Operand::dense({DType::f32, w})};
    inputs[1].constant = constant;
    const std::vector<cpu::Operand> outputs{cpu::Operand::dense(Op(op).infer(std::vector{inputs[0].type, inputs[1].type})[0])};
    return cpu::plan_conv2d_winograd({op, inputs, outputs}).refusal;
  };
  const Padding2 one{1, 1, 1, 1};
  EXPECT_EQ(refusal({{1, 1}, {}, 1}, {1, 64, 32, 32}, {64, 64, 5, 3}, true), "kernel 5x3, it takes 3x3");
  EXPECT_EQ(refusal({{2, 1}, one, 1}, {1, 64, 32, 32}, {64, 64, 3, 3}, true), "stride 2x1, it takes 1x1");
  EXPECT_EQ(refusal({{1, 1}, one, 2}, {1, 64, 32, 32}, {64, 32, 3, 3}, true), "2 groups, it takes 1");
  EXPECT_EQ(refusal({{1, 1}, one, 1}, {1, 3, 32, 32}, {64, 3, 3, 3}, true), "3 channels to 64, it takes 32 and more");
  EXPECT_EQ(refusal({{1, 1}, one, 1}, {1, 64, 4, 12}, {64, 64, 3, 3}, true), "3 tiles of 4x4 results, it takes 4 and more");
  EXPECT_EQ(refusal({{1, 1}, one, 1}, {1, 512, 7, 7}, {512, 512, 3, 3}, true), "4 tiles of 4x4 results, it takes 9 and more");
  EXPECT_EQ(refusal({{1, 1}, one, 1}, {1, 64, 28, 28}, {64, 64, 3, 3}, false), "49 tiles of 4x4 results, it takes 64 and more");
  EXPECT_EQ(refusal({{1, 1}, one, 1}, {1, 64, 28, 28}, {64, 64, 3, 3}, true), "");
}

}  // namespace
}  // namespace fovea::test
