#include "export/converters.h"

#include <cmath>
#include <numbers>
#include <optional>

#include "base/error.h"
#include "ops/activation.h"
#include "ops/add.h"
#include "ops/attention.h"
#include "ops/average_pool2d.h"
#include "ops/batch_norm.h"
#include "ops/blur_pool2d.h"
#include "ops/broadcast_to.h"
#include "ops/concat.h"
#include "ops/conv2d.h"
#include "ops/cross_attention.h"
#include "ops/global_average_pool.h"
#include "ops/global_response_norm.h"
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/max_pool2d.h"
#include "ops/multiply.h"
#include "ops/rms_norm.h"
#include "ops/slice.h"
#include "ops/view.h"

namespace fovea::onnx {
namespace {

using enum Layout;

// The layout that all operands can have at little cost: their own where it is one, else as convolutions want it.
Layout common_layout(const Translation& to, const std::vector<ValueId>& operands) {
  std::optional<Layout> common;
  for (ValueId id : operands) {
    if (to.is_constant(id)) continue;
    const Layout layout = to.layout(id);
    common = !common || *common == layout ? layout : channels_first;
  }
  return common.value_or(channels_first);
}

// Where a dimension of N, C, H, W stands.
int64_t axis_in(Layout layout, int64_t axis) {
  constexpr int64_t last[] = {0, 3, 1, 2};
  return layout == channels_last ? last[axis] : axis;
}

std::vector<int64_t> both(Size2 size) { return {size.height, size.width}; }
std::vector<int64_t> pads(const Padding2& padding) { return {padding.top, padding.left, padding.bottom, padding.right}; }

std::string activate(Translation& to, ActivationKind kind, const std::string& x) {
  switch (kind) {
    case ActivationKind::identity:
      return x;
    case ActivationKind::relu:
      return to.emit("Relu", {x});
    case ActivationKind::relu6:
      return to.emit("Clip", {x, to.number(0), to.number(6)});
    case ActivationKind::sigmoid:
      return to.emit("Sigmoid", {x});
    case ActivationKind::silu:
      return to.emit("Mul", {x, to.emit("Sigmoid", {x})});
    case ActivationKind::hard_swish:
      return to.emit("HardSwish", {x});
    case ActivationKind::hard_sigmoid:
      return to.emit("HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
    case ActivationKind::gelu: {
      // Operator set 20 has Gelu. Runtimes know this form of it.
      const std::string erf = to.emit("Erf", {to.emit("Div", {x, to.number(std::numbers::sqrt2)})});
      return to.emit("Mul", {to.emit("Mul", {x, to.emit("Add", {erf, to.number(1)})}), to.number(0.5)});
    }
    case ActivationKind::gelu_tanh: {
      const double scale = 2 * std::sqrt(2 / std::numbers::pi);
      const std::string square = to.emit("Mul", {to.emit("Mul", {x, x}), to.number(0.044715 * scale)});
      const std::string argument = to.emit("Mul", {x, to.emit("Add", {square, to.number(scale)})});
      return to.emit("Mul", {x, to.emit("Sigmoid", {argument})});
    }
    case ActivationKind::exp:
      return to.emit("Exp", {x});
    case ActivationKind::quick_gelu:
      return to.emit("Mul", {x, to.emit("Sigmoid", {to.emit("Mul", {x, to.number(1.702)})})});
  }
  fail(ErrorKind::internal, "an activation without a name");
}

void convert(Translation& to, const NodeInfo& node, const Activation& op) {
  const Layout layout = to.layout(node.inputs[0]);
  to.set(node.outputs[0], layout, activate(to, op.kind, to.value(node.inputs[0], layout)));
}

void elementwise(Translation& to, const NodeInfo& node, const char* op) {
  const Layout layout = common_layout(to, node.inputs);
  to.set(node.outputs[0], layout, to.emit(op, {to.value(node.inputs[0], layout), to.value(node.inputs[1], layout)}));
}
void convert(Translation& to, const NodeInfo& node, const Add&) { elementwise(to, node, "Add"); }
void convert(Translation& to, const NodeInfo& node, const Multiply&) { elementwise(to, node, "Mul"); }

void convert(Translation& to, const NodeInfo& node, const Concat& op) {
  const Layout layout = common_layout(to, node.inputs);
  std::vector<std::string> inputs;
  for (ValueId id : node.inputs) inputs.push_back(to.value(id, layout));
  to.set(node.outputs[0], layout, to.emit("Concat", inputs, {{"axis", axis_in(layout, op.axis)}}));
}

void convert(Translation& to, const NodeInfo& node, const Slice& op) {
  const Layout layout = to.layout(node.inputs[0]);
  to.set(node.outputs[0], layout,
         to.emit("Slice", {to.value(node.inputs[0], layout), to.ints({op.begin}), to.ints({op.end}), to.ints({axis_in(layout, op.axis)})}));
}

void convert(Translation& to, const NodeInfo& node, const Pad& op) {
  const Layout layout = to.layout(node.inputs[0]);
  const std::string axis = to.ints({axis_in(layout, op.axis)});
  to.set(node.outputs[0], layout, to.emit("Pad", {to.value(node.inputs[0], layout), to.ints({op.before, op.after}), "", axis}));
}

// A factor, or what is repeated for each picture.
void convert(Translation& to, const NodeInfo& node, const BroadcastTo& op) {
  const Shape& x = to.shape(node.inputs[0]);
  if (op.shape == x) {
    const Layout layout = to.layout(node.inputs[0]);
    return to.set(node.outputs[0], layout, to.emit("Mul", {to.value(node.inputs[0], layout), to.number(op.scale)}));
  }
  Shape repeated = x;
  repeated[0] = kBatch;
  if (op.shape != repeated || x[0] != 1 || op.scale != 1)
    fail(ErrorKind::unsupported, "{} from {} to {} has no form in ONNX", op.kName, to_string(x), to_string(op.shape));
  const Layout layout = channels_last;
  const std::string size = to.emit("Concat", {to.batch(), to.ints({x.height(), x.width(), x.channels()})}, {{"axis", int64_t{0}}});
  to.set(node.outputs[0], layout, to.emit("Expand", {to.value(node.inputs[0], layout), size}));
}

void convert(Translation& to, const NodeInfo& node, const View& op) {
  const ValueId x = node.inputs[0];
  const bool maps = op.shape.rank() == Shape::max_rank;
  if (to.shape(x)[0] != op.shape[0])
    fail(ErrorKind::unsupported, "{} from {} to {} mixes pictures", op.kName, to_string(to.shape(x)), to_string(op.shape));
  std::vector<int64_t> dims{0};  // as before
  if (maps)
    dims.insert(dims.end(), {op.shape.height(), op.shape.width(), op.shape.channels()});
  else
    dims.insert(dims.end(), op.shape.dims().begin() + 1, op.shape.dims().end());
  const Layout from = to.shape(x).rank() == Shape::max_rank ? channels_last : plain;
  to.set(node.outputs[0], maps ? channels_last : plain, to.reshape(to.value(x, from), dims));
}

// A linear layer on vectors: Gemm, whose weights are those of the checkpoint.
void linear_of_rows(Translation& to, const NodeInfo& node, const std::string& rows) {
  const Shape& w = to.shape(node.inputs[1]);
  std::vector<std::string> inputs{rows, to.weights(node.inputs[1], {w[0], w[1] * w[2] * w[3]})};
  if (node.inputs.size() > 2) inputs.push_back(to.vector(node.inputs[2]));
  to.set(node.outputs[0], Layout::rows, to.emit("Gemm", inputs, {{"transB", int64_t{1}}}));
}

void linear_of_pixels(Translation& to, const NodeInfo& node) {
  std::string y = to.emit("MatMul", {to.value(node.inputs[0], channels_last), to.transposed(node.inputs[1])});
  if (node.inputs.size() > 2) y = to.emit("Add", {y, to.vector(node.inputs[2])});
  to.set(node.outputs[0], channels_last, y);
}

void convert(Translation& to, const NodeInfo& node, const Conv2d& op) {
  const ValueId x = node.inputs[0], w = node.inputs[1];
  if (!to.is_constant(w)) fail(ErrorKind::unsupported, "{} with weights that are no constants has no converter", op.kName);
  const Shape &size = to.shape(x), &weights = to.shape(w);
  const bool plain_steps = node.op == Op(Conv2d{});
  const bool whole = plain_steps && weights.height() == size.height() && weights.width() == size.width();
  if (whole && to.constant(w).stored.shape().size() == 2) {
    const bool vectors = size.height() == 1 && size.width() == 1;
    return linear_of_rows(to, node,
                          vectors ? to.value(x, rows) : to.emit("Flatten", {to.value(x, channels_first)}, {{"axis", int64_t{1}}}));
  }
  if (plain_steps && weights.height() == 1 && weights.width() == 1 && to.layout(x) == channels_last) return linear_of_pixels(to, node);
  std::vector<std::string> inputs{to.value(x, channels_first), to.weights(w, {weights[0], weights[1], weights[2], weights[3]})};
  if (node.inputs.size() > 2) inputs.push_back(to.vector(node.inputs[2]));
  to.set(node.outputs[0], channels_first,
         to.emit("Conv", inputs,
                 {{"kernel_shape", std::vector<int64_t>{weights[2], weights[3]}},
                  {"strides", both(op.stride)},
                  {"pads", pads(op.padding)},
                  {"group", op.groups}}));
}

void convert(Translation& to, const NodeInfo& node, const BatchNormInference& op) {
  const Layout layout = to.layout(node.inputs[0]) == rows ? rows : channels_first;
  std::vector<std::string> inputs{to.value(node.inputs[0], layout)};
  for (size_t i = 1; i < node.inputs.size(); ++i) inputs.push_back(to.vector(node.inputs[i]));
  to.set(node.outputs[0], layout, to.emit("BatchNormalization", inputs, {{"epsilon", static_cast<float>(op.eps)}}));
}

void convert(Translation& to, const NodeInfo& node, const LayerNorm& op) {
  const std::vector<std::string> inputs{to.value(node.inputs[0], channels_last), to.vector(node.inputs[1]), to.vector(node.inputs[2])};
  to.set(node.outputs[0], channels_last,
         to.emit("LayerNormalization", inputs, {{"axis", int64_t{-1}}, {"epsilon", static_cast<float>(op.eps)}}));
}

// RMSNormalization came late (23).
void convert(Translation& to, const NodeInfo& node, const RmsNorm& op) {
  const std::string x = to.value(node.inputs[0], channels_last);
  const std::string square = to.emit("ReduceMean", {to.emit("Mul", {x, x}), to.ints({3})});
  const std::string rms = to.emit("Sqrt", {to.emit("Add", {square, to.number(op.eps)})});
  to.set(node.outputs[0], channels_last, to.emit("Mul", {to.emit("Div", {x, rms}), to.vector(node.inputs[1])}));
}

// GroupNormalization came late (21): the groups as the channels of InstanceNormalization, then gamma and beta of each channel.
void convert(Translation& to, const NodeInfo& node, const GroupNorm& op) {
  const Shape& x = to.shape(node.inputs[0]);
  const std::string groups = to.reshape(to.value(node.inputs[0], channels_first), {0, op.groups, -1});
  const std::vector<float> ones(static_cast<size_t>(op.groups), 1), zeros(static_cast<size_t>(op.groups), 0);
  const std::string normal = to.emit("InstanceNormalization", {groups, to.floats(ones, {op.groups}), to.floats(zeros, {op.groups})},
                                     {{"epsilon", static_cast<float>(op.eps)}});
  const std::string back = to.reshape(normal, {0, x.channels(), x.height(), x.width()});
  const std::string scaled = to.emit("Mul", {back, to.value(node.inputs[1], channels_first)});
  to.set(node.outputs[0], channels_first, to.emit("Add", {scaled, to.value(node.inputs[2], channels_first)}));
}

void convert(Translation& to, const NodeInfo& node, const GlobalResponseNorm& op) {
  const Layout layout = to.layout(node.inputs[0]) == channels_last ? channels_last : channels_first;
  const std::string x = to.value(node.inputs[0], layout);
  const std::string plane = to.ints({axis_in(layout, 2), axis_in(layout, 3)}), channels = to.ints({axis_in(layout, 1)});
  const std::string norm = to.emit("ReduceL2", {x, plane});
  const std::string mean = to.emit("Add", {to.emit("ReduceMean", {norm, channels}), to.number(op.eps)});
  const std::string response = to.emit("Mul", {x, to.emit("Div", {norm, mean})});
  const std::string scaled = to.emit("Mul", {response, to.value(node.inputs[1], layout)});
  to.set(node.outputs[0], layout, to.emit("Add", {x, to.emit("Add", {scaled, to.value(node.inputs[2], layout)})}));
}

// Tokens of queries, keys or values, the channels of a head side by side.
struct HeadTokens {
  std::string tokens;
  int64_t count, channels;
};

std::string attention(Translation& to, int64_t heads, const HeadTokens& q, const HeadTokens& k, const HeadTokens& v) {
  const auto by_head = [&](const HeadTokens& part, std::vector<int64_t> order) {
    return to.transpose(to.reshape(part.tokens, {0, part.count, heads, part.channels / heads}), std::move(order));
  };
  const double scale = 1 / std::sqrt(static_cast<double>(q.channels / heads));
  const std::string query = to.emit("Mul", {by_head(q, {0, 2, 1, 3}), to.number(scale)});
  const std::string scores = to.emit("MatMul", {query, by_head(k, {0, 2, 3, 1})});
  const std::string probabilities = to.emit("Softmax", {scores}, {{"axis", int64_t{-1}}});
  const std::string mixed = to.emit("MatMul", {probabilities, by_head(v, {0, 2, 1, 3})});
  return to.reshape(to.transpose(mixed, {0, 2, 1, 3}), {0, q.count, 1, v.channels});
}

void convert(Translation& to, const NodeInfo& node, const Attention& op) {
  const Shape& qkv = to.shape(node.inputs[0]);
  const int64_t tokens = qkv.height(), channels = qkv.channels() / 3;
  const auto parts =
      to.emit("Split", {to.value(node.inputs[0], channels_last), to.ints({channels, channels, channels})}, {{"axis", int64_t{3}}}, 3);
  const auto part = [&](size_t which) { return HeadTokens{parts[which], tokens, channels}; };
  to.set(node.outputs[0], channels_last, attention(to, op.heads, part(0), part(1), part(2)));
}

void convert(Translation& to, const NodeInfo& node, const CrossAttention& op) {
  const auto part = [&](size_t which) {
    const ValueId id = node.inputs[which];
    return HeadTokens{to.value(id, channels_last), to.shape(id).height(), to.shape(id).channels()};
  };
  to.set(node.outputs[0], channels_last, attention(to, op.heads, part(0), part(1), part(2)));
}

void convert(Translation& to, const NodeInfo& node, const MaxPool2d& op) {
  to.set(node.outputs[0], channels_first,
         to.emit("MaxPool", {to.value(node.inputs[0], channels_first)},
                 {{"kernel_shape", both(op.kernel)}, {"strides", both(op.stride)}, {"pads", pads(op.padding)}}));
}

void average_pool(Translation& to, const NodeInfo& node, Size2 kernel, Size2 stride) {
  to.set(node.outputs[0], channels_first,
         to.emit("AveragePool", {to.value(node.inputs[0], channels_first)}, {{"kernel_shape", both(kernel)}, {"strides", both(stride)}}));
}
void convert(Translation& to, const NodeInfo& node, const AveragePool2d& op) { average_pool(to, node, op.kernel, op.stride); }

// A convolution of each channel by itself.
void convert(Translation& to, const NodeInfo& node, const BlurPool2d& op) {
  constexpr float kFilter[] = {0.25f, 0.5f, 0.25f};
  const int64_t channels = to.shape(node.inputs[0]).channels();
  std::vector<float> weights;
  for (int64_t c = 0; c < channels; ++c)
    for (const float down : kFilter)
      for (const float across : kFilter) weights.push_back(down * across);
  const std::vector<int64_t> border{0, 0, 1, 1, 0, 0, 1, 1};
  const std::string mode = op.reflect ? "reflect" : "constant";
  const std::string padded = to.emit("Pad", {to.value(node.inputs[0], channels_first), to.ints(border)}, {{"mode", mode}});
  to.set(node.outputs[0], channels_first,
         to.emit("Conv", {padded, to.floats(weights, {channels, 1, 3, 3})},
                 {{"kernel_shape", both({3, 3})}, {"strides", both({op.stride, op.stride})}, {"group", channels}}));
}

// Row i averages the columns of window i: [places, size].
std::vector<float> window_means(int64_t size, int64_t places) {
  std::vector<float> matrix(static_cast<size_t>(places * size));
  for (int64_t i = 0; i < places; ++i) {
    const int64_t begin = i * size / places, end = ((i + 1) * size + places - 1) / places;
    for (int64_t j = begin; j < end; ++j) matrix[static_cast<size_t>(i * size + j)] = 1 / static_cast<float>(end - begin);
  }
  return matrix;
}

// ONNX has no such pool. Windows of one size are AveragePool's, others a product with a matrix on each side.
void convert(Translation& to, const NodeInfo& node, const AdaptiveAveragePool2d& op) {
  const Shape& x = to.shape(node.inputs[0]);
  const Size2 size = op.size;
  if (x.height() == size.height && x.width() == size.width)
    return to.set(node.outputs[0], to.layout(node.inputs[0]), to.value(node.inputs[0], to.layout(node.inputs[0])));
  if (x.height() % size.height == 0 && x.width() % size.width == 0) {
    const Size2 kernel{x.height() / size.height, x.width() / size.width};
    return average_pool(to, node, kernel, kernel);
  }
  const std::string rows = to.floats(window_means(x.height(), size.height), {size.height, x.height()});
  const std::string columns = to.floats(window_means(x.width(), size.width), {size.width, x.width()});
  const std::string lower = to.emit("MatMul", {rows, to.value(node.inputs[0], channels_first)});
  to.set(node.outputs[0], channels_first, to.emit("MatMul", {lower, to.transpose(columns, {1, 0})}));
}

void convert(Translation& to, const NodeInfo& node, const GlobalAveragePool&) {
  const ValueId x = node.inputs[0];
  if (to.layout(x) == channels_last)
    return to.set(node.outputs[0], channels_last, to.emit("ReduceMean", {to.value(x, channels_last), to.ints({1, 2})}));
  to.set(node.outputs[0], channels_first, to.emit("GlobalAveragePool", {to.value(x, channels_first)}));
}

struct Row {
  std::string_view op;
  void (*convert)(Translation&, const NodeInfo&);
};

template <class T>
constexpr Row row() {
  return {T::kName, [](Translation& to, const NodeInfo& node) { convert(to, node, *node.op.as<T>()); }};
}

constexpr Row kRows[] = {
    row<Activation>(),
    row<AdaptiveAveragePool2d>(),
    row<Add>(),
    row<Attention>(),
    row<AveragePool2d>(),
    row<BatchNormInference>(),
    row<BlurPool2d>(),
    row<BroadcastTo>(),
    row<Concat>(),
    row<Conv2d>(),
    row<CrossAttention>(),
    row<GlobalAveragePool>(),
    row<GlobalResponseNorm>(),
    row<GroupNorm>(),
    row<LayerNorm>(),
    row<MaxPool2d>(),
    row<Multiply>(),
    row<Pad>(),
    row<RmsNorm>(),
    row<Slice>(),
    row<View>(),
};

}  // namespace

void convert(Translation& to, const NodeInfo& node) {
  for (const Row& row : kRows)
    if (row.op == node.op.name()) return row.convert(to, node);
  fail(ErrorKind::unsupported, "the operation {} has no form in ONNX", node.op.name());
}

}  // namespace fovea::onnx
