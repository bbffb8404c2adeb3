#include "nn/init.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "base/random.h"

namespace fovea {

Init constant_init(double value) { return {Init::Kind::constant, value}; }
Init uniform_init(double bound) { return {Init::Kind::uniform, bound}; }
Init normal_init(double standard_deviation) { return {Init::Kind::normal, standard_deviation}; }
Init truncated_normal_init(double standard_deviation) { return {Init::Kind::truncated_normal, standard_deviation}; }
Init kaiming_normal(int64_t fan) { return normal_init(std::sqrt(2.0 / static_cast<double>(fan))); }

namespace {

double draw(const Init& init, const RandomStream& stream, uint64_t element, uint64_t count) {
  switch (init.kind) {
    case Init::Kind::constant:
      return init.value;
    case Init::Kind::uniform:
      return init.value * (2 * stream.uniform(element) - 1);
    case Init::Kind::normal:
      return init.value * stream.normal(element);
    case Init::Kind::truncated_normal:
      break;
  }
  // The next `count` numbers of the stream hold every element's next attempt.
  for (uint64_t attempt = 0;; ++attempt)
    if (const double value = init.value * stream.normal(element + attempt * count); std::abs(value) <= 2) return value;
}

template <class T>
void fill(std::span<T> values, const Init& init, const RandomStream& stream) {
  constexpr int64_t grain = 4096;  // numbers a thread draws at least: some 100 microseconds of Box-Muller
  parallel_for(static_cast<int64_t>(values.size()), grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      values[static_cast<size_t>(i)] = static_cast<T>(draw(init, stream, static_cast<uint64_t>(i), values.size()));
  });
}

}  // namespace

Tensor initialize(const State& state, uint64_t seed, DType dtype) {
  Tensor tensor(dtype, state.stored_shape);
  const RandomStream stream(seed, state.name);
  switch (dtype) {
    case DType::f32:
      fill(tensor.mutable_values<float>(), state.init, stream);
      break;
    case DType::f64:
      fill(tensor.mutable_values<double>(), state.init, stream);
      break;
    case DType::i64:
      if (state.init.kind != Init::Kind::constant) fail(ErrorKind::internal, "{}: a counter starts at a constant", state.name);
      std::ranges::fill(tensor.mutable_values<int64_t>(), static_cast<int64_t>(state.init.value));
      break;
    default:
      fail(ErrorKind::unsupported, "{}: a state of type {} cannot be started", state.name, to_string(dtype));
  }
  return tensor;
}

}  // namespace fovea
