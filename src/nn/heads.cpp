#include "nn/heads.h"

namespace fovea {
namespace {

Value plain_linear(Scope s, Value x, int64_t out, const Head& head) {
  const int64_t in = x.channels();
  return linear(s, x, {.out = out, .weight = head.weight(in, out), .bias = head.bias(in, out), .as_convolution = head.as_convolution});
}

double dropout_of(const Head& head, double otherwise) { return head.options.dropout < 0 ? otherwise : head.options.dropout; }

Value linear_head(Scope s, Value x, const Head& head) {
  return plain_linear(s, dropout(s["dropout"], x, dropout_of(head, head.dropout)), head.classes, head);
}

Value mlp_head(Scope s, Value x, const Head& head) {
  x = relu(plain_linear(s[0], x, head.options.hidden, head));
  return plain_linear(s[3], dropout(s[2], x, dropout_of(head, 0.5)), head.classes, head);
}

Value concat_pool_head(Scope s, Value x, const Head& head) {
  const double last_dropout = dropout_of(head, 0.5);
  const auto without_bias = [&](Scope place, Value x, int64_t out) {
    return linear(place, x, {.out = out, .weight = head.weight(x.channels(), out), .has_bias = false});
  };
  x = without_bias(s[4], dropout(s[3], batch_norm(s[2], x), last_dropout / 2), head.options.hidden);
  x = batch_norm(s[6], relu(x));
  return plain_linear(s[8], dropout(s[7], x, last_dropout), head.classes, head);
}

}  // namespace

HeadValues head(Scope s, const Features& features, const Head& head) {
  if (head.options.kind == HeadKind::concat_pool) {
    const Value pooled = concat(global_average_pool(features.map), global_max_pool(features.map));
    return {pooled, concat_pool_head(s, pooled, head)};
  }
  const Value x = features.pre_logits;
  return {x, head.options.kind == HeadKind::mlp ? mlp_head(s, x, head) : linear_head(s, x, head)};
}

}  // namespace fovea
