#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hwy/targets.h>

#include "cpu/op_check.h"
#include "ops/conv2d.h"

namespace fovea::test {
namespace {

struct Conv2dCase {
  Shape x;
  int64_t outputs;
  Size2 kernel{1, 1};
  Conv2d op;
  Shape w() const { return {outputs, x.channels() / op.groups, kernel.height, kernel.width}; }
};

const Conv2dCase kConv2dCases[] = {
    {{2, 3, 32, 32}, 64, {7, 7}, {{2, 2}, {3, 3, 3, 3}, 1}},       // ResNet's stem
    {{2, 3, 33, 33}, 32, {3, 3}, {{2, 2}, {0, 1, 0, 1}, 1}},       // EfficientNet's stem with "SAME" padding
    {{2, 64, 14, 14}, 64, {3, 3}, {{1, 1}, {1, 1, 1, 1}, 1}},      //
    {{2, 64, 14, 14}, 96, {3, 3}, {{2, 2}, {1, 1, 1, 1}, 1}},      //
    {{2, 64, 14, 14}, 256, {1, 1}, {{1, 1}, {}, 1}},               //
    {{2, 192, 14, 13}, 72, {1, 1}, {{1, 1}, {}, 1}},               // to fewer channels
    {{2, 64, 14, 14}, 128, {1, 1}, {{2, 2}, {}, 1}},               //
    {{2, 8, 14, 14}, 24, {1, 1}, {{2, 2}, {}, 1}},                 // strided 1x1 of fewer than 16 inputs
    {{2, 12, 13, 15}, 40, {1, 1}, {{2, 2}, {}, 1}},                //
    {{1, 3, 9, 9}, 5, {1, 1}, {{3, 3}, {}, 1}},                    //
    {{2, 24, 15, 15}, 40, {1, 1}, {{1, 1}, {}, 1}},                //
    {{2, 32, 15, 15}, 32, {3, 3}, {{1, 1}, {1, 1, 1, 1}, 32}},     // depthwise
    {{2, 144, 15, 15}, 144, {3, 3}, {{2, 2}, {0, 1, 0, 1}, 144}},  //
    {{2, 40, 14, 14}, 40, {5, 5}, {{2, 2}, {1, 2, 1, 2}, 40}},     //
    {{3, 24, 7, 7}, 24, {5, 5}, {{1, 1}, {2, 2, 2, 2}, 24}},       //
    {{1, 37, 9, 11}, 37, {3, 5}, {{1, 2}, {1, 1, 2, 2}, 37}},      //
    {{2, 96, 14, 14}, 96, {7, 7}, {{1, 1}, {3, 3, 3, 3}, 96}},     //
    {{2, 64, 9, 9}, 128, {3, 3}, {{1, 1}, {1, 1, 1, 1}, 32}},      // grouped, as in ResNeXt
    {{2, 12, 9, 9}, 18, {3, 3}, {{2, 2}, {0, 1, 1, 0}, 3}},        // grouped, not symmetric
    {{5, 96, 1, 1}, 4, {1, 1}, {{1, 1}, {}, 1}},                   // squeeze
    {{5, 4, 1, 1}, 96, {1, 1}, {{1, 1}, {}, 1}},                   //
    {{16, 512, 1, 1}, 1000, {1, 1}, {{1, 1}, {}, 1}},              // head
    {{1, 1280, 1, 1}, 12, {1, 1}, {{1, 1}, {}, 1}},                //
    {{2, 192, 197, 1}, 576, {1, 1}, {{1, 1}, {}, 1}},              // tokens
    {{2, 576, 197, 1}, 192, {1, 1}, {{1, 1}, {}, 1}},              //
    {{3, 20, 350, 1}, 36, {1, 1}, {{1, 1}, {}, 1}},                // enough of them to reorder weights in every run
    {{2, 1, 6, 6}, 1, {2, 2}, {{1, 1}, {}, 1}},                    //
    {{2, 16, 6, 6}, 16, {6, 6}, {{1, 1}, {}, 1}},                  //
};
constexpr double kTolerance = 2e-6;

CheckOptions with_constant(bool constant, int input, int64_t extra = 0) {
  CheckOptions options;
  options.extra_stride = extra;
  options.dense_operands = {input};
  if (constant) options.constant_inputs = {input};
  options.tolerance = kTolerance;
  return options;
}

TEST(CpuConv2d, Forward) {
  for (const Conv2dCase& c : kConv2dCases)
    for (bool constant : {false, true})
      for (bool bias : {false, true}) {
        std::vector<Array> inputs{random_array(c.x, 41), random_array(c.w(), 42)};
        if (bias) inputs.push_back(random_array({1, c.outputs, 1, 1}, 43));
        check_op(c.op, inputs, with_constant(constant, 1));
      }
}

// Patches whose channels do not fill the library's tiles, in numbers of pixels for which it takes other ways.
TEST(CpuConv2d, PatchesInBf16) {
  for (const int64_t side : {2, 4})
    for (const int64_t channels : {16, 24, 48, 80, 96})
      for (const int64_t batch : {1, 3}) {
        const Array x = rounded_to_bf16(random_array({batch, channels, 20, 20}, 45));
        const Array w = rounded_to_bf16(random_array({64, channels, side, side}, 46));
        CheckOptions options = with_constant(true, 1);
        options.bf16_inputs = {0};
        options.tolerance = 4e-3;  // of the results' own rounding
        check_op(Conv2d{{side, side}, {}, 1}, {x, w}, options);
        check_op(Conv2d{{2, 2}, {}, 1}, {x, w}, options);
      }
}

TEST(CpuConv2d, StridedRows) {
  for (const Conv2dCase& c : kConv2dCases) check_op(c.op, {random_array(c.x, 41), random_array(c.w(), 42)}, with_constant(true, 1, 3));
}

TEST(CpuConv2d, FusedInEveryForm) {
  for (const Conv2dCase& c : kConv2dCases)
    for (ActivationKind kind : {ActivationKind::identity, ActivationKind::relu, ActivationKind::relu6, ActivationKind::silu,
                                ActivationKind::sigmoid, ActivationKind::hard_swish, ActivationKind::hard_sigmoid, ActivationKind::gelu})
      for (bool residual : {false, true}) {
        const bool bias = residual || kind != ActivationKind::relu6;
        const FusedConv2d op{c.op.stride, c.op.padding, c.op.groups, bias, residual, kind};
        std::vector<Array> inputs{random_array(c.x, 44), random_array(c.w(), 45, 0.3)};
        if (bias) inputs.push_back(random_array({1, c.outputs, 1, 1}, 46));
        if (residual) {
          const Type y = Op(c.op).infer(std::vector<Type>{inputs[0].type, inputs[1].type})[0];
          inputs.push_back(random_array(y.shape, 47, 3));
        }
        check_op(op, inputs, with_constant(kind != ActivationKind::gelu, 1));
      }
}

// The library's plain product takes memory in every run, and its bits may depend on the number of cores.
TEST(CpuConv2d, LinearLayersOfConstantWeightsAreNoPlainProducts) {
  if ((hwy::SupportedTargets() & HWY_AVX2) == 0) GTEST_SKIP() << "without AVX2 the library has nothing else";
  const Array x = random_array({1, 72, 197, 1}, 61), w = random_array({96, 72, 1, 1}, 62, 0.1), bias = random_array({1, 96, 1, 1}, 63);
  const Array residual = random_array({1, 96, 197, 1}, 64);
  const auto kernel = [](const Op& op, const std::vector<Array>& inputs) { return check_op(op, inputs, with_constant(true, 1)).kernel; };
  const FusedConv2d gelu{{1, 1}, {}, 1, true, false, ActivationKind::gelu}, add{{1, 1}, {}, 1, true, true, ActivationKind::identity};
  EXPECT_THAT(kernel(Conv2d{{1, 1}, {}, 1}, {x, w}), testing::Not(testing::HasSubstr("gemm:jit")));
  EXPECT_THAT(kernel(gelu, {x, w, bias}), testing::Not(testing::HasSubstr("gemm:jit")));
  EXPECT_THAT(kernel(add, {x, w, bias, residual}), testing::Not(testing::HasSubstr("gemm:jit")));
}

TEST(CpuConv2d, Gradients) {
  for (const Conv2dCase& c : kConv2dCases) {
    const Array x = random_array(c.x, 48), w = random_array(c.w(), 49);
    const Type y = Op(c.op).infer(std::vector<Type>{x.type, w.type})[0];
    const Array dy = random_array(y.shape, 50);
    const Conv2dInputGrad input_grad{c.op.stride, c.op.padding, c.op.groups, {c.x.height(), c.x.width()}};
    for (bool constant : {false, true}) check_op(input_grad, {w, dy}, with_constant(constant, 0));
    check_op(input_grad, {w, dy}, with_constant(false, 0, 5));
    const Conv2dWeightGrad weight_grad{c.op.stride, c.op.padding, c.op.groups, c.kernel};
    check_op(weight_grad, {x, dy}, with_constant(false, 100));
    check_op(weight_grad, {x, dy}, with_constant(false, 100, 5));
  }
}

}  // namespace
}  // namespace fovea::test
