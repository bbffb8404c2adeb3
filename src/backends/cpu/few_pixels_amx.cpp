// Products of bf16 matrices by AMX: tiles of up to 16 pixels by 16 results, 32 depths a step.
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>

#include "backends/cpu/few_pixels.h"
#include "base/error.h"

#ifdef __x86_64__
#include <immintrin.h>
#define FOVEA_AMX __attribute__((target("amx-tile,amx-bf16")))
#endif

namespace fovea::cpu::simd {

#ifdef __x86_64__

namespace {

constexpr int64_t kMostRows = 16, kUnitStep = kPanelUnit * kTileDepth, kLine = 64;

// Rows of the tiles: blocks of them cover the pixels, evenly. The last ones may overlap, where results are made twice.
int64_t blocks_of(int64_t pixels) { return (pixels + kMostRows - 1) / kMostRows; }
int64_t tile_rows(int64_t pixels) { return (pixels + blocks_of(pixels) - 1) / blocks_of(pixels); }

// What the processor reads: the palette, and each tile's width in bytes and height. 0 to 3 are sums, 4 and 5 pixels, 6 and 7 weights.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

FOVEA_AMX void configure(const TileShapes& shapes) {
  asm volatile("" : : "r"(&shapes) : "memory");  // the intrinsic does not say that it reads all of it
  _tile_loadconfig(&shapes);
}
FOVEA_AMX void release() { _tile_release(); }

struct TileBlock {
  const Bf16* x[2];
  int64_t x_stride, steps;
  const Bf16* weights[2];
  float* sums[2];
  int64_t columns;
  const char* ahead;  // brought into the second-level cache meanwhile, so many lines a step
  int64_t lines;
};

template <int kRows, int kColumns>
FOVEA_AMX void multiply_block(const TileBlock& p) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const int64_t bytes = p.x_stride * static_cast<int64_t>(sizeof(Bf16));
  const char* ahead = p.ahead;
  for (int64_t step = 0; step < p.steps; ++step) {
    for (int64_t line = 0; line < p.lines; ++line, ahead += kLine) __builtin_prefetch(ahead, 0, 2);
    _tile_loadd(6, p.weights[0] + step * kUnitStep, kLine);
    if constexpr (kColumns == 2) _tile_loadd(7, p.weights[1] + step * kUnitStep, kLine);
    _tile_loadd(4, p.x[0] + step * kTileDepth, bytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kColumns == 2) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kRows == 2) {
      _tile_loadd(5, p.x[1] + step * kTileDepth, bytes);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kColumns == 2) _tile_dpbf16ps(3, 5, 7);
    }
  }
  const int64_t row = p.columns * static_cast<int64_t>(sizeof(float));
  _tile_stored(0, p.sums[0], row);
  if constexpr (kColumns == 2) _tile_stored(1, p.sums[0] + kPanelUnit, row);
  if constexpr (kRows == 2) {
    _tile_stored(2, p.sums[1], row);
    if constexpr (kColumns == 2) _tile_stored(3, p.sums[1] + kPanelUnit, row);
  }
}

}  // namespace

bool has_matrix_tiles() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();  // which also asks the system for the use of them
  return isa == dnnl::cpu_isa::avx512_core_amx || isa == dnnl::cpu_isa::avx512_core_amx_fp16;
}

MatrixTiles::MatrixTiles(int64_t pixels) {
  TileShapes shapes;
  for (size_t tile = 0; tile < 8; ++tile) {
    shapes.bytes[tile] = kLine;
    shapes.rows[tile] = static_cast<uint8_t>(tile < 6 ? tile_rows(pixels) : kMostRows);
  }
  configure(shapes);
}
MatrixTiles::~MatrixTiles() { release(); }

void pixel_product(const PixelProduct<Bf16>& p) {
  const int64_t blocks = blocks_of(p.pixels), rows = tile_rows(p.pixels), steps = p.depth / kTileDepth;
  const int64_t unit = p.depth * kPanelUnit, pairs = (blocks + 1) / 2;
  for (int64_t column = 0; column < p.columns; column += 2 * kPanelUnit) {
    const Bf16* const weights = p.panel + column * p.depth;
    const int64_t units = std::min<int64_t>(2, (p.columns - column) / kPanelUnit);
    const int64_t step_lines = units * kUnitStep * static_cast<int64_t>(sizeof(Bf16)) / kLine;
    TileBlock block{{}, p.x_stride, steps, {weights, weights + unit}, {}, p.columns, nullptr, (step_lines + pairs - 1) / pairs};
    block.ahead = reinterpret_cast<const char*>(weights + units * unit);
    for (int64_t i = 0; i < blocks; i += 2) {
      for (int64_t j = 0; j < 2; ++j) {
        const int64_t row = std::min((i + j) * rows, p.pixels - rows);
        block.x[j] = p.x + row * p.x_stride;
        block.sums[j] = p.sums + row * p.columns + column;
      }
      if (i + 1 < blocks)
        units == 2 ? multiply_block<2, 2>(block) : multiply_block<2, 1>(block);
      else
        units == 2 ? multiply_block<1, 2>(block) : multiply_block<1, 1>(block);
      block.ahead += steps * block.lines * kLine;
    }
  }
}

#else

bool has_matrix_tiles() { return false; }
MatrixTiles::MatrixTiles(int64_t /*pixels*/) { fail(ErrorKind::internal, "no matrix tiles here"); }
MatrixTiles::~MatrixTiles() = default;
void pixel_product(const PixelProduct<Bf16>& /*product*/) {}

#endif

}  // namespace fovea::cpu::simd
