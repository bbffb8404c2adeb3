#include <fovea/heat_map.h>

#include <algorithm>

#include "api/device.h"
#include "api/implementation.h"
#include "base/error.h"
#include "base/named.h"
#include "base/nearest.h"
#include "saliency/heat_maps.h"

namespace fovea {
namespace {

constexpr Named<HeatMethod> kMethods[] = {
    {"auto", HeatMethod::automatic}, {"gradcam", HeatMethod::grad_cam}, {"rollout", HeatMethod::rollout}};

int64_t index_of(const Model& model, const std::string& name) {
  if (name.empty()) return -1;
  const std::vector<std::string>& classes = model.classes();
  const auto found = std::ranges::find(classes, name);
  if (found != classes.end()) return found - classes.begin();
  fail(ErrorKind::usage, "{} has no class '{}'; the nearest of its {}: {}", model.name(), name, classes.size(), nearest(name, classes));
}

}  // namespace

std::string to_string(HeatMethod method) { return name_of(kMethods, method); }

HeatMethod parse_heat_method(const std::string& name) {
  if (const auto method = value_of(kMethods, name)) return *method;
  fail(ErrorKind::usage, "method \"{}\" is none of {}", name, names_of(kMethods));
}

HeatMap heat_map(const Model& model, const Image& picture, const HeatMapOptions& options) {
  Model::Implementation& implementation = model.implementation();
  const int64_t wanted = index_of(model, options.class_name);
  const auto alone = implementation.session().alone();
  saliency::HeatMaps maps(implementation.shared_network(), device(), options);
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
