// Elementwise operations, with and without broadcasting.
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/view.h"
#include "ops/activation.h"
#include "ops/broadcast_to.h"
#include "ops/constant.h"

namespace fovea::cpu {
namespace {

Planned plan_binary(const Request& request, simd::Binary op) {
  const DType a_type = request.inputs[0].type.dtype, b_type = request.inputs[1].type.dtype, y_type = request.outputs[0].type.dtype;
  if (a_type != y_type && b_type != y_type) return refuse("neither operand is of the result's type");
  if (y_type == DType::f32 && a_type != b_type) return refuse("operands of two types and a float result");
  const View y = view_of(request.outputs[0]);
  std::array<View, 3> views{y, view_of(request.inputs[0]), view_of(request.inputs[1])};
  for (size_t k = 1; k < 3; ++k) {
    const Shape& shape = request.inputs[k - 1].type.shape;
    if (shape.rank() != 0 && shape.rank() != request.outputs[0].type.shape.rank())
      return refuse("ranks {} and {} together", shape.rank(), request.outputs[0].type.shape.rank());
    if (!stretch(views[k], y.dims)) return refuse("{} does not stretch to {}", to_string(shape), to_string(request.outputs[0].type.shape));
  }
  return accept([=, loop = StridedLoop<3>(views)](const Bound& bound) {
    const Source a = bound.source(0, a_type), b = bound.source(1, b_type);
    const Target out = bound.target(0, y_type);
    loop.run([&](const std::array<int64_t, 3>& at, int64_t n) {
      simd::binary(op, a + at[1], loop.strides[1][3], b + at[2], loop.strides[2][3], out + at[0], n);
    });
  });
}

}  // namespace

Planned plan_add(const Request& request) { return plan_binary(request, simd::Binary::add); }
Planned plan_multiply(const Request& request) { return plan_binary(request, simd::Binary::multiply); }

Planned plan_broadcast_to(const Request& request) {
  const View y = view_of(request.outputs[0]);
  std::array<View, 2> views{y, view_of(request.inputs[0])};
  if (!stretch(views[1], y.dims))
    return refuse("{} does not stretch to {}", to_string(request.inputs[0].type.shape), to_string(request.outputs[0].type.shape));
  if (!of_one_type({&request.inputs[0], &request.outputs[0]})) return refuse("two types");
  const auto scale = static_cast<float>(request.op.as<BroadcastTo>()->scale);
  const DType type = request.outputs[0].type.dtype;
  return accept([scale, type, loop = StridedLoop<2>(views)](const Bound& bound) {
    const Source x = bound.source(0, type);
    const Target out = bound.target(0, type);
    loop.run([&](const std::array<int64_t, 2>& at, int64_t n) {
      simd::binary(simd::Binary::multiply, x + at[1], loop.strides[1][3], Source(&scale), 0, out + at[0], n);
    });
  });
}

Planned plan_cast(const Request& request) {
  const DType from = request.inputs[0].type.dtype, to = request.outputs[0].type.dtype;
  if (request.inputs[0].type.shape.rank() != 4) return refuse("not of rank 4");
  const std::array<Rows, 2> rows{rows_of(request.inputs[0]), rows_of(request.outputs[0])};
  return accept([=](const Bound& bound) {
    const Source x = bound.source(0, from);
    const Target y = bound.target(0, to);
    over_ranges(rows, kGrain, [&](const std::array<int64_t, 2>& at, int64_t n) { simd::convert(x + at[0], y + at[1], n); });
  });
}

Planned plan_activation(const Request& request) {
  const ActivationKind kind = request.op.as<Activation>()->kind;
  const DType type = request.inputs[0].type.dtype;
  const std::array<Rows, 2> rows{rows_of(request.inputs[0]), rows_of(request.outputs[0])};
  return accept([kind, type, rows](const Bound& bound) {
    const Source x = bound.source(0, type);
    const Target y = bound.target(0, type);
    over_ranges(rows, kGrain, [&](const std::array<int64_t, 2>& at, int64_t n) { simd::activate(kind, x + at[0], y + at[1], n); });
  });
}

Planned plan_activation_grad(const Request& request) {
  const ActivationKind kind = request.op.as<ActivationGrad>()->kind;
  if (!of_one_type({&request.inputs[0], &request.inputs[1], &request.outputs[0]})) return refuse("several types");
  const DType type = request.outputs[0].type.dtype;
  const std::array<Rows, 3> rows{rows_of(request.inputs[0]), rows_of(request.inputs[1]), rows_of(request.outputs[0])};
  return accept([kind, type, rows](const Bound& bound) {
    const Source dy = bound.source(0, type), x_or_y = bound.source(1, type);
    const Target dx = bound.target(0, type);
    over_ranges(rows, kGrain, [&](const std::array<int64_t, 3>& at, int64_t n) {
      simd::activation_grad(kind, dy + at[0], x_or_y + at[1], dx + at[2], n);
    });
  });
}

Planned plan_constant(const Request& request) {
  const double value = request.op.as<Constant>()->value;
  const Type type = request.outputs[0].type;
  const std::array<Rows, 1> rows{rows_of(request.outputs[0])};
  const auto filled = [rows](auto typed) {
    return accept([rows, typed](const Bound& bound) {
      auto* const y = bound.out<decltype(typed)>(0);
      over_ranges(rows, kGrain, [&](const std::array<int64_t, 1>& at, int64_t n) { std::fill_n(y + at[0], n, typed); });
    });
  };
  switch (type.dtype) {
    case DType::f32:
      return filled(static_cast<float>(value));
    case DType::i64:
      return filled(static_cast<int64_t>(value));
    case DType::i32:
      return filled(static_cast<int32_t>(value));
    default:
      return refuse("a constant of type {}", to_string(type.dtype));
  }
}

Planned plan_increment(const Request& request) {
  if (request.inputs[0].type.dtype != DType::i64) return refuse("a counter of type {}", to_string(request.inputs[0].type.dtype));
  return accept([n = request.inputs[0].type.elements()](const Bound& bound) {
    for (int64_t i = 0; i < n; ++i) bound.out<int64_t>(0)[i] = bound.in<int64_t>(0)[i] + 1;
  });
}

}  // namespace fovea::cpu
