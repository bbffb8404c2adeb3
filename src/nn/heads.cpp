#include "nn/heads.h"

#include <cmath>

#include "ops/slice.h"

namespace fovea {
namespace {

Value plain_linear(Scope s, Value x, int64_t out, const Head& head) {
  const int64_t in = x.channels();
  return linear(s, x, {.out = out, .weight = head.weight(in, out), .bias = head.bias(in, out), .as_convolution = head.as_convolution});
}

// Layers before the last start as torch.nn.Linear does: torchvision starts a transformer's last from 0, and two such in a row would stay
// there.
Init hidden_init(int64_t in) { return uniform_init(1 / std::sqrt(static_cast<double>(in))); }

double dropout_of(const Head& head, double otherwise) { return head.options.dropout < 0 ? otherwise : head.options.dropout; }

Value linear_head(Scope s, Value x, const Head& head) {
  return plain_linear(s, dropout(s["dropout"], x, dropout_of(head, head.dropout)), head.classes, head);
}

// The two vectors side by side are what both read.
HeadValues two_linear_heads(Scope first, Scope second, const Features& features, const Head& head) {
  const Value both = concat(features.head_vectors.at(0), features.head_vectors.at(1));
  const int64_t width = both.channels() / 2;
  const auto part = [&](Scope s, int64_t begin) { return linear_head(s, s.emit(Slice{1, begin, begin + width}, {both}), head); };
  const Value logits = part(first, 0);
  return {both, mean_of(logits, part(second, width))};
}

Value mlp_head(Scope s, Value x, const Head& head) {
  const Init init = hidden_init(x.channels());
  x = relu(linear(s[0], x, {.out = head.options.hidden, .weight = init, .bias = init, .as_convolution = head.as_convolution}));
  return plain_linear(s[3], dropout(s[2], x, dropout_of(head, 0.5)), head.classes, head);
}

Value concat_pool_head(Scope s, Value x, const Head& head) {
  const double last_dropout = dropout_of(head, 0.5);
  x = dropout(s[3], batch_norm(s[2], x), last_dropout / 2);
  x = linear(s[4], x, {.out = head.options.hidden, .weight = hidden_init(x.channels()), .has_bias = false});
  x = batch_norm(s[6], relu(x));
  return plain_linear(s[8], dropout(s[7], x, last_dropout), head.classes, head);
}

}  // namespace

HeadValues head(Scope network, const std::string& path, const Features& features, const Head& head) {
  const Scope s = network[path];
  if (head.options.kind == HeadKind::concat_pool) {
    const Value pooled = concat(global_average_pool(features.map), global_max_pool(features.map));
    return {pooled, concat_pool_head(s, pooled, head)};
  }
  if (head.options.kind == HeadKind::linear && !head.second.empty()) return two_linear_heads(s, network[head.second], features, head);
  const Value x = features.pre_logits;
  return {x, head.options.kind == HeadKind::mlp ? mlp_head(s, x, head) : linear_head(s, x, head)};
}

}  // namespace fovea
