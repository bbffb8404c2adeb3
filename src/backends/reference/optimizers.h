// The optimizers' updates, alone and with a linear layer's gradient, and what happens to gradients before: Accumulate, SquaredNorm,
// ClipFactor.
#pragma once

#include <array>
#include <cmath>
#include <vector>

#include "backends/reference/arguments.h"
#include "backends/reference/conv2d.h"
#include "ops/accumulate.h"
#include "ops/adamw_update.h"
#include "ops/gradient_norm.h"
#include "ops/linear_update.h"
#include "ops/rmsprop_update.h"
#include "ops/sgd_update.h"

namespace fovea::reference {

template <class T>
void run(const SgdUpdate& op, const Arguments& a) {
  const auto parameter = a.input_rows<T>(0), gradient = a.input_rows<T>(1), velocity = a.input_rows<T>(2);
  const auto next_parameter = a.output_rows<T>(0), next_velocity = a.output_rows<T>(1);
  const double rate = a.input<T>(3).scalar() * op.rate_scale;
  for_each(parameter, [&](int64_t r, int64_t c) {
    const double p = parameter[r][c], g = gradient[r][c] + op.weight_decay * p, v = op.momentum * velocity[r][c] + g;
    if (next_parameter.valid()) next_parameter[r][c] = static_cast<T>(p - rate * (op.nesterov ? g + op.momentum * v : v));
    if (next_velocity.valid()) next_velocity[r][c] = static_cast<T>(v);
  });
}

template <class T>
void run(const AdamWUpdate& op, const Arguments& a) {
  const auto parameter = a.input_rows<T>(0), gradient = a.input_rows<T>(1), m = a.input_rows<T>(2), v = a.input_rows<T>(3);
  const auto next_parameter = a.output_rows<T>(0), next_m = a.output_rows<T>(1), next_v = a.output_rows<T>(2);
  const double rate = a.input<T>(4).scalar() * op.rate_scale;
  const auto t = static_cast<double>(a.input<int64_t>(5).scalar() + 1);
  const double step = rate / (1 - std::pow(op.beta1, t)), root = std::sqrt(1 - std::pow(op.beta2, t));
  for_each(parameter, [&](int64_t r, int64_t c) {
    const double g = gradient[r][c], new_m = op.beta1 * m[r][c] + (1 - op.beta1) * g, new_v = op.beta2 * v[r][c] + (1 - op.beta2) * g * g;
    const double decayed = parameter[r][c] * (1 - rate * op.weight_decay);
    if (next_parameter.valid()) next_parameter[r][c] = static_cast<T>(decayed - step * new_m / (std::sqrt(new_v) / root + op.eps));
    if (next_m.valid()) next_m[r][c] = static_cast<T>(new_m);
    if (next_v.valid()) next_v[r][c] = static_cast<T>(new_v);
  });
}

template <class T>
void run(const RmspropUpdate& op, const Arguments& a) {
  const auto parameter = a.input_rows<T>(0), gradient = a.input_rows<T>(1), square = a.input_rows<T>(2), velocity = a.input_rows<T>(3);
  const auto next_parameter = a.output_rows<T>(0), next_square = a.output_rows<T>(1), next_velocity = a.output_rows<T>(2);
  const double rate = a.input<T>(4).scalar() * op.rate_scale;
  for_each(parameter, [&](int64_t r, int64_t c) {
    const double p = parameter[r][c], g = gradient[r][c] + op.weight_decay * p;
    const double s = square[r][c] + (1 - op.alpha) * (g * g - square[r][c]);
    const double v = op.momentum * velocity[r][c] + rate * g / std::sqrt(s + op.eps);
    if (next_parameter.valid()) next_parameter[r][c] = static_cast<T>(p - v);
    if (next_square.valid()) next_square[r][c] = static_cast<T>(s);
    if (next_velocity.valid()) next_velocity[r][c] = static_cast<T>(v);
  });
}

template <class T, class Update>
void run(const LinearUpdate<Update>& op, const Arguments& a) {
  std::vector<T> gradient(static_cast<size_t>(a.inputs[0].type.elements()));
  const std::array<Operand, 1> weight{Operand::dense(a.inputs[0].type)};
  const std::array<void*, 1> memory{gradient.data()};
  const Shape& x = a.inputs[1].type.shape;
  run<T>(Conv2dWeightGrad{{1, 1}, {}, 1, {x.height(), x.width()}},
         {a.inputs.subspan(1, 2), weight, a.in.subspan(1, 2), memory, nullptr, a.slots});
  const std::vector<Operand> operands = update_operands(a.inputs, weight[0]);
  const std::vector<void*> pointers = update_operands<void*>(a.in, memory[0]);
  run<T>(op.update, {operands, a.outputs, pointers, a.out, nullptr, a.slots});
}

template <class T>
void run(const Accumulate&, const Arguments& a) {
  const auto sum = a.input_rows<T>(0), x = a.input_rows<T>(1);
  const auto next = a.output_rows<T>(0);
  const double keep = a.input<T>(2).scalar(), scale = a.input<T>(3).scalar();
  for_each(x, [&](int64_t r, int64_t c) { next[r][c] = static_cast<T>((keep == 0 ? 0 : keep * sum[r][c]) + scale * x[r][c]); });
}

template <class T>
void run(const SquaredNorm&, const Arguments& a) {
  const auto x = a.input_rows<T>(0);
  double sum = a.inputs.size() > 1 ? a.input<T>(1).scalar() : 0;
  for (int64_t r = 0; r < x.count; ++r)
    for (int64_t c = 0; c < x.columns; ++c) sum += double{x[r][c]} * x[r][c];
  a.output<T>(0).scalar() = static_cast<T>(sum);
}

template <class T>
void run(const ClipFactor& op, const Arguments& a) {
  a.output<T>(0).scalar() = static_cast<T>(std::min(1.0, op.max_norm / (std::sqrt(double{a.input<T>(0).scalar()}) + 1e-6)));
}

}  // namespace fovea::reference
