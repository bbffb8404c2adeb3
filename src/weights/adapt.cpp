#include "weights/adapt.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/bicubic.h"
#include "base/error.h"

namespace fovea::weights {
namespace {

// Resamples the middle axis of [outer, from, inner].
std::vector<float> resample(const std::vector<float>& values, int64_t outer, int64_t from, int64_t to, int64_t inner) {
  if (from == to) return values;
  const std::vector<BicubicWindow> windows = bicubic_windows(from, to);
  std::vector<float> result(static_cast<size_t>(outer * to * inner));
  std::vector<double> sum(static_cast<size_t>(inner));
  float* target = result.data();
  for (int64_t o = 0; o < outer; ++o) {
    for (const BicubicWindow& window : windows) {
      std::fill(sum.begin(), sum.end(), 0.0);
      const float* row = values.data() + (o * from + window.first) * inner;
      for (double weight : window.weights)
        for (double& one : sum) one += weight * static_cast<double>(*row++);
      target = std::transform(sum.begin(), sum.end(), target, [](double one) { return static_cast<float>(one); });
    }
  }
  return result;
}

}  // namespace

Tensor adapt_input_channels(const Tensor& weight, int64_t channels) {
  if (weight.shape().size() != 4)
    fail(ErrorKind::mismatch, "a convolution's weight of shape {}, [O,I,kh,kw] expected", shape_string(weight.shape()));
  if (channels < 1) fail(ErrorKind::usage, "pictures of {} channels, at least 1 expected", channels);
  const int64_t out = weight.shape()[0], in = weight.shape()[1], window = weight.shape()[2] * weight.shape()[3];
  if (in == channels || in == 0) return weight;
  const Tensor floats = weight.to(DType::f32);
  const auto from = floats.values<float>();
  Tensor result(DType::f32, {out, channels, weight.shape()[2], weight.shape()[3]});
  const auto to = result.mutable_values<float>();
  const float scale = static_cast<float>(static_cast<double>(in) / static_cast<double>(channels));
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t c = 0; c < (channels == 1 ? in : channels); ++c) {
      for (int64_t k = 0; k < window; ++k) {
        const float value = from[static_cast<size_t>((o * in + c % in) * window + k)];
        if (channels == 1)
          to[static_cast<size_t>(o * window + k)] += value;
        else
          to[static_cast<size_t>((o * channels + c) * window + k)] = value * scale;
      }
    }
  }
  return result;
}

Grid square_grid(int64_t positions) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(positions, 0)))));
  if (side == 0 || side * side != positions)
    fail(ErrorKind::mismatch,
         "{} positions are not those of a square; the img_size of a config.json beside the file can say what they are of", positions);
  return {side, side};
}

Tensor resize_position_table(const Tensor& table, int64_t prefix, Grid from, Grid to) {
  const auto& shape = table.shape();
  if (shape.size() != 3 || shape[0] != 1 || shape[1] != prefix + from.height * from.width) {
    fail(ErrorKind::mismatch, "a position table of shape {}, [1,{},C] expected for {} and {}x{} positions", shape_string(shape),
         prefix + from.height * from.width, prefix, from.height, from.width);
  }
  if (to.height < 1 || to.width < 1) fail(ErrorKind::usage, "a grid of {}x{} positions", to.height, to.width);
  if (from == to) return table;
  const int64_t width = shape[2];
  const Tensor floats = table.to(DType::f32);
  const auto all = floats.values<float>();
  const auto grid = all.begin() + static_cast<std::ptrdiff_t>(prefix * width);
  std::vector<float> values(grid, all.end());
  values = resample(values, from.height, from.width, to.width, width);
  values = resample(values, 1, from.height, to.height, to.width * width);
  Tensor result(DType::f32, {1, prefix + to.height * to.width, width});
  const auto target = std::copy(all.begin(), grid, result.mutable_values<float>().begin());
  std::copy(values.begin(), values.end(), target);
  return result;
}

}  // namespace fovea::weights
