#pragma once

#include "backends/reference/arguments.h"
#include "ops/activation.h"

namespace fovea::reference {

template <class T>
void run(const Activation& op, const Arguments& a) {
  const auto x = a.input_rows<T>(0);
  const auto y = a.output_rows<T>(0);
  for_each(x, [&](int64_t r, int64_t c) { y[r][c] = static_cast<T>(activate(op.kind, x[r][c])); });
}

template <class T>
void run(const ActivationGrad& op, const Arguments& a) {
  const auto dy = a.input_rows<T>(0), x = a.input_rows<T>(1);
  const auto dx = a.output_rows<T>(0);
  for_each(x, [&](int64_t r, int64_t c) { dx[r][c] = static_cast<T>(dy[r][c] * activation_derivative(op.kind, x[r][c])); });
}

}  // namespace fovea::reference
