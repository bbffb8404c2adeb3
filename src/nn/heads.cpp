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

Value concat_pool_head(Scope s, Value map, const Head& head) {
  const double last_dropout = dropout_of(head, 0.5);
  const auto without_bias = [&](Scope place, Value x, int64_t out) {
    return linear(place, x, {.out = out, .weight = head.weight(x.channels(), out), .has_bias = false});
  };
  Value x = concat(global_average_pool(map), global_max_pool(map));
  x = without_bias(s[4], dropout(s[3], batch_norm(s[2], x), last_dropout / 2), head.options.hidden);
  x = batch_norm(s[6], relu(x));
  return plain_linear(s[8], dropout(s[7], x, last_dropout), head.classes, head);
}

}  // namespace

Value head(Scope s, const Features& features, const Head& head) {
  switch (head.options.kind) {
    case HeadKind::mlp:
      return mlp_head(s, features.pre_logits, head);
    case HeadKind::concat_pool:
      return concat_pool_head(s, features.map, head);
    case HeadKind::linear:
      break;
  }
  return linear_head(s, features.pre_logits, head);
}

}  // namespace fovea
