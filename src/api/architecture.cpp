#include <fovea/architecture.h>
#include <fovea/error.h>

#include <cmath>

#include "base/error.h"
#include "models/registry.h"
#include "nn/architecture_access.h"
#include "nn/blocks.h"
#include "nn/layers.h"
#include "ops/broadcast_to.h"
#include "ops/constant.h"
#include "ops/log_softmax.h"
#include "ops/sum_to.h"
#include "ops/unary.h"
#include "ops/view.h"

namespace fovea {

struct [[gnu::visibility("hidden")]] Layers::Context {
  Scope scope;
  Size2 picture, native;  // the size that the network is built for, and that its position embeddings belong to
};

const Scope& ArchitectureAccess::scope(const Layers& layers) { return layers.context_->scope; }
Layers ArchitectureAccess::layers(const Scope& scope, Size2 picture, Size2 native) {
  Layers layers;
  layers.context_ = std::make_shared<const Layers::Context>(Layers::Context{scope, picture, native});
  return layers;
}

namespace {

using Access = ArchitectureAccess;

// What a layer makes of x, errors under the path of its place.
template <class Layer>
Map apply(const Layers& layers, Map x, Layer&& layer) {
  const Scope& scope = Access::scope(layers);
  return in_context(scope.path(), [&] { return Access::map(layer(scope, Access::value(x))); });
}

template <class Function>
Map apply(Map x, Function&& function) {
  return Access::map(function(Access::value(x)));
}

Map elementwise(Map x, UnaryKind kind) {
  return apply(x, [&](Value value) { return emit(Unary{kind}, std::vector{value}, print_field(kind))[0]; });
}

// The sum of all elements, times a factor: [1,1,1,1].
Map summed(Map x, double factor) {
  return apply(x, [&](Value value) {
    const Shape one{1, 1, 1, 1};
    const Value sum = emit(SumTo{one}, std::vector{value}, "sum")[0];
    return factor == 1 ? sum : emit(BroadcastTo{one, factor}, std::vector{sum}, "mean")[0];
  });
}

// A number of a layer's options.
void demand(const Layers& layers, const char* field, int64_t value, int64_t least) {
  if (value < least) fail(ErrorKind::usage, "{}: {} is {}, {} or more expected", layers.path(), field, value, least);
}

Init linear_init(int64_t inputs, int64_t) { return uniform_init(1 / std::sqrt(static_cast<double>(inputs))); }

// Builds the network once, so that what is wrong with its text is told before it has a name.
int64_t feature_width(const models::Variant& variant) {
  try {
    const ModelGraph model = models::build(variant, {.height = variant.input_size, .width = variant.input_size, .classes = 0});
    return model.graph.type(model.pre_logits).shape.channels();
  } catch (const Error& error) {
    // Shapes that do not fit are fovea's own mistake only where the text is.
    if (error.kind() == ErrorKind::internal) throw Error(ErrorKind::usage, error.what());
    throw;
  }
}

}  // namespace

int64_t Map::batch() const { return Access::value(*this).batch(); }
int64_t Map::channels() const { return Access::value(*this).channels(); }
int64_t Map::height() const { return Access::value(*this).height(); }
int64_t Map::width() const { return Access::value(*this).width(); }

Layers Layers::operator[](std::string_view name) const {
  return Access::layers(context_->scope[name], context_->picture, context_->native);
}
Layers Layers::operator[](int64_t index) const { return Access::layers(context_->scope[index], context_->picture, context_->native); }
const std::string& Layers::path() const { return context_->scope.path(); }

Map Layers::conv2d(Map x, const ConvolutionOptions& o) const {
  demand(*this, "out", o.out, 1);
  demand(*this, "kernel", o.kernel, 1);
  demand(*this, "stride", o.stride, 1);
  demand(*this, "padding", o.padding, 0);
  demand(*this, "groups", o.groups, 1);
  return apply(*this, x, [&](Scope s, Value value) {
    return fovea::conv2d(s, value,
                         {.out = o.out,
                          .kernel = o.kernel,
                          .stride = o.stride,
                          .padding = o.padding,
                          .groups = o.groups,
                          .bias = o.bias,
                          .fan_out = FanOut::one_group});
  });
}

Map Layers::linear(Map x, int64_t out) const {
  demand(*this, "out", out, 1);
  return apply(*this, x, [&](Scope s, Value value) {
    const Init init = linear_init(value.channels(), out);
    return fovea::linear(s, value, {.out = out, .weight = init, .bias = init});
  });
}

Map Layers::batch_norm(Map x, double first_weight) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::batch_norm(s, value, {.first_weight = first_weight}); });
}
Map Layers::layer_norm(Map x) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::layer_norm(s, value); });
}
Map Layers::group_norm(Map x, int64_t groups) const {
  demand(*this, "groups", groups, 1);
  return apply(*this, x, [&](Scope s, Value value) { return fovea::group_norm(s, value, {.groups = groups}); });
}
Map Layers::channel_scale(Map x, double start) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::channel_scale(s, "weight", value, start); });
}
Map Layers::squeeze_excite(Map x, int64_t squeezed) const {
  demand(*this, "squeezed", squeezed, 1);
  return apply(*this, x, [&](Scope s, Value value) { return fovea::squeeze_excite(s["fc1"], s["fc2"], value, {.squeezed = squeezed}); });
}
Map Layers::max_pool2d(Map x, const PoolOptions& o) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::max_pool2d(s, value, {o.kernel, o.stride, o.padding}); });
}
Map Layers::average_pool2d(Map x, const PoolOptions& o) const {
  return apply(*this, x, [&](Scope s, Value value) {
    if (o.padding != 0) fail(ErrorKind::usage, "an average over windows with a padding of {}, 0 expected", o.padding);
    return fovea::average_pool2d(s, value, {o.kernel, o.stride});
  });
}
Map Layers::dropout(Map x, double probability) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::dropout(s, value, probability); });
}
Map Layers::stochastic_depth(Map x, double probability) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::stochastic_depth(s, value, probability); });
}
Map Layers::attention(Map x, int64_t heads) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::attention(s, value, heads); });
}
Map Layers::to_tokens(Map x) const {
  return apply(*this, x, [&](Scope s, Value value) { return fovea::to_tokens(s, value); });
}
Map Layers::to_map(Map tokens, int64_t height, int64_t width) const {
  return apply(*this, tokens, [&](Scope s, Value value) { return fovea::to_map(s, value, {height, width}); });
}
Map Layers::position_embedding(Map x) const {
  return apply(*this, x, [&](Scope s, Value value) {
    const Size2 grid{value.height(), value.width()};
    const Size2 from{grid.height * context_->native.height / context_->picture.height,
                     grid.width * context_->native.width / context_->picture.width};
    const Value table = fovea::position_table(s, "weight", value.channels(), {.from = from, .to = grid}, truncated_normal_init(0.02));
    return value + fovea::to_map(s, table, grid);
  });
}

