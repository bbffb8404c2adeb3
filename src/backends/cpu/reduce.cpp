// Sums: over pixels, over anything, and the mean over height and width.
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/view.h"
#include "ops/global_average_pool.h"
#include "ops/sum_to.h"

namespace fovea::cpu {
namespace {

// Sums of `groups` stretches of `rows` neighbouring pixels each, times scale. The rows of every group are cut into `parts`, which decide
// the order in which numbers are added, and its channels into `slices`, which do not.
struct ColumnPlan {
  int64_t groups, rows, stride, channels, out_stride, parts, slices;
  double scale;

  size_t part_bytes() const { return align64(static_cast<size_t>(channels) * (sizeof(double) + sizeof(float))); }
  size_t workspace_bytes() const { return part_bytes() * static_cast<size_t>(groups * parts); }
  // Whole cache lines of float, so that no two threads write one.
  int64_t first_channel(int64_t slice) const { return slice == slices ? channels : channels * slice / slices / kLine * kLine; }

  void run(Source x, Target y, const Bound& bound) const {
    parallel_kernel(groups * parts * slices, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i / slices / parts, part = i / slices % parts, from = first_channel(i % slices);
        const int64_t count = first_channel(i % slices + 1) - from;
        auto* const sum = bound.scratch<double>(static_cast<size_t>(group * parts + part) * part_bytes());
        const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
        std::fill_n(sum + from, count, 0.0);
        simd::column_sum(x + ((group * rows + first) * stride + from), last - first, stride, count,
                         reinterpret_cast<float*>(sum + channels) + from, sum + from);
      }
    });
    for (int64_t group = 0; group < groups; ++group) {
      auto* const total = bound.scratch<double>(static_cast<size_t>(group * parts) * part_bytes());
      auto* const result = reinterpret_cast<float*>(total + channels);
      for (int64_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (int64_t part = 0; part < parts; ++part)
          sum += bound.scratch<double>(static_cast<size_t>(group * parts + part) * part_bytes())[c];
        result[c] = static_cast<float>(sum * scale);
      }
      simd::convert(result, y + group * out_stride, channels);
    }
  }

 private:
  static constexpr int64_t kLine = 16;
};

Planned plan_columns(const Request& request, const ColumnPlan& plan) {
  return accept(plan.workspace_bytes(), [plan, from = request.inputs[0].type.dtype, to = request.outputs[0].type.dtype](
                                            const Bound& bound) { plan.run(bound.source(0, from), bound.target(0, to), bound); });
}

}  // namespace

Planned plan_sum_columns(const Request& request) {
  const Shape &from = request.inputs[0].type.shape, &to = request.outputs[0].type.shape;
  if (from.rank() != 4 || to.rank() != 4 || from.elements() == 0) return refuse("not of rank 4");
  if (to.channels() != from.channels() || to.height() != 1 || to.width() != 1 || (to.batch() != 1 && to.batch() != from.batch()))
    return refuse("not a sum over whole images: {} to {}", to_string(from), to_string(to));
  const Rows rows = rows_of(request.inputs[0]);
  const int64_t groups = to.batch(), parts = groups >= threads() ? 1 : threads();
  return plan_columns(request, {groups, rows.count / groups, rows.stride, rows.channels, request.outputs[0].row_stride, parts, 1, 1.0});
}

Planned plan_global_average_pool(const Request& request) {
  const Shape& shape = request.inputs[0].type.shape;
  if (shape.elements() == 0) return refuse("nothing to average in {}", to_string(shape));
  // What a picture gives depends neither on the number of threads nor on the pictures beside it.
  constexpr int64_t kRowsOfAPart = 1024;
  const Rows rows = rows_of(request.inputs[0]);
  const int64_t groups = shape.batch(), pixels = shape.height() * shape.width(), parts = std::max<int64_t>(1, pixels / kRowsOfAPart);
  const int64_t slices = std::max<int64_t>(1, threads() / (groups * parts));
  return plan_columns(request, {groups, pixels, rows.stride, rows.channels, request.outputs[0].row_stride, parts, slices,
                                1.0 / static_cast<double>(pixels)});
}

Planned plan_sum_to(const Request& request) {
  const View x = view_of(request.inputs[0]);
  const View y = view_of(request.outputs[0]);
  View stretched = y;
  if (!stretch(stretched, x.dims))
    return refuse("{} does not stretch to {}", to_string(request.outputs[0].type.shape), to_string(request.inputs[0].type.shape));
  return accept([x, y](const Bound& bound) {
    const float* const from = bound.in(0);
    float* const to = bound.out(0);
    // One double sum an element of the result, over the dimensions that are 1 there.
    std::array<int64_t, 4> inner{};
    for (size_t d = 0; d < 4; ++d) inner[d] = y.dims[d] == x.dims[d] ? 1 : x.dims[d];
    parallel_kernel(y.dims[0] * y.dims[1] * y.dims[2] * y.dims[3], 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t rest = i, from_offset = 0, to_offset = 0;
        for (size_t d = 4; d-- > 0;) {
          const int64_t at = rest % y.dims[d];
          rest /= y.dims[d];
          from_offset += at * x.strides[d];
          to_offset += at * y.strides[d];
        }
        double sum = 0;
        for (int64_t n = 0; n < inner[0]; ++n)
          for (int64_t h = 0; h < inner[1]; ++h)
            for (int64_t w = 0; w < inner[2]; ++w) {
              const float* const row = from + from_offset + n * x.strides[0] + h * x.strides[1] + w * x.strides[2];
              for (int64_t c = 0; c < inner[3]; ++c) sum += row[c * x.strides[3]];
            }
        to[to_offset] = static_cast<float>(sum);
      }
    });
  });
}

}  // namespace fovea::cpu
