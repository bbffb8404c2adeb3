// SgdUpdate and AdamWUpdate.
#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/adamw_update.h"
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

}  // namespace fovea::reference
