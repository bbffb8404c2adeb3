#include "nn/differential_attention.h"

#include <cmath>

#include "ops/broadcast_to.h"
#include "ops/constant.h"
#include "ops/rms_norm.h"
#include "ops/slice.h"
#include "ops/view.h"

namespace fovea {
namespace {

Value scaled(Scope s, Value x, double scale) { return s.emit(BroadcastTo{x.shape(), scale}, {x}); }

// The scalar product of two vectors, to the power of e.
Value exp_of_product(Scope s, Value a, Value b) {
  const int64_t width = a.channels();
  const Value mean = global_average_pool(s.emit(View{{1, 1, width, 1}}, {a * b}));
  return activate(ActivationKind::exp, scaled(s, mean, static_cast<double>(width)));
}

// The layer of the first or second half of every head's rows. They lie apart in the weights, so that no token is copied.
LinearParameters half_of_heads(Scope s, const LinearParameters& all, const DifferentialHeads& of, int64_t begin, int64_t which) {
  const int64_t heads = of.heads, width = of.width, end = begin + 2 * heads * width;
  const int64_t in = all.weight.channels();
  const Value rows = s.emit(View{{heads, in, 2, width}}, {s.emit(Slice{0, begin, end}, {all.weight})});
  const Value weight = s.emit(View{{heads * width, in, 1, 1}}, {s.emit(Slice{2, which, which + 1}, {rows})});
  if (!all.bias.valid()) return {weight, Value()};
  const Value biases = s.emit(View{{heads, width, 2, 1}}, {s.emit(Slice{1, begin, end}, {all.bias})});
  return {weight, s.emit(View{{1, heads * width, 1, 1}}, {s.emit(Slice{2, which, which + 1}, {biases})})};
}

}  // namespace

DifferentialWeights differential_weights(Scope s, int64_t width) {
  const auto vector = [&](std::string_view leaf) { return s.parameter(leaf, {1, width, 1, 1}, {width}, normal_init(0.1)); };
  DifferentialWeights weights;
  weights.q1 = vector("lambda_q1");
  weights.k1 = vector("lambda_k1");
  weights.q2 = vector("lambda_q2");
  weights.k2 = vector("lambda_k2");
  return weights;
}

void add_differential_norm(Scope s, int64_t width, DifferentialWeights& weights) {
  weights.gamma = s["sub_norm"].parameter("weight", {1, 2 * width, 1, 1}, {2 * width}, constant_init(1));
}

Value differential_attention(Scope s, Scope at, Value x, const LinearParameters& qkv, const DifferentialWeights& weights,
                             const DifferentialHeads& of) {
  const int64_t half = of.heads * of.width, channels = 2 * half;
  const double first = 0.8 - 0.6 * std::exp(-0.3 * static_cast<double>(of.block));
  const Value v = linear(at, x, qkv, of.begin + 2 * channels, of.begin + 3 * channels);
  const auto attend = [&](int64_t which) {
    const auto project = [&](int64_t begin) { return linear(at, x, half_of_heads(at, qkv, of, of.begin + begin, which), 0, half); };
    const Value q = project(0);
    return cross_attention(s["attention"], q, project(channels), v, of.heads);
  };
  const Value one = attend(0), other = attend(1);

  const Scope lambda = s["lambda"];
  const Value start(s.graph(), s.graph().add(Constant{DType::f32, {1, 1, 1, 1}, -first}, {}, lambda.path()).front());
  const Value minus_one = scaled(lambda, exp_of_product(lambda, weights.q1, weights.k1), -1);
  const Value factor = exp_of_product(lambda, weights.q2, weights.k2) + minus_one + start;  // -lambda
  const Value gamma = scaled(s["sub_norm"], weights.gamma, 1 - first);
  return by_head(one + other * factor, of.heads, [&](Value each) { return s["sub_norm"].emit(RmsNorm{1e-5}, {each, gamma}); });
}

}  // namespace fovea
