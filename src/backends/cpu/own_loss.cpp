// What losses of a caller's own are made of, in double: the numbers are few.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/candidates.h"
#include "ops/host_loss.h"
#include "ops/log_softmax.h"
#include "ops/unary.h"

namespace fovea::cpu {
namespace {

template <class Function>
Planned elementwise(const Request& request, Function function) {
  const std::array<Rows, 2> rows{rows_of(request.inputs[0]), rows_of(request.outputs[0])};
  return accept([rows, function](const Bound& bound) {
    over_ranges(rows, kGrain, [&](const std::array<int64_t, 2>& at, int64_t n) {
      const float* const x = bound.in(0) + at[0];
      std::transform(x, x + n, bound.out(0) + at[1], [&](float value) { return static_cast<float>(function(double{value})); });
    });
  });
}

}  // namespace

Planned plan_unary(const Request& request) {
  switch (request.op.as<Unary>()->kind) {
    case UnaryKind::exp:
      return elementwise(request, [](double x) { return std::exp(x); });
    case UnaryKind::log:
      return elementwise(request, [](double x) { return std::log(x); });
    case UnaryKind::softplus:
      return elementwise(request, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
  }
  return refuse("an unknown function");
}

Planned plan_log_softmax(const Request& request) {
  const Rows from = rows_of(request.inputs[0]), to = rows_of(request.outputs[0]);
  return accept([from, to](const Bound& bound) {
    parallel_kernel(from.count, std::max<int64_t>(1, 256 / from.channels), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* const x = bound.in(0) + row * from.stride;
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t k = 0; k < from.channels; ++k) largest = std::max(largest, double{x[k]});
        for (int64_t k = 0; k < from.channels; ++k) sum += std::exp(x[k] - largest);
        const double log_sum = largest + std::log(sum);
        for (int64_t k = 0; k < from.channels; ++k) bound.out(0)[row * to.stride + k] = static_cast<float>(x[k] - log_sum);
      }
    });
  });
}

// The function sees dense arrays, whatever lies between the rows here.
Planned plan_host_loss(const Request& request) {
  const int64_t function = request.op.as<HostLoss>()->function;
  const Rows logits = rows_of(request.inputs[0]), targets = rows_of(request.inputs[1]), gradient = rows_of(request.outputs[1]);
  const auto all = static_cast<size_t>(logits.count * logits.channels);
  return accept(3 * all * sizeof(float), [=](const Bound& bound) {
    const std::span<float> x(bound.scratch<float>(), all), t(x.data() + all, all), slopes(t.data() + all, all);
    for (int64_t n = 0; n < logits.count; ++n) {
      std::copy_n(bound.in(0) + n * logits.stride, logits.channels, x.data() + n * logits.channels);
      std::copy_n(bound.in(1) + n * targets.stride, logits.channels, t.data() + n * logits.channels);
    }
    std::ranges::fill(slopes, 0.0f);
    const double loss = (*host_loss_function(function))(logits.count, logits.channels, x, t, slopes);
    if (bound.outputs[0]) *bound.out(0) = static_cast<float>(loss);
    for (int64_t n = 0; n < logits.count && bound.outputs[1]; ++n)
      std::copy_n(slopes.data() + n * logits.channels, logits.channels, bound.out(1) + n * gradient.stride);
  });
}

}  // namespace fovea::cpu
