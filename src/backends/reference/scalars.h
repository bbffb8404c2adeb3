// Constant and Increment.
#pragma once

#include "backends/reference/arguments.h"
#include "base/error.h"
#include "ops/constant.h"
#include "ops/increment.h"

namespace fovea::reference {

template <class T>
void fill(const Arguments& a, double value) {
  const auto y = a.output_rows<T>(0);
  for_each(y, [&](int64_t r, int64_t c) { y[r][c] = static_cast<T>(value); });
}

template <class T>
void run(const Constant& op, const Arguments& a) {
  if (op.dtype == DType::i64) return fill<int64_t>(a, op.value);
  if (op.dtype == DType::i32) return fill<int32_t>(a, op.value);
  if (!is_floating(op.dtype)) fail(ErrorKind::unsupported, "constant: the reference backend fills no {}", to_string(op.dtype));
  fill<T>(a, op.value);
}

template <class T>
void run(const Increment&, const Arguments& a) {
  a.output<int64_t>(0).scalar() = a.input<int64_t>(0).scalar() + 1;
}

}  // namespace fovea::reference
