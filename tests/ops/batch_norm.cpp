#include "ops/batch_norm.h"

#include <gtest/gtest.h>

#include "autodiff/autodiff.h"
#include "backends.h"
#include "cases.h"
#include "harness.h"

namespace fovea::testing {
namespace {

using enum ActivationKind;

struct Named {
  std::string name;
  Shape shape;
};

std::vector<Named> shapes() {
  return {{"small", {2, 19, 3, 5}},       {"wide", {3, 64, 4, 4}},         {"one_channel", {2, 1, 4, 4}},
          {"one_picture", {1, 35, 3, 3}}, {"linear", {5, 24, 1, 1}},       {"large_picture", {1, 16, 40, 41}},
          {"two_values", {2, 8, 1, 1}},   {"three_channels", {2, 3, 6, 6}}};
}

std::vector<CaseInput> operands(const Shape& shape) {
  const int64_t c = shape.channels();
  return {normal(shape), positive_channel_vector(c, 1), channel_vector(c, 2), channel_vector(c, 3), positive_channel_vector(c, 4)};
}

// (dy, x, gamma, mean, spread)
std::vector<CaseInput> grad_operands(const Shape& shape) {
  const int64_t c = shape.channels();
  return {normal(shape, 5), normal(shape), positive_channel_vector(c, 1), channel_vector(c, 3), positive_channel_vector(c, 4)};
}

std::vector<CaseInput> with(std::vector<CaseInput> inputs, CaseInput more) {
  inputs.push_back(std::move(more));
  return inputs;
}

std::string repeated(const std::string& type, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += " " + type;
  return text;
}

void add_forward(std::vector<OpCase>& cases, const Named& entry) {
  const auto& [name, shape] = entry;
  const std::string x = f32_text(shape), vector = f32_text({1, shape.channels(), 1, 1});
  const std::vector<CaseInput> inputs = operands(shape);
  cases.push_back({name, BatchNorm{}, inputs, x});
  cases.push_back({name, BatchNormInference{1e-3}, inputs, x, {0, 1, 2}, {}, 0, 1e-6});
  for (ActivationKind kind : {identity, relu, relu6, silu})
    for (bool residual : {false, true}) {
      if (kind == relu6 && residual) continue;
      const bool plain = kind == identity && !residual;
      // The slope of two values' normalization by either is nothing but rounding.
      const std::vector<size_t> gradients = !plain                 ? std::vector<size_t>{}
                                            : name == "two_values" ? std::vector<size_t>{1, 2}
                                                                   : std::vector<size_t>{0, 1, 2};
      cases.push_back({name + "_" + print_field(kind) + (residual ? "_residual" : ""),
                       BatchNormTraining{1e-3, 0.1, residual, kind},
                       residual ? with(inputs, normal(shape, 6)) : inputs,
                       x + repeated(vector, 4),
                       gradients,
                       {1, 2, 3, 4}});
    }
}

void add_apply(std::vector<OpCase>& cases, const Named& entry) {
  const auto& [name, shape] = entry;
  const int64_t c = shape.channels();
  const std::string x = f32_text(shape);
  cases.push_back({name + "_affine",
                   BatchNormTraining{1e-3, 0.1, false, relu, true},
                   operands(shape),
                   x + repeated(f32_text({1, c, 1, 1}), 4) + " " + f32_text({2, c, 1, 1}),
                   {},
                   {1, 2, 3, 4, 5}});
  for (ActivationKind kind : {identity, relu, silu})
    for (bool residual : {false, true}) {
      const std::vector<CaseInput> inputs{normal(shape), channel_vector(c, 3), parameter(normal({2, c, 1, 1}, 5))};
      cases.push_back({name + "_" + print_field(kind) + (residual ? "_residual" : ""), BatchNormApply{residual, kind},
                       residual ? with(inputs, normal(shape, 6)) : inputs, x});
    }
}

void add_backward(std::vector<OpCase>& cases, const Named& entry) {
  const auto& [name, shape] = entry;
  const std::string x = f32_text(shape), vector = f32_text({1, shape.channels(), 1, 1});
  const std::vector<CaseInput> inputs = grad_operands(shape);
  const std::string three = x + repeated(vector, 2);
  cases.push_back({name, BatchNormInferenceGrad{1e-3}, inputs, three, {}, {1, 2}});
  cases.push_back({name, BatchNormTrainingGrad{1e-3}, inputs, three, {}, {1, 2}});
  for (ActivationKind kind : {silu, hard_swish, sigmoid})
    cases.push_back({name + "_" + print_field(kind),
                     BatchNormTrainingGrad{1e-3, true, false, kind},
                     with(inputs, channel_vector(shape.channels(), 7)),
                     three,
                     {},
                     {1, 2}});
  for (ActivationKind kind : {relu, relu6}) {
    cases.push_back({name + "_" + print_field(kind),
                     BatchNormTrainingGrad{1e-3, true, false, kind},
                     with(inputs, channel_vector(shape.channels(), 7)),
                     three,
                     {},
                     {1, 2}});
    // y as an activation leaves it: zeros where it was cut.
    CaseInput y = normal(shape, 8);
    for (double& value : y.values) value = activate(kind, value);
    cases.push_back({name + "_" + print_field(kind) + "_residual",
                     BatchNormTrainingGrad{1e-3, false, true, kind},
                     with(inputs, y),
                     three + " " + x,
                     {},
                     {1, 2}});
  }
}

void add_affine(std::vector<OpCase>& cases, const Named& entry) {
  const int64_t c = entry.shape.channels();
  const std::vector<CaseInput> inputs = operands({2, c, 2, 2});
  cases.push_back({entry.name, BatchNormAffine{1e-3}, {inputs[1], inputs[2], inputs[4]}, f32_text({2, c, 1, 1}), {}, {0}});
}

void add_fold(std::vector<OpCase>& cases) {
  const auto fold = [&](const std::string& name, const Shape& w) {
    std::vector<CaseInput> inputs = operands({2, w[0], 2, 2});
    inputs[0] = parameter(normal(w));
    const std::string types = f32_text(w) + " " + f32_text({1, w[0], 1, 1});
    cases.push_back({name, FoldBatchNorm{1e-3}, inputs, types, {}, {0, 1}, 0, 1e-6});
    cases.push_back({name + "_bias", FoldBatchNorm{1e-3}, with(inputs, channel_vector(w[0], 9)), types, {}, {0, 1}, 0, 1e-6});
  };
  fold("3x3", {7, 5, 3, 3});
  fold("depthwise", {16, 1, 5, 5});
  fold("1x1", {24, 40, 1, 1});
}

void add_batch_norm_errors(std::vector<OpCase>& cases) {
  const CaseInput x = only("f32[2,8,4,4]"), c = only("f32[1,8,1,1]"), other = only("f32[1,9,1,1]"), double_c = only("f64[1,8,1,1]");
  cases.push_back({"vectors", BatchNorm{}, {x, c, c, other, c}, "error: batch_norm: mean is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"count", BatchNormInference{}, {x, c, c, c}, "error: batch_norm_inference: 4 inputs, it takes 5"});
  cases.push_back(
      {"types", BatchNormInference{}, {x, c, c, c, double_c}, "error: batch_norm_inference: var is f64[1,8,1,1], x is f32[2,8,4,4]"});
  cases.push_back({"one_value",
                   BatchNormTraining{},
                   {only("f32[1,8,1,1]"), c, c, c, c},
                   "error: batch_norm_training: x [1,8,1,1] has one value a channel, training needs two or more"});
  cases.push_back({"residual",
                   BatchNormTraining{1e-5, 0.1, true, relu},
                   {x, c, c, c, c, only("f32[2,8,4,1]")},
                   "error: batch_norm_training: residual is [2,8,4,1], [2,8,4,4] is wanted"});
  cases.push_back(
      {"vectors", BatchNormAffine{}, {c, c, only("f32[1,9,1,1]")}, "error: batch_norm_affine: var is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"affine", BatchNormApply{}, {x, c, c}, "error: batch_norm_apply: affine is [1,8,1,1], [2,8,1,1] is wanted"});
  cases.push_back({"dy",
                   BatchNormTrainingGrad{},
                   {only("f32[2,8,4,3]"), x, c, c, c},
                   "error: batch_norm_training_grad: dy is [2,8,4,3], [2,8,4,4] is wanted"});
  cases.push_back({"lost_activation",
                   BatchNormTrainingGrad{1e-5, false, true, silu},
                   {x, x, c, c, c, x},
                   "error: batch_norm_training_grad: activation silu with a residual, only relu and relu6 are found again from y"});
  cases.push_back({"no_beta",
                   BatchNormTrainingGrad{1e-5, false, false, silu},
                   {x, x, c, c, c},
                   "error: batch_norm_training_grad: with_beta false for activation silu without a residual"});
  cases.push_back(
      {"weights", FoldBatchNorm{}, {only("f32[9,8,1,1]"), c, c, c, c}, "error: fold_batch_norm: gamma is [1,8,1,1], [1,9,1,1] is wanted"});
}

}  // namespace

std::vector<OpCase> batch_norm_cases() {
  std::vector<OpCase> cases;
  for (const Named& entry : shapes()) {
    add_forward(cases, entry);
    add_apply(cases, entry);
    add_affine(cases, entry);
    add_backward(cases, entry);
  }
  add_fold(cases);
  add_batch_norm_errors(cases);
  return cases;
}

namespace {

// The fused forward and backward against the plain graph's own differentiation.
struct FusedPair {
  Graph graph;
  std::map<std::string, Values> feeds;
  std::vector<ValueId> plain, fused;
};

FusedPair fused_pair(const BatchNormTraining& op, const Shape& shape) {
  FusedPair pair;
  std::vector<CaseInput> sources = operands(shape);
  if (op.residual) sources.push_back(normal(shape, 6));
  std::vector<Value> inputs;
  for (const CaseInput& source : sources) {
    const std::string name = "x" + std::to_string(inputs.size());
    inputs.emplace_back(pair.graph, pair.graph.input(name, as(source.type, DType::f64)));
    pair.feeds[name] = source.values;
  }
  const Value dy(pair.graph, pair.graph.input("dy", {DType::f64, shape}));
  pair.feeds["dy"] = normal(shape, 5).values;

  const std::vector<Value> fused = emit(op, inputs, "fused");
  std::vector<Value> grad_inputs{dy, inputs[0], inputs[1], fused[1], fused[2]};
  const bool with_beta = !op.residual && op.activation != identity;
  if (with_beta) grad_inputs.push_back(inputs[2]);
  if (op.residual) grad_inputs.push_back(fused[0]);
  for (const Value& value : emit(BatchNormTrainingGrad{op.eps, with_beta, op.residual, op.activation}, grad_inputs, "fused grad"))
    pair.fused.push_back(value.id());

  const Value y = compose(op, inputs, "plain")[0];
  std::vector<ValueId> wanted{inputs[0].id(), inputs[1].id(), inputs[2].id()};
  if (op.residual) wanted.push_back(inputs[5].id());
  pair.plain = autodiff::gradients(pair.graph, y.id(), dy.id(), wanted);
  return pair;
}

TEST(FusedBatchNorm, DifferentiatesLikeItsPlainComposition) {
  std::vector<BatchNormTraining> forms;
  for (ActivationKind kind : {identity, relu, relu6, silu, sigmoid, hard_swish, hard_sigmoid, gelu})
    forms.push_back({1e-3, 0.1, false, kind});
  for (ActivationKind kind : {relu, relu6}) forms.push_back({1e-3, 0.1, true, kind});
  for (const BatchNormTraining& op : forms) {
    SCOPED_TRACE(print_fields(op));
    const FusedPair pair = fused_pair(op, {3, 19, 4, 5});
    const auto plain = run_graph(pair.graph, pair.feeds, pair.plain), fused = run_graph(pair.graph, pair.feeds, pair.fused);
    ASSERT_EQ(plain.size(), fused.size());
    for (size_t i = 0; i < plain.size(); ++i) EXPECT_LE(distance(fused[i], plain[i]), 1e-13) << "result " << i;
  }
}

// A mean far from 0 against a small deviation: sums of squares would cancel.
TEST(BatchNormTraining, KeepsItsVarianceFarFromZero) {
  const Shape shape{4, 19, 12, 12};
  std::vector<CaseInput> inputs = operands(shape);
  for (double& value : inputs[0].values) value = static_cast<float>(value * 0.5 + 300);
  const OpCase test{"offset", BatchNormTraining{1e-5, 0.1}, inputs, "", {}, {1, 2, 3, 4}};
  const auto wanted = run_case(reference::reference_backend(), test, {.dtype = DType::f64}).value();
  for (const backend::Backend* backend : backends()) {
    const auto found = run_case(*backend, test, {}).value();
    EXPECT_LE(distance(found[2], wanted[2]), 1e-4) << "1 / sqrt(var) on " << backend->name();
    EXPECT_LE(distance(found[4], wanted[4]), 1e-4) << "next var on " << backend->name();
  }
}

}  // namespace
}  // namespace fovea::testing
