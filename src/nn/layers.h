// The layers that model texts are made of. Each declares its parameters in its scope, in the order of PyTorch's state dictionaries.
#pragma once

#include "nn/init.h"
#include "nn/scope.h"
#include "ops/activation.h"

namespace fovea {

// Which outputs of a grouped convolution count for its first weights' variance: all, as torch.nn.init has it, or one group's, as the
// TensorFlow networks and timm's EfficientNets have it.
enum class FanOut { all_groups, one_group };

struct Conv2dOptions {
  int64_t out = 0;
  int64_t kernel = 1, stride = 1;
  int64_t padding = 0;  // zeros on every side
  int64_t groups = 1;
  bool bias = false;
  bool same = false;  // TensorFlow's SAME in place of `padding`: ceil(size / stride) outputs, the odd zero at the bottom and right
  FanOut fan_out = FanOut::all_groups;
};
// weight [out, in / groups, kernel, kernel] by kaiming_normal of the fan out, bias [out] from 0.
Value conv2d(Scope s, Value x, const Conv2dOptions& options);

struct LinearOptions {
  int64_t out = 0;
  Init weight, bias;
};
// weight [out, in], bias [out], on x [N, in, H, W].
Value linear(Scope s, Value x, const LinearOptions& options);

struct BatchNormOptions {
  double eps = 1e-5, momentum = 0.1;
};
// weight 1, bias 0, running_mean 0, running_var 1, all [C], and the counter num_batches_tracked, which no node of the text reads: lowering
// increments it where the layer trains.
Value batch_norm(Scope s, Value x, const BatchNormOptions& options = {});

struct MaxPool2dOptions {
  int64_t kernel = 2, stride = 2, padding = 0;
};
Value max_pool2d(Scope s, Value x, const MaxPool2dOptions& options);

// Elements (dropout) or whole pictures (stochastic depth) are dropped with this probability in training; nothing is emitted for 0.
Value dropout(Scope s, Value x, double probability);
Value stochastic_depth(Scope s, Value x, double probability);

// These take the name of what they are applied to.
Value activate(ActivationKind kind, Value x);
inline Value relu(Value x) { return activate(ActivationKind::relu, x); }
inline Value relu6(Value x) { return activate(ActivationKind::relu6, x); }
inline Value silu(Value x) { return activate(ActivationKind::silu, x); }
inline Value sigmoid(Value x) { return activate(ActivationKind::sigmoid, x); }
inline Value hard_swish(Value x) { return activate(ActivationKind::hard_swish, x); }
inline Value hard_sigmoid(Value x) { return activate(ActivationKind::hard_sigmoid, x); }
Value global_average_pool(Value x);
Value operator+(Value a, Value b);
Value operator*(Value a, Value b);

}  // namespace fovea
