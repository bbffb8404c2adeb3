// Depthwise convolutions, forward and both gradients: one filter a channel, so nothing is summed over channels and memory is most of the
// work. Activations in either storage type, weights in float, sums in registers.
#pragma once

#include <array>
#include <cstdint>

#include "backends/cpu/storage.h"
#include "ops/activation_kind.h"

namespace fovea::cpu::simd {

constexpr int64_t kDepthwiseUnit = 16;  // channels side by side in packed weights, [channels / 16, rounded up][taps][16]
constexpr int64_t kDepthwiseRows = 7;   // the tallest kernel

// One line of results and the lines of the input that its windows meet.
template <class T>
struct DepthwiseLine {
  T* y;
  const T* residual = nullptr;
  int64_t rows = 0;
  std::array<const T*, kDepthwiseRows> x;
  std::array<int64_t, kDepthwiseRows> tap;  // of the packed weights: the first one of the kernel row that meets this line
};

// What lines share. y(ox) = activation(bias + sum of w(j) x(ox stride - left + j) + residual) for a range of channels; strides and steps
// are in pixels and elements.
struct DepthwisePass {
  int64_t kernel = 3, stride = 1, left = 0;  // along the width; 1 to 5 and 7 with stride 1, 3, 5 and 7 with stride 2
  int64_t x_width, x_step, y_width, y_step, residual_step = 0;
  const float* weights;  // packed
  int64_t taps;
  const float* bias = nullptr;
  ActivationKind activation = ActivationKind::identity;
  int64_t first = 0, last;  // channels; `first` is a multiple of the unit
  bool stream = false;      // results go past the caches: y and its steps are multiples of 64 bytes
};
bool has_depthwise(int64_t kernel, int64_t stride);
void depthwise_lines(const DepthwisePass& pass, const DepthwiseLine<float>* lines, int64_t count);
void depthwise_lines(const DepthwisePass& pass, const DepthwiseLine<Bf16>* lines, int64_t count);

// Lines [first, last) of all images' results and a range of channels, for the gradient of the weights.
template <class T>
struct DepthwiseBlock {
  const T *x, *dy;
  double* sums;  // [kernel_height][kernel_width][channels], added to
  int64_t channels, height, width, out_height, out_width;
  int64_t x_step, dy_step;                                                      // between pixels
  int64_t kernel_height, kernel_width, stride_height, stride_width, top, left;  // kernel widths 3, 5 and 7
  int64_t first, last;
  int64_t first_channel, last_channel;
};
void depthwise_weight_grad(const DepthwiseBlock<float>& block);
void depthwise_weight_grad(const DepthwiseBlock<Bf16>& block);

}  // namespace fovea::cpu::simd
