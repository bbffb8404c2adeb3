// Operands as strided arrays in memory order, for broadcasting.
#pragma once

#include "backends/cpu/kernel.h"

namespace fovea::cpu {

// Rank 4: N, H, W, C with the row stride; others row-major, padded with leading dimensions of 1.
struct View {
  std::array<int64_t, 4> dims{1, 1, 1, 1};
  std::array<int64_t, 4> strides{0, 0, 0, 0};
};
View view_of(const Operand& operand);
// Strides of 0 where the operand's dimension is 1 and the whole's is not; empty where they do not fit.
bool stretch(View& view, const std::array<int64_t, 4>& dims);

// Loops over up to four dimensions shared by K operands, neighbouring dimensions that are contiguous in all of them merged.
template <size_t K>
struct StridedLoop {
  std::array<int64_t, 4> dims{1, 1, 1, 1};
  std::array<std::array<int64_t, 4>, K> strides{};

  explicit StridedLoop(const std::array<View, K>& views) {
    int last = -1;
    for (size_t d = 0; d < 4; ++d) {
      if (views[0].dims[d] == 1) continue;
      bool merges = last >= 0;
      for (size_t k = 0; merges && k < K; ++k) merges = strides[k][static_cast<size_t>(last)] == views[k].strides[d] * views[0].dims[d];
      if (!merges) ++last;
      const auto at = static_cast<size_t>(last);
      dims[at] = merges ? dims[at] * views[0].dims[d] : views[0].dims[d];
      for (size_t k = 0; k < K; ++k) strides[k][at] = views[k].strides[d];
    }
    // Bodies walk by 0 or 1: where that dimension has one place and those around it are strided, the runs have one element.
    for (size_t k = 0; last >= 0 && k < K; ++k)
      if (strides[k][static_cast<size_t>(last)] > 1) {
        ++last;
        break;
      }
    // The innermost dimension last.
    for (; last >= 0 && last < 3; ++last)
      for (size_t d = 3; d > 0; --d) {
        dims[d] = std::exchange(dims[d - 1], 1);
        for (size_t k = 0; k < K; ++k) strides[k][d] = std::exchange(strides[k][d - 1], 0);
      }
  }

  // Calls body(offset of each operand, length) for runs along the innermost dimension.
  template <class Body>
  void run(const Body& body) const {
    if (dims[0] * dims[1] * dims[2] == 1) {
      parallel_kernel(dims[3], kGrain, [&](int64_t begin, int64_t end) {
        std::array<int64_t, K> offsets;
        for (size_t k = 0; k < K; ++k) offsets[k] = begin * strides[k][3];
        body(offsets, end - begin);
      });
      return;
    }
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, dims[3]));
    parallel_kernel(dims[0] * dims[1] * dims[2], grain, [&](int64_t begin, int64_t end) {
      std::array<int64_t, K> offsets;
      for (int64_t i = begin; i < end; ++i) {
        const std::array<int64_t, 3> at{i / (dims[1] * dims[2]), i / dims[2] % dims[1], i % dims[2]};
        for (size_t k = 0; k < K; ++k) offsets[k] = at[0] * strides[k][0] + at[1] * strides[k][1] + at[2] * strides[k][2];
        body(offsets, dims[3]);
      }
    });
  }
};

}  // namespace fovea::cpu
