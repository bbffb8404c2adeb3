#include "ops/cross_attention.h"

#include "ops/check.h"

namespace fovea {
namespace {

void check_head_tokens(std::string_view op, int64_t heads, NamedType operand) {
  check_rank(op, operand, 4);
  const Shape& shape = operand.type.shape;
  if (heads < 1) fail(ErrorKind::usage, "{}: {} heads, at least 1", op, heads);
  if (shape.channels() % heads != 0)
    fail(ErrorKind::mismatch, "{}: {} channels of {} are no multiple of {} heads", op, shape.channels(), operand.name, heads);
  if (shape.width() != 1)
    fail(ErrorKind::mismatch, "{}: {} {} has width {}, tokens [N,C,T,1] have 1", op, operand.name, to_string(shape), shape.width());
}

void check_operands(std::string_view op, int64_t heads, NamedType q, NamedType k, NamedType v) {
  for (const NamedType& operand : {q, k, v}) check_head_tokens(op, heads, operand);
  const Shape &queries = q.type.shape, &values = v.type.shape;
  check_shape(op, k, {queries.batch(), queries.channels(), values.height(), 1});
  if (values.batch() != queries.batch())
    fail(ErrorKind::mismatch, "{}: v {} is of {} pictures, q of {}", op, to_string(values), values.batch(), queries.batch());
}

// Multiply-adds of one q k^T and one p v.
Cost products(int64_t with_keys, int64_t with_values, const Shape& q, const Shape& v, std::span<const Type> inputs,
              std::span<const Type> outputs) {
  return {q.batch() * q.height() * v.height() * (with_keys * q.channels() + with_values * v.channels()), bytes_only(inputs, outputs).bytes};
}

}  // namespace

Types infer(const CrossAttention& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  const NamedType q{"q", inputs[0]}, k{"k", inputs[1]}, v{"v", inputs[2]};
  const DType dtype = check_floating(op.kName, {q, k, v});
  check_operands(op.kName, op.heads, q, k, v);
  const Shape& queries = inputs[0].shape;
  return {{dtype, {queries.batch(), inputs[2].shape.channels(), queries.height(), 1}},
          {dtype, {queries.batch(), op.heads, queries.height(), 1}}};
}

void gradient(const CrossAttention& op, GradientContext& g) {
  if (!g.dy().valid() || (!g.needs(0) && !g.needs(1) && !g.needs(2))) return;
  const auto gradients = g.emit(CrossAttentionGrad{op.heads}, {g.dy(), g.x(0), g.x(1), g.x(2), g.y(0), g.y(1)});
  for (int input : {0, 1, 2})
    if (g.needs(input)) g.give(input, gradients[static_cast<size_t>(input)]);
}

Cost cost(const CrossAttention&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return products(1, 1, inputs[0].shape, inputs[2].shape, inputs, outputs);
}

Types infer(const CrossAttentionGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 6);
  const NamedType dy{"dy", inputs[0]}, q{"q", inputs[1]}, k{"k", inputs[2]}, v{"v", inputs[3]}, y{"y", inputs[4]},
      log_sum{"log_sum", inputs[5]};
  check_floating(op.kName, {q, dy, k, v, y, log_sum});
  check_operands(op.kName, op.heads, q, k, v);
  const Shape &queries = inputs[1].shape, result{queries.batch(), inputs[3].shape.channels(), queries.height(), 1};
  check_shape(op.kName, dy, result);
  check_shape(op.kName, y, result);
  check_shape(op.kName, log_sum, {queries.batch(), op.heads, queries.height(), 1});
  return {inputs[1], inputs[2], inputs[3]};
}

// q k^T once more, ds k and ds^T q; dy v^T and p^T dy.
Cost cost(const CrossAttentionGrad&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return products(3, 2, inputs[1].shape, inputs[3].shape, inputs, outputs);
}

}  // namespace fovea
