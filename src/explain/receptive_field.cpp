#include "explain/receptive_field.h"

#include <algorithm>
#include <cmath>

#include "ops/attention.h"
#include "ops/cross_attention.h"
#include "ops/average_pool2d.h"
#include "ops/blur_pool2d.h"
#include "ops/conv2d.h"
#include "ops/global_average_pool.h"
#include "ops/global_response_norm.h"
#include "ops/group_norm.h"
#include "ops/max_pool2d.h"
#include "ops/slice.h"
#include "ops/view.h"

namespace fovea::explain {
namespace {

struct Reach {
  double height = 0, width = 0;          // 0: no window of its own
  double row_step = 1, column_step = 1;  // pixels from one place to the next
  bool depends = false, whole = false;
};

int64_t places(const Shape& shape) { return shape.rank() == Shape::max_rank ? shape.height() * shape.width() : 0; }

struct Window {
  Size2 kernel;
  double row_stride = 1, column_stride = 1;
};

Reach through(Reach reach, const Window& window) {
  if (reach.height == 0) return reach;
  reach.height += static_cast<double>(window.kernel.height - 1) * reach.row_step;
  reach.width += static_cast<double>(window.kernel.width - 1) * reach.column_step;
  reach.row_step *= window.row_stride;
  reach.column_step *= window.column_stride;
  return reach;
}

Window window_of(Size2 kernel, Size2 stride) { return {kernel, static_cast<double>(stride.height), static_cast<double>(stride.width)}; }

// The largest number of rows that one of `places` averages.
int64_t adaptive_window(int64_t size, int64_t places) {
  int64_t largest = 1;
  for (int64_t i = 0; i < places; ++i) largest = std::max(largest, ((i + 1) * size + places - 1) / places - i * size / places);
  return largest;
}

// Everything of the map alike, at no place.
Reach everything(Reach reach) {
  reach.height = reach.width = 0;
  reach.whole = true;
  return reach;
}

// What all inputs see together: a gate or a class token adds no window, but may bring the whole picture.
Reach joined(const std::vector<Reach>& reaches, const NodeInfo& node) {
  Reach result;
  for (ValueId input : node.inputs) {
    const Reach& reach = reaches[input.index];
    if (!reach.depends) continue;
    if (reach.height > result.height) {
      result.row_step = reach.row_step;
      result.column_step = reach.column_step;
    }
    result.depends = true;
    result.height = std::max(result.height, reach.height);
    result.width = std::max(result.width, reach.width);
    result.whole = result.whole || reach.whole;
  }
  return result;
}

Reach reach_of(const Graph& graph, const NodeInfo& node, const Reach& in, const KernelOf& kernel_of) {
  const Shape &x = graph.type(node.inputs[0]).shape, &y = graph.type(node.outputs[0]).shape;
  if (const auto* conv = node.op.as<Conv2d>()) {
    const Shape& w = graph.type(node.inputs[1]).shape;
    const Size2 kernel{w[2], w[3]};
    // One kernel over all of the map is a linear layer.
    if (places(y) == 1 && places(x) > 1 && kernel == Size2{x.height(), x.width()}) return everything(in);
    return through(in, window_of(kernel_of ? kernel_of(node, kernel) : kernel, conv->stride));
  }
  if (const auto* pool = node.op.as<MaxPool2d>()) return through(in, window_of(pool->kernel, pool->stride));
  if (const auto* pool = node.op.as<AveragePool2d>()) return through(in, window_of(pool->kernel, pool->stride));
  if (const auto* blur = node.op.as<BlurPool2d>()) return through(in, window_of({3, 3}, {blur->stride, blur->stride}));
  if (node.op.as<GlobalAveragePool>()) return everything(in);
  if (node.op.as<AdaptiveAveragePool2d>()) {
    if (places(y) == 1) return everything(in);
    const Size2 kernel{adaptive_window(x.height(), y.height()), adaptive_window(x.width(), y.width())};
    const auto stride = [](int64_t from, int64_t to) { return static_cast<double>(from) / static_cast<double>(to); };
    return through(in, {kernel, stride(x.height(), y.height()), stride(x.width(), y.width())});
  }
  // A map flattened to one vector, or one token out of many, is at no place.
  if ((node.op.as<View>() || node.op.as<Slice>()) && places(y) == 1 && places(x) > 1) {
    Reach out = everything(in);
    out.whole = node.op.as<View>() || in.whole;
    return out;
  }
  if (node.op.as<Attention>() || node.op.as<CrossAttention>() || node.op.as<GroupNorm>() || node.op.as<GlobalResponseNorm>()) {
    Reach out = in;
    out.whole = true;
    return out;
  }
  return in;
}

}  // namespace

std::vector<ReceptiveField> receptive_fields(const Graph& graph, ValueId image, const KernelOf& kernel_of) {
  std::vector<Reach> reaches(graph.value_count());
  reaches[image.index] = {1, 1, 1, 1, true, false};
  for (const NodeInfo& node : graph.nodes()) {
    const Reach in = joined(reaches, node);
    if (!in.depends) continue;
    const Reach out = reach_of(graph, node, in, kernel_of);
    for (ValueId output : node.outputs) reaches[output.index] = out;
  }
  std::vector<ReceptiveField> result;
  for (const Reach& reach : reaches)
    result.push_back({static_cast<int64_t>(std::llround(reach.height)), static_cast<int64_t>(std::llround(reach.width)), reach.whole});
  return result;
}

}  // namespace fovea::explain
