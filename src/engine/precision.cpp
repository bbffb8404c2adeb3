#include "engine/precision.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/error.h"
#include "engine/executable.h"
#include "ops/conv2d.h"
#include "passes/pipeline.h"
#include "passes/set_precision.h"

namespace fovea::engine {
namespace {

double least_milliseconds(const backend::Backend& backend, DType precision) {
  Graph graph;
  const ValueId x = graph.input("x", {DType::f32, {4, 256, 28, 28}});
  const ValueId w = graph.state("w", {DType::f32, {256, 256, 1, 1}}, StateRole::parameter, {256, 256, 1, 1});
  const Conv2d conv;
  graph.output("y", graph.add(conv, {graph.add(conv, {x, w}, "a")[0], w}, "b")[0]);
  const auto executable = Executable::compile(passes::optimize(passes::set_precision(graph, precision)), backend,
                                              std::make_shared<StateStore>(), std::make_shared<Arena>());
  executable->prepare();
  std::ranges::fill(executable->input_as<float>("x"), 1.0f);
  double least = std::numeric_limits<double>::infinity();
  for (int run = 0; run < 6; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    executable->run();
    least = std::min(least, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  return least;
}

}  // namespace

DType parse_precision(const std::string& name) {
  if (name == "f32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  fail(ErrorKind::unsupported, "dtype {}: f32 and bf16 are supported", name);
}

std::string why_not_bf16(const backend::Backend& backend) {
  static const std::string reason = [&]() -> std::string {
    const double f32 = least_milliseconds(backend, DType::f32), bf16 = least_milliseconds(backend, DType::bf16);
    if (bf16 < f32) return {};
    return fmt::format("bf16 is no faster on this machine ({:.2f} ms for what f32 does in {:.2f} ms), so f32 is kept", bf16, f32);
  }();
  return reason;
}

}  // namespace fovea::engine
