#include "op_case.h"

#include <cmath>
#include <numeric>
#include <ostream>

#include "base/random.h"

namespace fovea::testing {
namespace {

template <class Function>
CaseInput filled(const Shape& shape, uint64_t salt, const Function& function) {
  const RandomStream random(mix64(salt), to_string(shape));
  CaseInput input{{DType::f32, shape}, std::vector<double>(static_cast<size_t>(shape.elements()))};
  // Rounded to float, so that every type starts from the same numbers.
  for (size_t i = 0; i < input.values.size(); ++i) input.values[i] = static_cast<float>(function(random, i));
  return input;
}

}  // namespace

void PrintTo(const OpCase& test, std::ostream* out) { *out << test.op.name() << " " << test.op.attributes(); }

CaseInput normal(Shape shape, uint64_t salt) {
  return filled(shape, salt, [](const RandomStream& random, size_t i) { return random.normal(i); });
}

CaseInput positive(Shape shape, uint64_t salt) {
  return filled(shape, salt, [](const RandomStream& random, size_t i) { return 0.5 + random.uniform(i); });
}

CaseInput distinct(Shape shape) {
  const RandomStream random(1, to_string(shape));
  std::vector<double> order(static_cast<size_t>(shape.elements()));
  std::iota(order.begin(), order.end(), 0.0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i, i)]);
  for (double& value : order) value = static_cast<float>(0.01 * (value - static_cast<double>(order.size()) / 2));
  return {{DType::f32, shape}, order};
}

CaseInput away_from_kinks(Shape shape) {
  return filled(shape, 0, [](const RandomStream& random, size_t i) {
    const double value = 4 * random.normal(i), nearest = std::round(value);
    return std::abs(value - nearest) < 0.05 ? nearest + (value < nearest ? -0.05 : 0.05) : value;
  });
}

CaseInput parameter(CaseInput input) {
  input.parameter = true;
  return input;
}

CaseInput channel_vector(int64_t channels, uint64_t salt) { return parameter(normal({1, channels, 1, 1}, salt)); }
CaseInput positive_channel_vector(int64_t channels, uint64_t salt) { return parameter(positive({1, channels, 1, 1}, salt)); }
CaseInput scalar(double value) { return {{DType::f32, {}}, {static_cast<float>(value)}}; }
CaseInput integer(int64_t value) { return {{DType::i64, {}}, {static_cast<double>(value)}}; }
CaseInput integers(DType dtype, Shape shape, std::vector<double> values) { return {{dtype, shape}, std::move(values)}; }
CaseInput only(const std::string& type) { return {parse_type(type), {}}; }

}  // namespace fovea::testing
