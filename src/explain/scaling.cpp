// Compound scaling: Tan and Le 2019, arXiv:1905.11946, equation 3.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "explain/explain.h"
#include "explain/numbers.h"

namespace fovea::explain {
namespace {

// Section 3.3: found on the baseline under alpha beta^2 gamma^2 = 2, so that each further phi doubles the work.
constexpr double kAlpha = 1.2, kBeta = 1.1, kGamma = 1.15;

struct Size {
  int64_t blocks = 0;
  int64_t channels = 0;  // of the last stage that is made of blocks
  double side = 0;       // of the pictures: the geometric mean of height and width
  int64_t multiply_adds = 0;
};

// The places "TAP.0.", "TAP.1." of parameters that lie deeper than a layer's own.
int64_t blocks_below(const Graph& graph, const std::string& tap) {
  std::set<std::string> blocks;
  for (const State& state : graph.states()) {
    if (!state.name.starts_with(tap + ".")) continue;
    const std::string rest = state.name.substr(tap.size() + 1);
    const size_t end = rest.find('.');
    if (end != rest.npos && rest.find('.', end + 1) != rest.npos) blocks.insert(rest.substr(0, end));
  }
  return static_cast<int64_t>(blocks.size());
}

Size size_of(const Subject& subject) {
  Size size;
  for (const Tap& tap : subject.model.taps) {
    const int64_t blocks = blocks_below(subject.graph, tap.name);
    size.blocks += blocks;
    if (blocks > 0) size.channels = tap.channels;
  }
  size.side = std::sqrt(real(subject.height) * real(subject.width));
  size.multiply_adds = subject.multiply_adds;
  return size;
}

// What the others of its kind are scaled from: "efficientnet_b0", "tf_efficientnet_lite0"; V2's small one.
std::string baseline_of(const std::string& name) {
  const char last = name.back();
  return name.substr(0, name.size() - 1) + (last >= '0' && last <= '9' ? '0' : 's');
}

bool scaled_by_rule(const std::string& name) { return name.back() >= '0' && name.back() <= '9'; }

}  // namespace

std::optional<Explanation> compound_scaling(const Subject& subject) {
  const models::Variant& variant = subject.variant;
  if (variant.family != "efficientnet") return std::nullopt;
  const models::Variant* baseline = models::find(baseline_of(variant.name));
  if (!baseline) return std::nullopt;
  BuildOptions options;
  options.height = options.width = baseline->input_size;
  options.classes = baseline->classes;
  const ModelGraph model = models::build(*baseline, options);
  const Size from = size_of(Subject(model, *baseline)), to = size_of(subject);

  const double work = ratio(to.multiply_adds, from.multiply_adds);
  Explanation result{
      "compound_scaling", "Compound scaling", "depth alpha^phi, width beta^phi, resolution gamma^phi", {}, "scaled", {}, {}, {}};
  result.columns = {{"baseline", baseline->name, Unit::count}, {"own", "this", Unit::count}, {"ratio", "ratio", Unit::ratio}};
  result.rows = {{"depth: blocks", {real(from.blocks), real(to.blocks), ratio(to.blocks, from.blocks)}},
                 {"width: channels of the last stage", {real(from.channels), real(to.channels), ratio(to.channels, from.channels)}},
                 {"resolution: pixels a side", {from.side, to.side, to.side / from.side}},
                 {"multiply-adds", {real(from.multiply_adds), real(to.multiply_adds), work}}};
  if (!scaled_by_rule(variant.name)) {
    result.formula = "depth, width and resolution together";
    result.text =
        fmt::format("The larger ones are scaled from {} in depth, width and resolution at once, by hand where it paid.", baseline->name);
    return result;
  }
  const double step = kAlpha * kBeta * kBeta * kGamma * kGamma, phi = std::log(work) / std::log(step);
  const double by_rule[] = {std::pow(kAlpha, phi), std::pow(kBeta, phi), std::pow(kGamma, phi), std::pow(step, phi)};
  result.columns.push_back({"rule", "by the rule", Unit::ratio});
  for (size_t i = 0; i < result.rows.size(); ++i) result.rows[i].values.push_back(by_rule[i]);
  result.text = fmt::format(
      "One coefficient phi scales {0} in depth by alpha^phi, in width by beta^phi and in resolution by gamma^phi, with alpha = {1}, beta = "
      "{2}, gamma = {3} and so alpha beta^2 gamma^2 = {4:.2f}: each further phi about doubles the work. This network's multiply-adds "
      "amount to phi = {5:.1f}; the variants round every number, up to whole blocks and to multiples of 8 channels.",
      baseline->name, kAlpha, kBeta, kGamma, step, phi);
  result.facts = {{"alpha", "alpha", kAlpha, Unit::ratio},
                  {"beta", "beta", kBeta, Unit::ratio},
                  {"gamma", "gamma", kGamma, Unit::ratio},
                  {"phi", "phi", phi, Unit::ratio}};
  return result;
}

}  // namespace fovea::explain
