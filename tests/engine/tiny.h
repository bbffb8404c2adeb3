// A network of a few thousand parameters with everything that the large ones have: residual units with and without projection,
// squeeze-excite, depthwise and strided convolutions, dropout, stochastic depth.
#pragma once

#include "nn/blocks.h"
#include "nn/heads.h"
#include "nn/model_graph.h"

namespace fovea {

struct TinyOptions {
  int64_t batch = 4, size = 24, classes = 5;
  ActivationKind activation = ActivationKind::relu;
  bool random = false;  // dropout and stochastic depth
};

inline Value tiny_unit(Scope s, Value x, int64_t channels, int64_t stride, const TinyOptions& options) {
  Value y = activate(options.activation,
                     batch_norm(s["bn1"], conv2d(s["conv1"], x, {.out = channels, .kernel = 3, .stride = stride, .padding = 1})));
  y = squeeze_excite(s["reduce"], s["expand"], y, {.squeezed = 4, .activation = ActivationKind::silu});
  y = batch_norm(s["bn2"], conv2d(s["conv2"], y, {.out = channels, .kernel = 3, .padding = 1, .groups = channels}));
  if (options.random) y = stochastic_depth(s["drop"], y, 0.3);
  if (x.channels() != channels) x = batch_norm(s["bn3"], conv2d(s["project"], x, {.out = channels, .kernel = 1, .stride = stride}));
  return s.tap(activate(options.activation, x + y));
}

inline ModelGraph tiny_model(const TinyOptions& options = {}) {
  ModelGraph model;
  model.image = model.graph.input("image", {DType::f32, {options.batch, 3, options.size, options.size}});
  const Scope s(model.graph, model.taps, model.positions);
  Value x(model.graph, model.image);
  x = activate(options.activation,
               batch_norm(s["stem"]["bn"], conv2d(s["stem"]["conv"], x, {.out = 8, .kernel = 3, .stride = 2, .padding = 1})));
  x = tiny_unit(s["unit1"], x, 8, 1, options);
  x = tiny_unit(s["unit2"], x, 16, 2, options);
  model.map = x.id();
  const auto quarter = [](int64_t, int64_t) { return uniform_init(0.25); };
  const Features features = features_of(x);
  const HeadValues values = head(
      s, "fc", features,
      {.classes = options.classes, .options = {}, .dropout = options.random ? 0.2 : 0.0, .second = {}, .weight = quarter, .bias = quarter});
  model.pooled = features.pooled.id();
  model.pre_logits = features.pre_logits.id();
  model.head_input = values.input.id();
  model.logits = values.logits.id();
  return model;
}

}  // namespace fovea
