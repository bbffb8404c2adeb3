#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hwy/highway.h>
#include <cmath>

#include "backends/cpu/candidates.h"
#include "backends/cpu/few_pixels.h"
#include "cpu/op_check.h"
#include "ops/conv2d.h"
#include "support/threads.h"

namespace fovea::test {
namespace {

using testing::HasSubstr;

struct FewPixelsCase {
  Shape x, w;
  Size2 stride{1, 1};
  Padding2 padding{};
  Conv2d op() const { return {stride, padding, 1}; }
  Shape y() const { return Op(op()).infer(std::vector<Type>{{DType::f32, x}, {DType::f32, w}})[0].shape; }
};

// One pixel and many, channels that vectors and panels divide and that they do not, depths in one part and in several, weights that every
// thread reads and that are divided among them.
const FewPixelsCase kFewPixelsCases[] = {
    {{1, 7, 1, 1}, {5, 7, 1, 1}},                             //
    {{1, 300, 1, 1}, {1000, 300, 1, 1}},                      //
    {{3, 64, 1, 1}, {64, 64, 1, 1}},                          //
    {{1, 200, 7, 7}, {72, 200, 1, 1}},                        //
    {{1, 130, 14, 13}, {33, 130, 1, 1}},                      //
    {{5, 40, 7, 7}, {170, 40, 1, 1}},                         //
    {{1, 1030, 3, 5}, {1025, 1030, 1, 1}},                    //
    {{1, 24, 9, 7}, {50, 24, 3, 3}, {1, 1}, {1, 1, 1, 1}},    //
    {{2, 24, 14, 15}, {48, 24, 3, 3}, {2, 2}, {1, 1, 1, 1}},  //
    {{1, 33, 12, 12}, {20, 33, 1, 1}, {2, 2}},                //
    {{1, 17, 11, 13}, {16, 17, 5, 3}, {2, 1}, {2, 1, 0, 3}},  //
    {{1, 16, 7, 7}, {24, 16, 7, 7}},                          //
    {{1, 20, 9, 7}, {70, 20, 3, 3}, {1, 1}, {1, 1, 1, 1}},
};

CheckOptions with(int64_t extra_stride) {
  CheckOptions options;
  options.dense_operands = {1};
  options.constant_inputs = {1};
  options.extra_stride = extra_stride;
  return options;
}

void expect_few_pixels(const Op& op, const std::vector<Array>& inputs, const CheckOptions& options) {
  EXPECT_THAT(check_op(op, inputs, options).kernel, HasSubstr("few pixels"));
}

void check(const FewPixelsCase& c) {
  const Array x = random_array(c.x, 81), w = random_array(c.w, 82), bias = random_array({1, c.w[0], 1, 1}, 83);
  const Array residual = random_array(c.y(), 84, 3);
  expect_few_pixels(c.op(), {x, w}, with(3));
  expect_few_pixels(FusedConv2d{c.stride, c.padding, 1, true, true, ActivationKind::relu}, {x, w, bias, residual}, with(0));
  expect_few_pixels(FusedConv2d{c.stride, c.padding, 1, false, true, ActivationKind::silu}, {x, w, residual}, with(5));
}

// Products and sums are exact to float, results rounded once.
void check_bf16(const FewPixelsCase& c) {
  const bool gathered = c.w[2] * c.w[3] > 1 || c.stride != Size2{1, 1};
  if (gathered && (c.w[0] < 64 || c.y().elements() > 64 * c.w[0])) return;  // left to the library
  const Array x = rounded_to_bf16(random_array(c.x, 81)), w = rounded_to_bf16(random_array(c.w, 82));
  const Array bias = random_array({1, c.w[0], 1, 1}, 83), residual = rounded_to_bf16(random_array(c.y(), 84, 3));
  const auto compare = [&](const Op& op, const std::vector<Array>& inputs, std::vector<int> bf16_inputs, int64_t extra_stride) {
    CheckOptions options = with(extra_stride);
    options.bf16_inputs = std::move(bf16_inputs);
    options.tolerance = 3e-3;
    const Outcome outcome = check_op(op, inputs, options);
    EXPECT_THAT(outcome.kernel, HasSubstr("amx few pixels"));
    const double sum_error = 1e-6 * static_cast<double>(c.w[1] * c.w[2] * c.w[3]);
    for (size_t i = 0; i < outcome.wanted[0].values.size(); ++i) {
      const double found = outcome.results[0].values[i], wanted = outcome.wanted[0].values[i];
      ASSERT_LE(std::abs(found - wanted), std::ldexp(std::abs(wanted), -8) + sum_error) << i << ": " << found << ", wanted " << wanted;
    }
  };
  compare(c.op(), {x, w}, {0}, 3);
  compare(FusedConv2d{c.stride, c.padding, 1, true, true, ActivationKind::relu}, {x, w, bias, residual}, {0, 3}, 0);
  compare(FusedConv2d{c.stride, c.padding, 1, false, true, ActivationKind::hard_swish}, {x, w, residual}, {0, 2}, 5);
}

TEST(CpuFewPixels, IsWhatDoublesGive) {
  for (const FewPixelsCase& c : kFewPixelsCases)
    for (int count : {1, 2, 3}) {
      const Threads scope(count);
      SCOPED_TRACE(fmt::format("{} by {}, {} threads", to_string(c.x), to_string(c.w), count));
      check(c);
    }
}

TEST(CpuFewPixels, InBf16IsWhatDoublesGiveRounded) {
  if (!cpu::simd::has_matrix_tiles()) GTEST_SKIP() << "this processor has no AMX";
  for (const FewPixelsCase& c : kFewPixelsCases)
    for (int count : {1, 2, 3}) {
      const Threads scope(count);
      SCOPED_TRACE(fmt::format("{} by {}, {} threads", to_string(c.x), to_string(c.w), count));
      check_bf16(c);
    }
}

TEST(CpuFewPixels, FollowsEveryActivation) {
  const FewPixelsCase& c = kFewPixelsCases[3];
  for (ActivationKind kind : {ActivationKind::identity, ActivationKind::relu, ActivationKind::relu6, ActivationKind::silu,
                              ActivationKind::sigmoid, ActivationKind::hard_swish, ActivationKind::hard_sigmoid, ActivationKind::gelu})
    for (bool bias : {false, true}) {
      std::vector<Array> inputs{random_array(c.x, 81), random_array(c.w, 82, 0.1)};
      if (bias) inputs.push_back(random_array({1, c.w[0], 1, 1}, 83));
      expect_few_pixels(FusedConv2d{c.stride, c.padding, 1, bias, false, kind}, inputs, with(0));
    }
}

TEST(CpuFewPixels, OnEveryInstructionSet) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    for (size_t i : {3, 4, 8}) check(kFewPixelsCases[i]);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

// Threads divide pixels and results, never a sum.
TEST(CpuFewPixels, GivesTheSameBitsHoweverItIsDivided) {
  for (const FewPixelsCase& c : kFewPixelsCases) {
    const std::vector<Array> inputs{random_array(c.x, 81), random_array(c.w, 82)};
    std::vector<double> wanted;
    for (int count : {1, 2, 3, 8}) {
      const Threads scope(count);
      const std::vector<double> results = check_op(c.op(), inputs, with(0)).results[0].values;
      if (wanted.empty()) wanted = results;
      EXPECT_EQ(results, wanted) << to_string(c.x) << ", " << count << " threads";
    }
  }
}

TEST(CpuFewPixels, RefusesWhatItIsNotForAndWhereItDoesNotPay) {
  const auto refusal = [](const Conv2d& op, Shape x, Shape w, bool constant = true, DType maps = DType::f32) {
    std::vector<cpu::Operand> inputs{cpu::Operand::dense({maps, x}), cpu::Operand::dense({DType::f32, w})};
    inputs[1].constant = constant;
    const std::vector<cpu::Operand> outputs{cpu::Operand::dense(Op(op).infer(std::vector{inputs[0].type, inputs[1].type})[0])};
    return cpu::plan_conv2d_few_pixels({op, inputs, outputs}).refusal;
  };
  const Conv2d plain{{1, 1}, {}, 1};
  EXPECT_EQ(refusal(plain, {1, 64, 20, 20}, {64, 64, 1, 1}), "");
  EXPECT_EQ(refusal(plain, {1, 64, 20, 21}, {64, 64, 1, 1}), "420 pixels, it takes 400 and fewer");
  EXPECT_EQ(refusal({{2, 2}, {}, 1}, {1, 64, 37, 37}, {64, 64, 3, 3}), "324 pixels, it takes 256 and fewer");
  EXPECT_EQ(refusal({{4, 4}, {}, 1}, {1, 3, 28, 28}, {64, 3, 4, 4}), "3 channels to gather, it takes 16 and more");
  EXPECT_EQ(refusal(plain, {1, 192, 197, 1}, {576, 192, 1, 1}), "197 pixels of a linear layer, it takes 128 and fewer");
  const Threads two(2);
  EXPECT_EQ(refusal(plain, {1, 768, 14, 14}, {3072, 768, 1, 1}), "2359296 weights, for 196 pixels it takes 524288 and fewer");
  EXPECT_EQ(refusal(plain, {1, 768, 49, 1}, {3072, 768, 1, 1}), "");
  EXPECT_EQ(refusal({{1, 1}, {}, 2}, {1, 64, 7, 7}, {64, 32, 1, 1}), "2 groups, it takes 1");
  EXPECT_EQ(refusal(plain, {1, 64, 7, 7}, {64, 64, 1, 1}, false), "weights change");
  const bool tiles = cpu::simd::has_matrix_tiles();
  EXPECT_EQ(refusal(plain, {1, 64, 7, 7}, {64, 64, 1, 1}, true, DType::bf16), tiles ? "" : "bf16 without matrix tiles");
  EXPECT_EQ(refusal({{2, 2}, {}, 1}, {1, 64, 19, 19}, {64, 64, 3, 3}, true, DType::bf16),
            tiles ? "81 pixels, it takes 64 and fewer" : "bf16 without matrix tiles");
  EXPECT_EQ(refusal({{1, 1}, {1, 1, 1, 1}, 1}, {1, 64, 7, 7}, {32, 64, 3, 3}, true, DType::bf16),
            tiles ? "32 result channels, it takes 64 and more" : "bf16 without matrix tiles");
}

}  // namespace
}  // namespace fovea::test
