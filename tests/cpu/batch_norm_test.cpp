#include <gtest/gtest.h>

#include <cmath>

#include "cpu/op_check.h"
#include "ops/batch_norm.h"

namespace fovea::test {
namespace {

struct Vectors {
  Array gamma, beta, mean, var;
  explicit Vectors(int64_t channels)
      : gamma(random_array({1, channels, 1, 1}, 21, 0.3, 1)),
        beta(random_array({1, channels, 1, 1}, 22)),
        mean(random_array({1, channels, 1, 1}, 23)),
        var(random_array({1, channels, 1, 1}, 24)) {
    for (double& v : var.values) v = static_cast<float>(0.1 + v * v);
  }
};

const Shape kShapes[] = {{2, 3, 5, 7}, {4, 24, 9, 8}, {3, 100, 4, 4}, {16, 64, 14, 14}, {2, 2048, 2, 2}};

TEST(CpuBatchNorm, TrainingInEveryForm) {
  for (const Shape& shape : kShapes)
    for (ActivationKind kind :
         {ActivationKind::identity, ActivationKind::relu, ActivationKind::relu6, ActivationKind::silu, ActivationKind::hard_swish})
      for (bool residual : {false, true})
        for (int64_t extra : {0, 5}) {
          const Vectors v(shape.channels());
          std::vector<Array> inputs{random_array(shape, 25, 2, 0.5), v.gamma, v.beta, v.mean, v.var};
          if (residual) inputs.push_back(random_array(shape, 26));
          check_op(BatchNormTraining{1e-5, 0.1, residual, kind}, inputs, {.extra_stride = extra, .tolerance = 1e-6});
        }
}

TEST(CpuBatchNorm, StatisticsOfChannelsFarFromZero) {
  for (double shift : {100.0, 10000.0, -3e5}) {
    const Vectors v(40);
    const std::vector<Array> inputs{random_array({8, 40, 20, 20}, 27, 1, shift), v.gamma, v.beta, v.mean, v.var};
    const Outcome outcome = check_op(BatchNormTraining{}, inputs, {.tolerance = 2e-6});
    for (size_t c = 0; c < 40; ++c) EXPECT_NEAR(outcome.results[2].values[c] / outcome.wanted[2].values[c], 1, 1e-6);
  }
}

TEST(CpuBatchNorm, ConstantChannelsHaveNoVariance) {
  const Vectors v(20);
  Array x = random_array({4, 20, 3, 3}, 28, 0, 1234.567);
  const Outcome outcome = check_op(BatchNormTraining{}, {x, v.gamma, v.beta, v.mean, v.var}, {.tolerance = 1e-6});
  for (double inv_std : outcome.results[2].values) EXPECT_NEAR(inv_std, 1 / std::sqrt(1e-5), 1e-3);
}

TEST(CpuBatchNorm, RunningStatisticsMayStayInPlace) {
  const Vectors v(24);
  const std::vector<Array> inputs{random_array({4, 24, 5, 5}, 29), v.gamma, v.beta, v.mean, v.var};
  check_op(BatchNormTraining{}, inputs, {.aliases = {{3, 3}, {4, 4}}});
  check_op(BatchNormTraining{}, inputs, {.unused_outputs = {1, 2, 3, 4}});
}

TEST(CpuBatchNorm, TrainingGradient) {
  for (const Shape& shape : kShapes)
    for (ActivationKind kind :
         {ActivationKind::identity, ActivationKind::relu, ActivationKind::relu6, ActivationKind::silu, ActivationKind::sigmoid})
      for (bool residual : {false, true}) {
        if (residual && kind != ActivationKind::relu && kind != ActivationKind::relu6) continue;
        const Vectors v(shape.channels());
        Array inv_std = v.var;
        for (double& s : inv_std.values) s = static_cast<float>(1 / std::sqrt(s));
        std::vector<Array> inputs{random_array(shape, 30, 1, 0.5), random_array(shape, 31, 2), v.gamma, v.mean, inv_std};
        const bool with_beta = kind != ActivationKind::identity && !residual;
        if (with_beta) inputs.push_back(v.beta);
        if (residual) {
          inputs.push_back(random_array(shape, 32, 4));
          for (double& y : inputs.back().values) y = std::min(6.0, std::max(0.0, y));
        }
        const BatchNormTrainingGrad op{1e-5, with_beta, residual, kind};
        check_op(op, inputs, {.extra_stride = 3, .tolerance = 2e-6});
        check_op(op, inputs, {.aliases = {{0, 0}}, .tolerance = 2e-6});
        check_op(op, inputs, {.unused_outputs = {0}, .tolerance = 2e-6});
        check_op(op, inputs, {.unused_outputs = {1, 2}, .tolerance = 2e-6});
        if (residual) {
          check_op(op, inputs, {.aliases = {{0, 3}}, .tolerance = 2e-6});
          check_op(op, inputs, {.unused_outputs = {3}, .tolerance = 2e-6});
        }
      }
}

TEST(CpuBatchNorm, Inference) {
  for (const Shape& shape : kShapes) {
    const Vectors v(shape.channels());
    const Array x = random_array(shape, 33, 2), dy = random_array(shape, 34, 1, 0.5);
    check_op(BatchNormInference{1e-3}, {x, v.gamma, v.beta, v.mean, v.var}, {.extra_stride = 2});
    check_op(BatchNormInference{1e-3}, {x, v.gamma, v.beta, v.mean, v.var}, {.aliases = {{0, 0}}});
    check_op(BatchNormInferenceGrad{1e-3}, {dy, x, v.gamma, v.mean, v.var}, {.extra_stride = 2, .tolerance = 2e-6});
    check_op(BatchNormInferenceGrad{1e-3}, {dy, x, v.gamma, v.mean, v.var}, {.unused_outputs = {1, 2}});
    check_op(BatchNormInferenceGrad{1e-3}, {dy, x, v.gamma, v.mean, v.var}, {.unused_outputs = {0}, .tolerance = 2e-6});
  }
}

TEST(CpuBatchNorm, Folding) {
  const Vectors v(30);
  const Array w = random_array({30, 5, 3, 3}, 35), bias = random_array({1, 30, 1, 1}, 36);
  check_op(FoldBatchNorm{1e-3}, {w, v.gamma, v.beta, v.mean, v.var}, {.tolerance = 1e-7});
  check_op(FoldBatchNorm{1e-3}, {w, v.gamma, v.beta, v.mean, v.var, bias}, {.tolerance = 1e-7});
}

}  // namespace
}  // namespace fovea::test
