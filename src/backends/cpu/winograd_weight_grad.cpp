// The weight gradient of 3x3 convolutions of stride 1 by Winograd's F(3x3, 4x4). Blocks of tiles are transformed by all threads, then each
// thread adds up the products in points of its own: neither their number nor time decides in which order.
#include "backends/cpu/candidates.h"
#include "backends/cpu/conv2d.h"
#include "backends/cpu/winograd.h"

namespace fovea::cpu {
namespace {

struct WeightGradPlan {
  simd::TilePixels pixels{}, slopes{};
  simd::TileGrid grid{};
  simd::WeightSums sums{};
  int64_t tiles = 0, block = 0;
  size_t slopes_offset = 0, sums_offset = 0, bytes = 0;
  std::vector<float> zeros;

  WeightGradPlan(const ConvProblem& conv, const Request& request) {
    const int64_t inputs = conv.x.channels(), outputs = conv.y.channels();
    zeros.resize(static_cast<size_t>(std::max(inputs, outputs)));
    pixels = {nullptr, nullptr, conv.x.height(), conv.x.width(), inputs, request.inputs[0].row_stride, conv.padding.top, conv.padding.left};
    slopes = {nullptr, nullptr, conv.y.height(), conv.y.width(), outputs, request.inputs[1].row_stride, 0, 0};
    grid = simd::grid_of(conv.y.height(), conv.y.width());
    tiles = conv.y.batch() * grid.each();
    // So many that reading and writing the sums costs little, and that the transformed tiles stay in the cache that cores share.
    const int64_t tile_bytes = simd::kTilePoints * (inputs + outputs) * static_cast<int64_t>(sizeof(float));
    const int64_t most = std::clamp<int64_t>((int64_t{8} << 20) / tile_bytes, 192, 512), blocks = (tiles + most - 1) / most;
    block = (tiles + blocks - 1) / blocks;
    sums.inputs = inputs, sums.outputs = outputs;
    sums.pixel_plane = simd::padded_columns(inputs) * block + simd::kPlaneGap;
    sums.slope_plane = simd::padded_columns(outputs) * block + simd::kPlaneGap;
    sums.sum_plane = simd::padded_columns(inputs) * outputs + simd::kPlaneGap;
    const auto place = [this](int64_t plane) {
      return std::exchange(bytes, bytes + align64(static_cast<size_t>(simd::kTilePoints * plane) * sizeof(float)));
    };
    place(sums.pixel_plane);
    slopes_offset = place(sums.slope_plane);
    sums_offset = place(sums.sum_plane);
  }

  void run(const Bound& bound) const {
    simd::TilePixels x = pixels, dy = slopes;
    x.x = bound.in(0), dy.x = bound.in(1);
    x.zeros = dy.zeros = zeros.data();
    auto *const x_points = bound.scratch<float>(), *const dy_points = bound.scratch<float>(slopes_offset);
    simd::WeightSums s = sums;
    s.pixels = x_points, s.slopes = dy_points, s.sums = bound.scratch<float>(sums_offset);
    const int64_t blocks = (tiles + block - 1) / block;
    for (int64_t i = 0; i < blocks; ++i) {
      const int64_t first = tiles * i / blocks;
      s.tiles = tiles * (i + 1) / blocks - first;
      s.add = i > 0;
      parallel_kernel(s.tiles, 1, [&](int64_t begin, int64_t end) {
        simd::winograd_pixel_panels(x, grid, {first + begin, end - begin, begin, s.tiles, x_points, s.pixel_plane});
        simd::winograd_slope_panels(dy, grid, {first + begin, end - begin, begin, s.tiles, dy_points, s.slope_plane});
      });
      parallel_kernel(simd::kTilePoints, 1, [&](int64_t begin, int64_t end) { simd::winograd_weight_sums(s, begin, end); });
    }
    parallel_kernel(s.outputs, 1, [&](int64_t begin, int64_t end) { simd::winograd_weight_grad(s, begin, end, bound.out(0)); });
  }
};

}  // namespace

Planned plan_conv2d_weight_grad_winograd(const Request& request) {
  const ConvProblem conv = problem_of(*request.op.as<Conv2dWeightGrad>(), request);
  if (std::string reason = not_winograd(conv); !reason.empty()) return refuse("{}", reason);
  WeightGradPlan plan(conv, request);
  constexpr int64_t kLeastTiles = 64;
  if (plan.tiles < kLeastTiles) return refuse("{} tiles of 4x4 results, it takes {} and more", plan.tiles, kLeastTiles);
  const size_t bytes = plan.bytes;
  return accept(
      bytes, [plan = std::move(plan)](const Bound& bound) { plan.run(bound); }, "own simd winograd 3x3");
}

}  // namespace fovea::cpu
