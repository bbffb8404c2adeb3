#include "cases.h"
#include "ops/constant.h"
#include "ops/increment.h"

namespace fovea::testing {

std::vector<OpCase> scalar_cases() {
  return {
      {"scalar", Constant{DType::f32, {}, 1}, {}, "f32[]"},
      {"filled", Constant{DType::f32, {2, 19, 3, 5}, 0.25}, {}, "f32[2,19,3,5]"},
      {"counter", Constant{DType::i64, {}, 41}, {}, "i64[]"},
      {"of_something", Constant{}, {only("f32[1]")}, "error: constant: 1 inputs, it takes 0"},
      {"counts", Increment{}, {integer(41)}, "i64[]"},
      {"past_32_bits", Increment{}, {integer(int64_t{1} << 40)}, "i64[]"},
      {"of_floats", Increment{}, {only("f32[]")}, "error: increment: n is f32[], i64 is wanted"},
      {"of_a_list", Increment{}, {only("i64[2]")}, "error: increment: n [2] has 1 dimensions, 0 are wanted"},
  };
}

}  // namespace fovea::testing
