// BroadcastTo and its inverse, SumTo.
#pragma once

#include "backends/reference/arguments.h"
#include "ops/broadcast_to.h"
#include "ops/sum_to.h"

namespace fovea::reference {

template <class T>
void run(const BroadcastTo& op, const Arguments& a) {
  const auto x = a.input<T>(0).broadcast();
  const auto y = a.output<T>(0);
  for_pixel_rows(y, [&](int64_t n, int64_t h) {
    for (int64_t w = 0; w < y.width(); ++w)
      for (int64_t c = 0; c < y.channels(); ++c) y.at(n, c, h, w) = static_cast<T>(op.scale * x.at(n, c, h, w));
  });
}

// The indices that are summed into index `i` of a dimension: all, where the result has 1.
struct SummedRange {
  SummedRange(int64_t result_size, int64_t size, int64_t i) : begin(result_size == 1 ? 0 : i), end(result_size == 1 ? size : i + 1) {}
  int64_t begin, end;
};

template <class T>
void run(const SumTo&, const Arguments& a) {
  const auto x = a.input<T>(0);
  const auto y = a.output<T>(0);
  const bool keeps_channels = y.channels() == x.channels();
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    if (!keeps_channels && first > 0) return;  // one block sums over all
    for (int64_t n = 0; n < y.batch(); ++n)
      for (int64_t h = 0; h < y.height(); ++h)
        for (int64_t w = 0; w < y.width(); ++w) {
          double sums[channel_block] = {};
          const SummedRange batch(y.batch(), x.batch(), n), rows(y.height(), x.height(), h), columns(y.width(), x.width(), w);
          for (int64_t sn = batch.begin; sn < batch.end; ++sn)
            for (int64_t sh = rows.begin; sh < rows.end; ++sh)
              for (int64_t sw = columns.begin; sw < columns.end; ++sw)
                for (int64_t c = first; c < (keeps_channels ? end : x.channels()); ++c)
                  sums[keeps_channels ? c - first : 0] += x.at(sn, c, sh, sw);
          for (int64_t c = first; c < (keeps_channels ? end : 1); ++c) y.at(n, c, h, w) = static_cast<T>(sums[c - first]);
        }
  });
}

}  // namespace fovea::reference
