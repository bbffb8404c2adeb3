#pragma once

#include "backends/reference/arguments.h"
#include "base/random.h"
#include "ops/dropout.h"

namespace fovea::reference {

template <class T>
void run(const RandomMask& op, const Arguments& a) {
  const auto x = a.input<T>(0);
  const auto y = a.output<T>(0);
  const RandomStream random(static_cast<uint64_t>(a.input<int64_t>(1).scalar()),
                            mix64(static_cast<uint64_t>(op.stream)) + static_cast<uint64_t>(a.input<int64_t>(2).scalar()));
  const double scale = 1 / (1 - op.probability);
  for_pixel_rows(x, [&](int64_t n, int64_t h) {
    for (int64_t w = 0; w < x.width(); ++w)
      for (int64_t c = 0; c < x.channels(); ++c) {
        const int64_t element = op.per_sample ? n : ((n * x.channels() + c) * x.height() + h) * x.width() + w;
        const bool kept = random.uniform(static_cast<uint64_t>(element)) >= op.probability;
        y.at(n, c, h, w) = kept ? static_cast<T>(x.at(n, c, h, w) * scale) : T{0};
      }
  });
}

}  // namespace fovea::reference
