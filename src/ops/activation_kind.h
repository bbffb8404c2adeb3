// The activations there are, without the operation: kernels know no graph.
#pragma once

namespace fovea {

enum class ActivationKind {
  identity,
  relu,
  relu6,  // min(max(x, 0), 6)
  silu,   // x sigmoid(x)
  sigmoid,
  hard_swish,    // x relu6(x + 3) / 6
  hard_sigmoid,  // relu6(x + 3) / 6
  gelu,          // x Phi(x), by erf
  gelu_tanh,     // the same, nearly: x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), which is x (1 + tanh(...)) / 2
  quick_gelu,    // x sigmoid(1.702 x)
  exp,           // e^x
};

}  // namespace fovea
