// What holds for every case of every operation.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "autodiff/autodiff.h"
#include "backends.h"
#include "base/error.h"
#include "base/random.h"
#include "cases.h"
#include "harness.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/dropout.h"
#include "ops/registry.h"

namespace fovea::testing {
namespace {

constexpr std::string_view error_mark = "error: ";

bool is_error(const OpCase& test) { return test.expected.starts_with(error_mark); }

std::vector<OpCase> error_cases() {
  std::vector<OpCase> cases = all_cases();
  std::erase_if(cases, [](const OpCase& test) { return !is_error(test); });
  return cases;
}

std::vector<OpCase> good_cases() {
  std::vector<OpCase> cases = all_cases();
  std::erase_if(cases, is_error);
  return cases;
}

// Without those that run in a lowered form only.
std::vector<OpCase> runnable_cases() {
  std::vector<OpCase> cases = good_cases();
  std::erase_if(cases, [](const OpCase& test) { return test.op.as<BatchNorm>() || test.op.as<Dropout>(); });
  return cases;
}

std::vector<OpCase> gradient_cases() {
  std::vector<OpCase> cases = good_cases();
  std::erase_if(cases, [](const OpCase& test) { return test.gradients.empty(); });
  return cases;
}

bool is_fused(const Op& op) { return op.as<FusedConv2d>() || op.as<BatchNormTraining>(); }

std::vector<OpCase> fused_cases() {
  std::vector<OpCase> cases = good_cases();
  std::erase_if(cases, [](const OpCase& test) { return !is_fused(test.op); });
  return cases;
}

Types input_types(const OpCase& test, DType dtype = DType::f32) {
  Types types;
  for (const CaseInput& input : test.inputs) types.push_back(as(input.type, dtype));
  return types;
}

std::string name_of(const ::testing::TestParamInfo<OpCase>& info) {
  std::string name;
  for (char c : fmt::format("{}_{}", info.param.op.name(), info.param.name)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

FieldTexts split_fields(const std::string& text) {
  FieldTexts fields;
  for (size_t at = 0; at < text.size();) {
    const size_t equals = text.find('=', at), end = std::min(text.find(' ', at), text.size());
    fields[text.substr(at, equals - at)] = text.substr(equals + 1, end - equals - 1);
    at = end + 1;
  }
  return fields;
}

class EveryOp : public ::testing::TestWithParam<OpCase> {};

TEST_P(EveryOp, InfersItsTypes) {
  const OpCase& test = GetParam();
  const Types results = test.op.infer(input_types(test));
  std::string text;
  for (const Type& type : results) text += (text.empty() ? "" : " ") + to_string(type);
  EXPECT_EQ(text, test.expected);

  const Cost cost = test.op.cost(input_types(test), results);
  EXPECT_EQ(cost.multiply_adds, test.multiply_adds);
  size_t bytes = 0;
  for (const Type& type : input_types(test)) bytes += type.bytes();
  for (const Type& type : results) bytes += type.bytes();
  EXPECT_EQ(cost.bytes, static_cast<int64_t>(bytes));
}

TEST_P(EveryOp, IsReadBackFromItsText) {
  const Op& op = GetParam().op;
  EXPECT_EQ(parse_op(op.name(), split_fields(op.attributes())), op);
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryOp, ::testing::ValuesIn(good_cases()), name_of);

std::vector<RunOptions> runs_of(const OpCase& test, DType dtype) {
  std::vector<RunOptions> runs{{.dtype = dtype, .constants = true}, {.dtype = dtype, .slices = true}};
  const Types types = input_types(test), results = test.op.infer(types);
  for (size_t o = 0; o < results.size(); ++o) {
    if (results.size() > 1) runs.push_back({.dtype = dtype, .unused = o});
    for (size_t i = 0; i < types.size(); ++i) {
      if (!test.op.overwrites(static_cast<int>(i), static_cast<int>(o)) || !(types[i] == results[o])) continue;
      runs.push_back({.dtype = dtype, .alias = std::pair{i, o}});
      const bool dense = std::count(test.dense_outputs.begin(), test.dense_outputs.end(), o) > 0;
      if (test.inputs[i].parameter == dense) runs.push_back({.dtype = dtype, .slices = true, .alias = std::pair{i, o}});
    }
  }
  return runs;
}

std::vector<Values> oracle(const OpCase& test) {
  auto results = run_case(reference::reference_backend(), test, {.dtype = DType::f64});
  EXPECT_TRUE(results.has_value()) << "the reference backend refuses " << test.op.name();
  return results.value_or(std::vector<Values>{});
}

// Under the sanitizers, which take long, doubles run in the oracle alone.
#ifdef FOVEA_SANITIZED
constexpr DType kCompared[] = {DType::f32};
#else
constexpr DType kCompared[] = {DType::f32, DType::f64};
#endif

class EveryKernel : public ::testing::TestWithParam<OpCase> {};

TEST_P(EveryKernel, IsWhatDoublesGive) {
  const OpCase& test = GetParam();
  const std::vector<Values> wanted = oracle(test);
  const Types results = test.op.infer(input_types(test));
  for (const backend::Backend* backend : backends())
    for (DType dtype : kCompared) {
      if (!backend->supports(dtype)) continue;
      for (const RunOptions& options : runs_of(test, dtype)) {
        const auto found = run_case(*backend, test, options);
        ASSERT_TRUE(found.has_value()) << backend->name() << " refuses " << test.op.name() << ", " << describe(options);
        for (size_t o = 0; o < wanted.size(); ++o) {
          if (options.unused == o) continue;
          const double ceiling = !is_floating(results[o].dtype) ? 0 : dtype == DType::f64 ? 1e-13 : test.ceiling;
          EXPECT_LE(distance((*found)[o], wanted[o]), ceiling) << "output " << o << " on " << backend->name() << ", " << describe(options);
        }
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryKernel, ::testing::ValuesIn(runnable_cases()), name_of);

// Maps in bf16, everything else in f32: the result in doubles on the same numbers, but for the rounding of weights on the way in (the
// library multiplies bf16 by bf16) and of results on the way out: 2^-9 each.
TEST_P(EveryKernel, RoundsToBf16AtMost) {
  const OpCase test = rounded_to_bf16(GetParam());
  const bool has_maps =
      std::ranges::any_of(test.inputs, [](const CaseInput& input) { return as(input, DType::bf16).dtype == DType::bf16; });
  if (!has_maps) return;
  const std::vector<Values> wanted = oracle(test);
  Types types;
  for (const CaseInput& input : test.inputs) types.push_back(as(input, DType::bf16));
  const Types results = test.op.infer(types);
  for (const backend::Backend* backend : backends())
    for (const bool slices : {false, true}) {
      const RunOptions options{.dtype = DType::bf16, .slices = slices, .constants = !slices};
      const auto found = run_case(*backend, test, options);
      ASSERT_TRUE(found.has_value()) << backend->name() << " refuses " << test.op.name() << ", " << describe(options);
      for (size_t o = 0; o < wanted.size(); ++o)
        EXPECT_LE(distance((*found)[o], wanted[o]), is_floating(results[o].dtype) ? 6e-3 : 0)
            << "output " << o << " on " << backend->name() << ", " << describe(options);
    }
}

class EveryWrongOp : public ::testing::TestWithParam<OpCase> {};

TEST_P(EveryWrongOp, SaysWhatIsWrong) {
  const OpCase& test = GetParam();
  try {
    Types types;
    for (const CaseInput& input : test.inputs) types.push_back(input.type);
    test.op.infer(types);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), test.expected.substr(error_mark.size()));
    EXPECT_TRUE(error.kind() == ErrorKind::mismatch || error.kind() == ErrorKind::usage);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryWrongOp, ::testing::ValuesIn(error_cases()), name_of);

double dot(const Values& a, const Values& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

Values direction_of(const Values& like, uint64_t stream) {
  const RandomStream random(7, stream);
  Values values(like.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = random.normal(i);
  return values;
}

class EveryGradient : public ::testing::TestWithParam<OpCase> {};

// L = <dy, y>: its derivative along a random direction, by central differences and by the gradient.
TEST_P(EveryGradient, IsTheSlopeOfTheForward) {
  const OpCase& test = GetParam();
  Graph graph;
  std::vector<ValueId> inputs;
  std::map<std::string, Values> feeds;
  for (const CaseInput& input : test.inputs) {
    const std::string name = fmt::format("x{}", inputs.size());
    inputs.push_back(graph.input(name, as(input.type, DType::f64)));
    feeds[name] = input.values;
  }
  const ValueId y = graph.add(test.op, inputs, "node")[0];
  const Graph forward = graph;
  const ValueId dy = graph.input("dy", graph.type(y));
  feeds["dy"] = direction_of(Values(static_cast<size_t>(graph.type(y).elements())), 0);
  std::vector<ValueId> wanted;
  for (size_t i : test.gradients) wanted.push_back(inputs[i]);
  const std::vector<ValueId> ids = autodiff::gradients(graph, y, dy, wanted);
  verify(graph);
  for (ValueId id : ids) ASSERT_TRUE(id.valid());
  const std::vector<Values> gradients = run_graph(graph, feeds, ids);

  constexpr double step = 1e-5;
  for (size_t k = 0; k < wanted.size(); ++k) {
    const std::string name = fmt::format("x{}", test.gradients[k]);
    const Values center = feeds[name], direction = direction_of(center, k + 1);
    double loss[2];
    for (int side : {0, 1}) {
      for (size_t i = 0; i < center.size(); ++i) feeds[name][i] = center[i] + (side == 0 ? -step : step) * direction[i];
      loss[side] = dot(run_graph(forward, feeds, std::vector{y})[0], feeds["dy"]);
    }
    feeds[name] = center;
    const double scale = std::sqrt(dot(gradients[k], gradients[k]) * dot(direction, direction));
    EXPECT_GT(scale, 0) << "the gradient by input " << test.gradients[k] << " is nothing";
    EXPECT_NEAR(dot(gradients[k], direction), (loss[1] - loss[0]) / (2 * step), 1e-8 * scale) << "input " << test.gradients[k];
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryGradient, ::testing::ValuesIn(gradient_cases()), name_of);

class EveryFusion : public ::testing::TestWithParam<OpCase> {};

TEST_P(EveryFusion, IsItsPlainComposition) {
  const OpCase& test = GetParam();
  Graph graph;
  std::vector<Value> inputs;
  std::map<std::string, Values> feeds;
  for (const CaseInput& input : test.inputs) {
    const std::string name = fmt::format("x{}", inputs.size());
    inputs.emplace_back(graph, graph.input(name, as(input.type, DType::f64)));
    feeds[name] = input.values;
  }
  std::vector<Value> composed;
  if (const auto* conv = test.op.as<FusedConv2d>()) composed = {compose(*conv, inputs, "plain")};
  if (const auto* norm = test.op.as<BatchNormTraining>()) composed = compose(*norm, inputs, "plain");
  const std::vector<Value> fused = emit(test.op, inputs, "fused");
  ASSERT_EQ(composed.size(), fused.size());
  std::vector<ValueId> ids;
  for (const auto& list : {composed, fused})
    for (const Value& value : list) ids.push_back(value.id());
  const std::vector<Values> results = run_graph(graph, feeds, ids);
  for (size_t i = 0; i < fused.size(); ++i) EXPECT_LE(distance(results[fused.size() + i], results[i]), 1e-14) << "result " << i;
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryFusion, ::testing::ValuesIn(fused_cases()), name_of);

TEST(Registry, HasACaseForEveryOperation) {
  std::set<std::string_view> tested;
  const std::vector<OpCase> cases = good_cases();
  for (const OpCase& test : cases) tested.insert(test.op.name());
  for (std::string_view name : op_names()) EXPECT_TRUE(tested.contains(name)) << name << " has no case";
  EXPECT_EQ(tested.size(), op_names().size());
}

TEST(Registry, RefusesWhatItDoesNotKnow) {
  const auto message = [](std::string_view name, FieldTexts fields) {
    try {
      parse_op(name, std::move(fields));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message("conv3d", {}), "'conv3d' is no operation");
  EXPECT_THAT(message("conv2d", {{"groups", "two"}}), ::testing::HasSubstr("'two'"));
  EXPECT_THAT(message("conv2d", {{"dilation", "2"}}), ::testing::HasSubstr("dilation"));
  EXPECT_THAT(message("activation", {{"kind", "swish"}}), ::testing::HasSubstr("'swish'"));
}

}  // namespace
}  // namespace fovea::testing
