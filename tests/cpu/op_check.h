// Runs one operation on the CPU backend and compares it with the reference backend in double.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"

namespace fovea::test {

// A dense value in the graph's memory order, in double.
struct Array {
  Type type;
  std::vector<double> values;
};
// Standard normal numbers (times scale, plus shift) that float32 holds exactly; integers are below `below`.
Array random_array(Shape shape, uint64_t seed, double scale = 1, double shift = 0);
Array rounded_to_bf16(Array array);
Array scalar_f32(double value);
Array scalar_i64(int64_t value);

struct CheckOptions {
  int64_t extra_stride = 0;               // elements after each pixel's channels, of every operand of rank 4 that is not `dense_only`
  std::vector<int> dense_operands = {};   // inputs that stay dense (weights), and outputs counted from 100
  std::vector<int> constant_inputs = {};  // packed where the kernel asks for it
  std::vector<int> bf16_inputs = {};      // kept in bf16; their numbers are ones that it holds
  std::vector<int> unused_outputs = {};
  std::vector<std::pair<int, int>> aliases = {};  // an input and the output that takes its place
  double tolerance = 2e-6;                        // distance over norm, for each result
};

struct Outcome {
  std::vector<Array> results, wanted;
  std::string kernel;
};

// Fails the running test where a result is farther from the reference than allowed, where a kernel writes outside its memory (results, gaps
// between rows, workspace), or where a second run gives other bits.
Outcome check_op(const Op& op, const std::vector<Array>& inputs, const CheckOptions& options = {});

}  // namespace fovea::test
