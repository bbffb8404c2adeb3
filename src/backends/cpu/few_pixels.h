// Convolutions of few pixels, in pieces: a matrix product whose right side, the weights, is read once and in order. Single-threaded.
#pragma once

#include <cstdint>

#include "backends/cpu/panels.h"
#include "ops/activation.h"

namespace fovea::cpu::simd {

// sums [pixels][columns] = pixels [pixels][depth] panel [depth][columns]
struct PixelProduct {
  int64_t pixels, depth, columns;
  const float* x;
  int64_t x_stride;
  const float* panel;
  float* sums;
};
void pixel_product(const PixelProduct& product);

// Results [first, first + outputs) of each pixel: activation(sums + bias + residual).
struct PixelResults {
  int64_t pixels;
  float* y;
  int64_t y_stride;
  const float *bias = nullptr, *residual = nullptr;
  int64_t residual_stride = 0;
  ActivationKind activation = ActivationKind::identity;
};
void pixel_results(const PixelResults& results, const float* sums, int64_t columns, int64_t first, int64_t outputs);

}  // namespace fovea::cpu::simd
