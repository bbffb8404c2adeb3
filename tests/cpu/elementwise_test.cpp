#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numbers>

#include "backends/cpu/cpu.h"
#include "cpu/op_check.h"
#include "ops/activation.h"
#include "ops/adamw_update.h"
#include "ops/add.h"
#include "ops/broadcast_to.h"
#include "ops/constant.h"
#include "ops/cross_entropy.h"
#include "ops/dropout.h"
#include "ops/global_average_pool.h"
#include "ops/increment.h"
#include "ops/max_pool2d.h"
#include "ops/multiply.h"
#include "ops/sgd_update.h"
#include "ops/sum_to.h"

namespace fovea::test {
namespace {

constexpr ActivationKind kKinds[] = {ActivationKind::identity,     ActivationKind::relu,    ActivationKind::relu6,
                                     ActivationKind::silu,         ActivationKind::sigmoid, ActivationKind::hard_swish,
                                     ActivationKind::hard_sigmoid, ActivationKind::gelu};

// Every magnitude on both sides, the kinks, and where exp overflows.
Array sweep() {
  Array x{{DType::f32, Shape{1, 4013, 1, 1}}, {}};
  for (int i = -2000; i <= 2000; ++i) x.values.push_back(static_cast<float>(i * std::abs(i) / 40000.0));
  for (double v : {-3.0, 3.0, 0.0, 6.0, -6.0, 1e-20, -1e-20, 90.0, -90.0, 1e30, -1e30, -0.0}) x.values.push_back(static_cast<float>(v));
  return x;
}

TEST(CpuActivation, EveryElementIsWithinAFewUnitsInTheLastPlace) {
  for (ActivationKind kind : kKinds) {
    const Array x = sweep();
    const Outcome outcome = check_op(Activation{kind}, {x});
    for (size_t i = 0; i < x.values.size(); ++i) {
      const double wanted = outcome.wanted[0].values[i], found = outcome.results[0].values[i];
      // Results below 1e-36 are denormal, or come from a denormal.
      EXPECT_LE(std::abs(found - wanted), 4e-7 * std::abs(wanted) + 1e-36) << static_cast<int>(kind) << " of " << x.values[i];
    }
  }
}

TEST(CpuActivation, NotANumberPassesThrough) {
  Array x = random_array({1, 37, 1, 1}, 1);
  for (double& v : x.values) v = std::nan("");
  for (ActivationKind kind : kKinds) {
    const Outcome outcome = check_op(Activation{kind}, {x});
    for (double v : outcome.results[0].values) ASSERT_TRUE(std::isnan(v)) << static_cast<int>(kind);
  }
}

TEST(CpuActivation, Gradients) {
  for (ActivationKind kind : kKinds) {
    Array v = sweep();
    if (kind == ActivationKind::sigmoid)
      for (double& value : v.values) value = static_cast<float>(1 / (1 + std::exp(-value)));
    const Array dy = random_array(v.type.shape, 2);
    const Outcome outcome = check_op(ActivationGrad{kind}, {dy, v});
    for (size_t i = 0; i < v.values.size(); ++i)
      EXPECT_NEAR(outcome.results[0].values[i], outcome.wanted[0].values[i], 6e-7 * std::abs(dy.values[i]))
          << static_cast<int>(kind) << " at " << v.values[i];
  }
}

double value_of(uint16_t bf16) { return std::bit_cast<float>(static_cast<uint32_t>(bf16) << 16); }

// Every number of bf16 up to 1e30 once, as its bits.
std::vector<uint16_t> all_bf16() {
  std::vector<uint16_t> numbers;
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits)
    if (std::abs(value_of(static_cast<uint16_t>(bits))) <= 1e30) numbers.push_back(static_cast<uint16_t>(bits));
  return numbers;
}

// A node of one result on dense bf16 vectors.
std::vector<uint16_t> run_bf16(const Op& op, const std::vector<std::vector<uint16_t>>& inputs) {
  const Type type{DType::bf16, Shape{1, static_cast<int64_t>(inputs[0].size()), 1, 1}};
  const std::vector<backend::Operand> operands(inputs.size(), backend::Operand::dense(type));
  const auto kernel = cpu::cpu_backend().plan(op, operands, std::span(operands).first(1));
  std::vector<uint16_t> result(inputs[0].size());
  std::vector<void*> in;
  for (const auto& input : inputs) in.push_back(const_cast<uint16_t*>(input.data()));
  void* const out[] = {result.data()};
  EXPECT_EQ(kernel->workspace_bytes(), 0u);
  kernel->bind(in, out, nullptr);
  kernel->run();
  return result;
}

// The shorter formulas for bf16 may cost a rounding at most where a number lies in the middle of two.
TEST(CpuActivation, InBf16EveryNumberIsRoundedOnce) {
  constexpr double kHalfUnit = 0x1p-8, kFormula = 4e-5, kDenormal = 1e-36;
  const std::vector<uint16_t> x = all_bf16(), ones(x.size(), 0x3F80);
  const auto phi = [](double v) { return std::erfc(-v / std::sqrt(2.0)) / 2; };
  const auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto check = [&](const Op& op, const std::vector<std::vector<uint16_t>>& inputs, double absolute, auto&& formula) {
    const std::vector<uint16_t> found = run_bf16(op, inputs);
    for (size_t i = 0; i < x.size(); ++i) {
      const double v = value_of(x[i]), wanted = formula(v);
      ASSERT_LE(std::abs(value_of(found[i]) - wanted), (kHalfUnit + kFormula) * std::abs(wanted) + absolute + kDenormal)
          << op.name() << " " << op.attributes() << " of " << v;
    }
  };
  check(Activation{ActivationKind::gelu}, {x}, 0, [&](double v) { return v * phi(v); });
  check(Activation{ActivationKind::silu}, {x}, 0, [&](double v) { return v * logistic(v); });
  check(Activation{ActivationKind::sigmoid}, {x}, 0, logistic);
  check(ActivationGrad{ActivationKind::gelu}, {ones, x}, kFormula,
        [&](double v) { return phi(v) + (std::abs(v) < 40 ? v * std::exp(-v * v / 2) / std::sqrt(2 * std::numbers::pi) : 0); });
  check(ActivationGrad{ActivationKind::silu}, {ones, x}, kFormula, [&](double v) {
    const double s = logistic(v);
    return s * (1 + (std::abs(v) < 700 ? v * logistic(-v) : 0));
  });
}

TEST(CpuActivation, StridesAndInPlace) {
  for (ActivationKind kind : {ActivationKind::silu, ActivationKind::relu6}) {
    const Array x = random_array({2, 21, 5, 7}, 3, 4);
    check_op(Activation{kind}, {x}, {.extra_stride = 3});
    check_op(Activation{kind}, {x}, {.aliases = {{0, 0}}});
    check_op(ActivationGrad{kind}, {random_array(x.type.shape, 4), x}, {.extra_stride = 5});
    check_op(ActivationGrad{kind}, {random_array(x.type.shape, 4), x}, {.aliases = {{0, 0}}});
  }
}

TEST(CpuBinary, BroadcastsInEveryForm) {
  const std::pair<Shape, Shape> shapes[] = {
      {{2, 24, 5, 7}, {2, 24, 5, 7}}, {{2, 24, 5, 7}, {2, 24, 1, 1}},      {{2, 24, 1, 1}, {2, 24, 5, 7}}, {{2, 24, 5, 7}, {1, 24, 1, 1}},
      {{1, 19, 1, 1}, {3, 19, 4, 4}}, {{2, 24, 5, 7}, {1, 1, 1, 1}},       {{2, 24, 5, 7}, {2, 1, 1, 1}},  {{2, 24, 5, 7}, {2, 1, 5, 7}},
      {{2, 24, 1, 7}, {1, 24, 5, 1}}, {{16, 1000, 1, 1}, {1, 1000, 1, 1}}, {{1, 1, 1, 1}, {1, 1, 1, 1}}};
  for (const auto& [a, b] : shapes)
    for (int64_t extra : {0, 3}) {
      const std::vector<Array> inputs{random_array(a, 5), random_array(b, 6)};
      check_op(Add{}, inputs, {.extra_stride = extra});
      check_op(Multiply{}, inputs, {.extra_stride = extra});
    }
  check_op(Add{}, {random_array({7}, 5), random_array({7}, 6)});
  check_op(Add{}, {random_array({}, 5), random_array({}, 6)});
  check_op(Add{}, {random_array({2, 24, 5, 7}, 5), random_array({2, 24, 5, 7}, 6)}, {.aliases = {{1, 0}}});
  check_op(Multiply{}, {random_array({2, 24, 5, 7}, 5), random_array({2, 24, 1, 1}, 6)}, {.aliases = {{0, 0}}});
}

TEST(CpuSum, EveryForm) {
  const Shape from{3, 20, 5, 7};
  for (const Shape& to : {Shape{1, 20, 1, 1}, Shape{3, 20, 1, 1}, Shape{1, 1, 1, 1}, Shape{3, 1, 5, 7}, Shape{1, 20, 5, 7},
                          Shape{3, 20, 5, 7}, Shape{3, 1, 1, 7}})
    for (int64_t extra : {0, 5}) {
      // The mean is far from zero, so that no sum cancels.
      check_op(SumTo{to}, {random_array(from, 7, 1, 3)}, {.extra_stride = extra, .tolerance = 3e-7});
      check_op(BroadcastTo{from, 0.37}, {random_array(to, 8)}, {.extra_stride = extra});
    }
  check_op(SumTo{Shape{1, 3, 1, 1}}, {random_array({16, 3, 224, 224}, 9, 1, 3)}, {.tolerance = 2e-7});
  for (int64_t batch : {1, 2, 9})
    for (int64_t extra : {0, 4})
      check_op(GlobalAveragePool{}, {random_array({batch, 72, 7, 7}, 10, 1, 3)}, {.extra_stride = extra, .tolerance = 2e-7});
}

TEST(CpuMaxPool, ForwardAndBackward) {
  struct Case {
    Shape shape;
    MaxPool2d op;
  };
  const Case cases[] = {{{2, 19, 13, 14}, {{3, 3}, {2, 2}, {1, 1, 1, 1}}},
                        {{1, 64, 8, 9}, {{2, 2}, {2, 2}, {}}},
                        {{2, 5, 7, 7}, {{3, 2}, {1, 3}, {1, 0, 0, 1}}}};
  for (const auto& [shape, op] : cases)
    for (int64_t extra : {0, 3}) {
      const Array x = random_array(shape, 11);
      const Outcome outcome = check_op(op, {x}, {.extra_stride = extra, .tolerance = 0});
      check_op(op, {x}, {.extra_stride = extra, .unused_outputs = {1}, .tolerance = 0});
      const MaxPool2dGrad grad{op.kernel, op.stride, op.padding, {shape.height(), shape.width()}};
      check_op(grad, {random_array(outcome.wanted[0].type.shape, 12), outcome.wanted[1]}, {.extra_stride = extra});
    }
  Array equal = random_array({1, 18, 6, 6}, 13, 0, -2);
  check_op(MaxPool2d{{3, 3}, {2, 2}, {1, 1, 1, 1}}, {equal}, {.tolerance = 0});  // the first of equals wins, padding never
}

TEST(CpuRandomMask, IsTheDefinition) {
  for (bool per_sample : {false, true})
    for (double probability : {0.0, 0.2, 0.5})
      for (int64_t extra : {0, 3}) {
        const Array x = random_array({8, 37, 3, 5}, 14);
        const RandomMask op{probability, per_sample, 12345};
        check_op(op, {x, scalar_i64(-7), scalar_i64(1000)}, {.extra_stride = extra, .tolerance = 2e-7});
        check_op(op, {x, scalar_i64(3), scalar_i64(0)}, {.aliases = {{0, 0}}, .tolerance = 2e-7});
      }
}

TEST(CpuCrossEntropy, ForwardAndBackward) {
  for (double smoothing : {0.0, 0.1})
    for (int64_t extra : {0, 6}) {
      const Array logits = random_array({9, 21, 1, 1}, 15, 10);
      Array labels{{DType::i32, Shape{9}}, {0, 20, 3, 4, 5, 5, 19, 8, 1}};
      const Outcome outcome = check_op(CrossEntropy{smoothing}, {logits, labels}, {.extra_stride = extra, .tolerance = 2e-7});
      check_op(CrossEntropy{smoothing}, {logits, labels}, {.extra_stride = extra, .unused_outputs = {1}, .tolerance = 2e-7});
      Array probabilities = outcome.wanted[0 + 1];
      probabilities.type.dtype = DType::f32;
      for (double& p : probabilities.values) p = static_cast<float>(p);
      check_op(CrossEntropyGrad{smoothing}, {scalar_f32(1.7), probabilities, labels}, {.extra_stride = extra, .tolerance = 2e-7});
    }
}

TEST(CpuUpdates, SgdAndAdamW) {
  const Shape shape{33, 7, 3, 3};
  const Array p = random_array(shape, 16), g = random_array(shape, 17), m = random_array(shape, 18);
  Array v = random_array(shape, 19);
  for (double& value : v.values) value = std::abs(value);
  for (bool nesterov : {false, true}) {
    const SgdUpdate sgd{0.9, 1e-2, 0.5, nesterov};
    check_op(sgd, {p, g, m, scalar_f32(0.1)}, {.tolerance = 2e-7});
    check_op(sgd, {p, g, m, scalar_f32(0.1)}, {.aliases = {{0, 0}, {2, 1}}, .tolerance = 2e-7});
  }
  for (int64_t step : {0, 5, 100000}) {
    const AdamWUpdate adamw{0.9, 0.999, 1e-8, 0.05, 0.5};
    check_op(adamw, {p, g, m, v, scalar_f32(0.01), scalar_i64(step)}, {.tolerance = 2e-7});
    check_op(adamw, {p, g, m, v, scalar_f32(0.01), scalar_i64(step)}, {.aliases = {{0, 0}, {2, 1}, {3, 2}}, .tolerance = 2e-7});
  }
}

TEST(CpuConstants, FillAndCount) {
  check_op(Constant{DType::f32, Shape{2, 5, 3, 3}, 0.25}, {}, {.extra_stride = 3});
  check_op(Constant{DType::i64, Shape{}, 7}, {});
  check_op(Increment{}, {scalar_i64(41)});
  check_op(Increment{}, {scalar_i64(41)}, {.aliases = {{0, 0}}});
}

}  // namespace
}  // namespace fovea::test
