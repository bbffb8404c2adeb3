// Networks that both libraries have: a checkpoint in the layout of either loads into both.
#include <gtest/gtest.h>

#include "models/registry.h"
#include "weights/load.h"

namespace fovea {
namespace {

std::vector<weights::ExpectedTensor> states_of(const models::Variant& variant) {
  BuildOptions options;
  options.height = options.width = variant.input_size;
  const ModelGraph model = models::build(variant, options);
  std::vector<weights::ExpectedTensor> states;
  for (const State& state : model.graph.states()) states.push_back({state.name, state.stored_shape});
  return states;
}

// Tensors without values: nothing reads them where no type is converted.
weights::StateDict file_of(const std::vector<weights::ExpectedTensor>& states) {
  static constexpr float kNothing = 0;
  weights::StateDict file;
  for (const auto& state : states) file.add(state.name, Tensor::wrap(DType::f32, state.shape, nullptr, &kNothing));
  return file;
}

void expect_loads(const models::Variant& from, const models::Variant& into) {
  SCOPED_TRACE(from.name + " into " + into.name);
  const auto model = states_of(into);
  weights::LoadOptions options;
  options.model = into.name;
  weights::LoadReport report;
  ASSERT_NO_THROW(report = weights::match(file_of(states_of(from)), model, options, [](size_t, const Tensor&) {}));
  EXPECT_EQ(report.loaded.size(), model.size());
  EXPECT_TRUE(report.unexpected.empty() && report.left_out.empty());
}

TEST(Layouts, EitherLoadsIntoBoth) {
  int pairs = 0;
  for (const std::string& name : models::names()) {
    constexpr std::string_view kTimm = "timm/";
    if (!name.starts_with(kTimm)) continue;
    const models::Variant& timm = models::get(name);
    const models::Variant* torchvision = models::find("torchvision/" + name.substr(kTimm.size()));
    ASSERT_NE(torchvision, nullptr) << name;
    expect_loads(timm, *torchvision);
    expect_loads(*torchvision, timm);
    ++pairs;
  }
  EXPECT_GE(pairs, 20);
}

// timm's own names for the networks that it calls otherwise.
TEST(Layouts, TransformersOfDifferentNames) {
  const models::Variant& deit = models::get("deit_base_patch16_224");
  const models::Variant& base = models::get("vit_b_16");
  expect_loads(deit, base);
  expect_loads(base, deit);
}

}  // namespace
}  // namespace fovea
