#include "ops/attention.h"

#include "ops/check.h"

namespace fovea {
namespace {

// Of queries, keys and values side by side.
struct Tokens {
  int64_t batch, channels, count;  // channels of one of the three
};

Tokens check_tokens(std::string_view op, int64_t heads, const Type& qkv) {
  check_rank(op, {"qkv", qkv}, 4);
  const Shape& shape = qkv.shape;
  if (heads < 1) fail(ErrorKind::usage, "{}: {} heads, at least 1", op, heads);
  if (shape.channels() % (3 * heads) != 0)
    fail(ErrorKind::mismatch, "{}: {} channels of qkv are no multiple of {}, queries, keys and values for {} heads", op, shape.channels(),
         3 * heads, heads);
  if (shape.width() != 1)
    fail(ErrorKind::mismatch, "{}: qkv {} has width {}, tokens [N,3C,T,1] have 1", op, to_string(shape), shape.width());
  return {shape.batch(), shape.channels() / 3, shape.height()};
}

// Each product of two matrices forms T x T numbers from C multiply-adds, or T x C from T.
Cost products(int64_t count, const Shape& qkv, std::span<const Type> inputs, std::span<const Type> outputs) {
  return {count * qkv.batch() * qkv.height() * qkv.height() * (qkv.channels() / 3), bytes_only(inputs, outputs).bytes};
}

}  // namespace

Types infer(const Attention& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"qkv", inputs[0]}});
  const Tokens tokens = check_tokens(op.kName, op.heads, inputs[0]);
  return {{dtype, {tokens.batch, tokens.channels, tokens.count, 1}}, {dtype, {tokens.batch, op.heads, tokens.count, 1}}};
}

void gradient(const Attention& op, GradientContext& g) {
  if (!g.needs(0) || !g.dy().valid()) return;
  g.give(0, g.emit(AttentionGrad{op.heads}, {g.dy(), g.x(0), g.y(0), g.y(1)})[0]);
}

// q k^T and p v.
Cost cost(const Attention&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return products(2, inputs[0].shape, inputs, outputs);
}

Types infer(const AttentionGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 4);
  const NamedType dy{"dy", inputs[0]}, qkv{"qkv", inputs[1]}, y{"y", inputs[2]}, log_sum{"log_sum", inputs[3]};
  check_floating(op.kName, {qkv, dy, y, log_sum});
  const Tokens tokens = check_tokens(op.kName, op.heads, inputs[1]);
  const Shape result{tokens.batch, tokens.channels, tokens.count, 1};
  check_shape(op.kName, dy, result);
  check_shape(op.kName, y, result);
  check_shape(op.kName, log_sum, {tokens.batch, op.heads, tokens.count, 1});
  return {inputs[1]};
}

// q k^T once more, dy v^T, p^T dy, ds k and ds^T q.
Cost cost(const AttentionGrad&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return products(5, inputs[1].shape, inputs, outputs);
}

Types infer(const AttentionProbabilities& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"qkv", inputs[0]}});
  const Tokens tokens = check_tokens(op.kName, op.heads, inputs[0]);
  return {{dtype, {tokens.batch, op.heads, tokens.count, tokens.count}}};
}

Cost cost(const AttentionProbabilities&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return products(1, inputs[0].shape, inputs, outputs);
}

}  // namespace fovea
