// Add and Multiply: two operands, each repeated along its dimensions of 1.
#pragma once

#include "backends/reference/arguments.h"
#include "ops/add.h"
#include "ops/multiply.h"

namespace fovea::reference {

template <class T, class Function>
void run_binary(const Arguments& arguments, const Function& function) {
  const auto y = arguments.output<T>(0);
  const auto a = arguments.input<T>(0).broadcast(), b = arguments.input<T>(1).broadcast();
  for_pixel_rows(y, [&](int64_t n, int64_t h) {
    for (int64_t w = 0; w < y.width(); ++w)
      for (int64_t c = 0; c < y.channels(); ++c)
        y.at(n, c, h, w) = static_cast<T>(function(double{a.at(n, c, h, w)}, double{b.at(n, c, h, w)}));
  });
}

template <class T>
void run(const Add&, const Arguments& a) {
  run_binary<T>(a, [](double x, double y) { return x + y; });
}

template <class T>
void run(const Multiply&, const Arguments& a) {
  run_binary<T>(a, [](double x, double y) { return x * y; });
}

}  // namespace fovea::reference
