// Convolutions of few pixels, in pieces: a matrix product whose right side, the weights, is read once and in order. Single-threaded.
#pragma once

#include <cstdint>

#include "backends/cpu/panels.h"
#include "backends/cpu/storage.h"

namespace fovea::cpu::simd {

// sums [pixels][columns] = pixels [pixels][depth] panel [depth][columns]
template <class T>
struct PixelProduct {
  int64_t pixels, depth, columns;
  const T* x;
  int64_t x_stride;
  const T* panel;
  float* sums;
};
void pixel_product(const PixelProduct<float>& product);
// By the processor's matrix tiles (AMX), while a MatrixTiles lives. The depth is a multiple of kTileDepth, and the panel lies as
// [unit of kPanelUnit columns][pair of depths][column][2].
constexpr int64_t kTileDepth = 32;
void pixel_product(const PixelProduct<Bf16>& product);

bool has_matrix_tiles();

// Sets the calling thread's tiles up for products of so many pixels.
class MatrixTiles {
 public:
  explicit MatrixTiles(int64_t pixels);
  ~MatrixTiles();
  MatrixTiles(const MatrixTiles&) = delete;
  MatrixTiles& operator=(const MatrixTiles&) = delete;
};

}  // namespace fovea::cpu::simd