Map Layers::tap(Map x) const {
  return apply(*this, x, [](Scope s, Value value) { return s.tap(value); });
}

Map relu(Map x) {
  return apply(x, [](Value value) { return relu(value); });
}
Map relu6(Map x) {
  return apply(x, [](Value value) { return relu6(value); });
}
Map silu(Map x) {
  return apply(x, [](Value value) { return silu(value); });
}
Map gelu(Map x) {
  return apply(x, [](Value value) { return gelu(value); });
}
Map sigmoid(Map x) {
  return apply(x, [](Value value) { return sigmoid(value); });
}
Map hard_swish(Map x) {
  return apply(x, [](Value value) { return hard_swish(value); });
}
Map global_average_pool(Map x) {
  return apply(x, [](Value value) { return global_average_pool(value); });
}
Map exp(Map x) { return elementwise(x, UnaryKind::exp); }
Map log(Map x) { return elementwise(x, UnaryKind::log); }
Map softplus(Map x) { return elementwise(x, UnaryKind::softplus); }
Map log_softmax(Map x) {
  return apply(x, [](Value value) { return emit(LogSoftmax{}, std::vector{value}, "log_softmax")[0]; });
}
Map sum(Map x) { return summed(x, 1); }
Map mean(Map x) { return summed(x, 1 / static_cast<double>(x.batch() * x.channels() * x.height() * x.width())); }
Map sum_channels(Map x) {
  return apply(x, [](Value value) {
    return emit(SumTo{{value.batch(), 1, value.height(), value.width()}}, std::vector{value}, "sum_channels")[0];
  });
}
Map operator-(Map a, Map b) { return a + -1 * b; }
Map operator*(double factor, Map x) {
  return apply(x, [&](Value value) { return emit(BroadcastTo{value.shape(), factor}, std::vector{value}, "scale")[0]; });
}
Map operator+(Map x, double number) {
  return apply(x, [&](Value value) {
    Graph& graph = value.graph();
    const Shape shape{1, 1, 1, 1};
    return value + Value(graph, graph.add(Constant{value.type().dtype, shape, number}, {}, "number")[0]);
  });
}
Map operator+(Map a, Map b) { return Access::map(Access::value(a) + Access::value(b)); }
Map operator*(Map a, Map b) { return Access::map(Access::value(a) * Access::value(b)); }
Map concat(Map a, Map b) { return Access::map(concat(Access::value(a), Access::value(b))); }

void register_architecture(const Architecture& architecture) {
  if (architecture.name.empty()) fail(ErrorKind::usage, "an architecture without a name");
  if (!architecture.body) fail(ErrorKind::usage, "{}: an architecture without a body", architecture.name);
  for (const auto& [field, value] : {std::pair("classes", architecture.classes), std::pair("input_size", architecture.input_size),
                                     std::pair("size_multiple", architecture.size_multiple)})
    if (value < 1) fail(ErrorKind::usage, "{}: {} is {}, 1 or more expected", architecture.name, field, value);
  models::Variant variant;
  variant.name = architecture.name;
  variant.family = "own";
  variant.layout = "fovea";
  variant.input_size = architecture.input_size;
  variant.classes = architecture.classes;
  variant.size_multiple = architecture.size_multiple;
  variant.head = "head";
  variant.head_weight_init = variant.head_bias_init = linear_init;
  variant.body = [body = architecture.body](Scope s, Value image, Size2 native) {
    const Map last = body(Access::layers(s, {image.height(), image.width()}, native), Access::map(image));
    return features_of(in_context("what the body gives", [&] { return Access::value(last); }));
  };
  variant.feature_width = in_context(architecture.name, [&] { return feature_width(variant); });
  models::add(std::move(variant));
}

}  // namespace fovea
