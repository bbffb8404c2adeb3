// Cases of operations: one list an operation, used for shapes, forward on every backend, gradients and fusions.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace fovea::testing {

struct CaseInput {
  Type type;                   // floating inputs are declared f32 and run in every type
  std::vector<double> values;  // in logical order; empty where only the shape matters
  // Parameters are dense in memory and may be packed as constants; other values of rank 4 are also tried as slices of wider rows.
  bool parameter = false;
};

struct OpCase {
  std::string name;
  Op op;
  std::vector<CaseInput> inputs;
  std::string expected;                    // the result types: "f32[2,8,4,4] i32[2,8,4,4]"; or, after "error: ", the message
  std::vector<size_t> gradients = {};      // the inputs whose gradient is checked
  std::vector<size_t> dense_outputs = {};  // results that are parameters' (gradients, next values): never slices
  int64_t multiply_adds = 0;
  double ceiling = 1e-5;  // of |got - wanted| / |wanted| in f32
};

void PrintTo(const OpCase& test, std::ostream* out);

// Inputs filled from a stream that depends on the shape and `salt`.
CaseInput normal(Shape shape, uint64_t salt = 0);
// From 0.5 to 1.5: variances, gammas.
CaseInput positive(Shape shape, uint64_t salt = 0);
// All different by at least 0.01: no two candidates of a maximum are close.
CaseInput distinct(Shape shape);
// Normal of deviation 4, at least 0.05 from every integer: from the kinks of the activations.
CaseInput away_from_kinks(Shape shape);
CaseInput parameter(CaseInput input);
CaseInput channel_vector(int64_t channels, uint64_t salt = 0);           // a parameter, normal
CaseInput positive_channel_vector(int64_t channels, uint64_t salt = 0);  // a parameter, 0.5 to 1.5
CaseInput scalar(double value);
CaseInput integer(int64_t value);
CaseInput integers(DType dtype, Shape shape, std::vector<double> values);
// "f32[2,8,4,4]"
inline std::string f32_text(const Shape& shape) { return to_string(Type{DType::f32, shape}); }
// Of a type alone, for cases that are errors.
CaseInput only(const std::string& type);

}  // namespace fovea::testing
