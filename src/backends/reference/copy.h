// Operations that move elements: Concat, Slice, Pad and View; and Cast.
#pragma once

#include "backends/reference/arguments.h"
#include "ops/cast.h"
#include "ops/concat.h"
#include "ops/slice.h"
#include "ops/view.h"

namespace fovea::reference {

// y = x moved by `shift` along an axis; what then lies outside y is left out.
template <class T>
void copy_shifted(const View<const T>& x, const View<T>& y, int64_t axis, int64_t shift) {
  const std::array<int64_t, Shape::max_rank> sizes{y.batch(), y.channels(), y.height(), y.width()};
  for_pixel_rows(x, [&](int64_t n, int64_t h) {
    for (int64_t w = 0; w < x.width(); ++w)
      for (int64_t c = 0; c < x.channels(); ++c) {
        std::array<int64_t, Shape::max_rank> to{n, c, h, w};
        int64_t& moved = to[static_cast<size_t>(axis)];
        moved += shift;
        if (moved >= 0 && moved < sizes[static_cast<size_t>(axis)]) y.at(to[0], to[1], to[2], to[3]) = x.at(n, c, h, w);
      }
  });
}

template <class From, class To>
void cast_rows(const Rows<const From>& x, const Rows<To>& y) {
  for_each(y, [&](int64_t row, int64_t column) { y[row][column] = static_cast<To>(x[row][column]); });
}

template <class T>
void run(const Concat& op, const Arguments& a) {
  int64_t begin = 0;
  for (size_t i = 0; i < a.in.size(); ++i) {
    copy_shifted(a.input<T>(i), a.output<T>(0), op.axis, begin);
    begin += a.inputs[i].type.shape[static_cast<int>(op.axis)];
  }
}

template <class T>
void run(const Slice& op, const Arguments& a) {
  copy_shifted(a.input<T>(0), a.output<T>(0), op.axis, -op.begin);
}

template <class T>
void run(const Pad& op, const Arguments& a) {
  const auto rows = a.output_rows<T>(0);
  for_each(rows, [&](int64_t row, int64_t column) { rows[row][column] = T{0}; });
  copy_shifted(a.input<T>(0), a.output<T>(0), op.axis, op.before);
}

// Between floats and doubles; narrower types are staged around it.
template <class T>
void run(const Cast&, const Arguments& a) {
  if (a.outputs[0].type.dtype == DType::f64)
    cast_rows(a.input_rows<T>(0), a.output_rows<double>(0));
  else
    cast_rows(a.input_rows<T>(0), a.output_rows<float>(0));
}

template <class T>
void run(const fovea::View&, const Arguments& a) {
  if (a.in[0] == a.out[0]) return;
  const auto x = a.input_rows<T>(0);
  const auto y = a.output_rows<T>(0);
  for_each(y, [&](int64_t row, int64_t column) {
    const int64_t element = row * y.columns + column;
    y[row][column] = x[element / x.columns][element % x.columns];
  });
}

}  // namespace fovea::reference
