// Operations that move elements: runs of neighbouring elements are copied as they are, whatever the strides around them.
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/view.h"
#include "ops/concat.h"
#include "ops/slice.h"
#include "ops/view.h"

namespace fovea::cpu {
namespace {

// One block of places as it lies in two values, and where it begins in each.
struct BlockCopy {
  StridedLoop<2> loop;
  int64_t from = 0, to = 0;  // elements

  void run(Source x, Target y) const {
    if ((x + from).data == (y + to).data) return;  // one is a view of the other
    loop.run([&](const std::array<int64_t, 2>& at, int64_t n) { simd::convert(x + from + at[0], y + to + at[1], n); });
  }
};

// The place in memory order of a logical axis of rank 4.
size_t memory_axis(int64_t axis) { return std::array<size_t, 4>{0, 3, 1, 2}[static_cast<size_t>(axis)]; }

// `size` places along an axis, from place `from_begin` of x to place `to_begin` of y.
BlockCopy block_copy(const Operand& x, const Operand& y, size_t axis, int64_t size, int64_t from_begin, int64_t to_begin) {
  View from = view_of(x), to = view_of(y);
  from.dims[axis] = to.dims[axis] = size;
  return {StridedLoop<2>({from, to}), from_begin * from.strides[axis], to_begin * to.strides[axis]};
}

}  // namespace

Planned plan_concat(const Request& request) {
  const int64_t logical = request.op.as<Concat>()->axis;
  const size_t axis = memory_axis(logical);
  std::vector<BlockCopy> copies;
  int64_t begin = 0;
  for (const Operand& input : request.inputs) {
    const int64_t size = input.type.shape[static_cast<int>(logical)];
    copies.push_back(block_copy(input, request.outputs[0], axis, size, 0, begin));
    begin += size;
  }
  std::vector<DType> types;
  for (const Operand& input : request.inputs) types.push_back(input.type.dtype);
  return accept([copies, types, to = request.outputs[0].type.dtype](const Bound& bound) {
    for (size_t i = 0; i < copies.size(); ++i) copies[i].run(bound.source(i, types[i]), bound.target(0, to));
  });
}

Planned plan_slice(const Request& request) {
  const Slice op = *request.op.as<Slice>();
  const BlockCopy copy = block_copy(request.inputs[0], request.outputs[0], memory_axis(op.axis), op.end - op.begin, op.begin, 0);
  return accept([copy, from = request.inputs[0].type.dtype, to = request.outputs[0].type.dtype](const Bound& bound) {
    copy.run(bound.source(0, from), bound.target(0, to));
  });
}

Planned plan_pad(const Request& request) {
  const Pad op = *request.op.as<Pad>();
  const size_t axis = memory_axis(op.axis);
  const Operand &x = request.inputs[0], &y = request.outputs[0];
  const int64_t size = x.type.shape[static_cast<int>(op.axis)];
  const BlockCopy copy = block_copy(x, y, axis, size, 0, op.before);
  const BlockCopy before = block_copy(y, y, axis, op.before, 0, 0), after = block_copy(y, y, axis, op.after, 0, op.before + size);
  const DType from = x.type.dtype, type = y.type.dtype;
  return accept([=](const Bound& bound) {
    const Target to = bound.target(0, type);
    for (const BlockCopy& zeros : {before, after})
      zeros.loop.run([&](const std::array<int64_t, 2>& at, int64_t n) {
        std::fill_n((to + zeros.to + at[1]).as<std::byte>(), n * static_cast<int64_t>(size_of(type)), std::byte{0});
      });
    copy.run(bound.source(0, from), to);
  });
}

Planned plan_view(const Request& request) {
  std::array<Rows, 2> rows{rows_of(request.inputs[0]), rows_of(request.outputs[0])};
  // A value without gaps can be cut into the rows of the other.
  for (size_t k : {size_t{0}, size_t{1}})
    if (rows[k].dense()) rows[k] = {rows[1 - k].count, rows[1 - k].channels, rows[1 - k].channels};
  if (rows[0].channels != rows[1].channels) return refuse("strided rows of {} cut into rows of {}", rows[0].channels, rows[1].channels);
  return accept([rows, from = request.inputs[0].type.dtype, to = request.outputs[0].type.dtype](const Bound& bound) {
    const Source x = bound.source(0, from);
    const Target y = bound.target(0, to);
    if (x.data == y.data) return;  // one place for both: nothing to move
    over_ranges(rows, kGrain, [&](const std::array<int64_t, 2>& at, int64_t n) { simd::convert(x + at[0], y + at[1], n); });
  });
}

}  // namespace fovea::cpu
