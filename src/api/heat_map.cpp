#include <fovea/heat_map.h>

#include <algorithm>

#include "api/implementation.h"
#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "base/nearest.h"
#include "saliency/heat_maps.h"

namespace fovea {
namespace {

constexpr std::pair<HeatMethod, const char*> kMethods[] = {
    {HeatMethod::automatic, "auto"}, {HeatMethod::grad_cam, "gradcam"}, {HeatMethod::rollout, "rollout"}};

int64_t index_of(const Model& model, const std::string& name) {
  if (name.empty()) return -1;
  const std::vector<std::string>& classes = model.classes();
  const auto found = std::ranges::find(classes, name);
  if (found != classes.end()) return found - classes.begin();
  fail(ErrorKind::usage, "{} has no class '{}'; the nearest of its {}: {}", model.name(), name, classes.size(), nearest(name, classes));
}

}  // namespace

std::string to_string(HeatMethod method) {
  for (const auto& [value, name] : kMethods)
    if (value == method) return name;
  fail(ErrorKind::internal, "heat method {} has no name", static_cast<int>(method));
}

HeatMethod parse_heat_method(const std::string& name) {
  std::string choices;
  for (const auto& [value, known] : kMethods) {
    if (name == known) return value;
    choices += fmt::format("{}{}", choices.empty() ? "" : ", ", known);
  }
  fail(ErrorKind::usage, "method \"{}\" is none of {}", name, choices);
}

HeatMap heat_map(const Model& model, const Image& picture, const HeatMapOptions& options) {
  Model::Implementation& implementation = model.implementation();
  const int64_t wanted = index_of(model, options.class_name);
  const auto alone = implementation.session().alone();
  saliency::HeatMaps maps(implementation.shared_network(), cpu::cpu_backend(), options);
  saliency::HeatMaps::OfPicture seen = maps.look(picture, wanted);
  HeatMap result;
  result.method = maps.method();
  result.tap = maps.tap();
  result.explained.index = seen.look.class_index;
  const int64_t classes = static_cast<int64_t>(seen.look.logits.size());
  if (classes > 0)
    for (const ClassProbability& one : implementation.inference().best(seen.look.logits, classes))
      if (one.index == seen.look.class_index) result.explained = one;
  result.heat = seen.heat;
  result.map = Tensor(DType::f32, {seen.look.grid.height, seen.look.grid.width});
  std::ranges::copy(seen.look.grid.values, result.map.mutable_values<float>().begin());
  return result;
}

}  // namespace fovea
