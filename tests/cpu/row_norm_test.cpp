#include <gtest/gtest.h>

#include <cmath>

#include "cpu/op_check.h"
#include "ops/layer_norm.h"

namespace fovea::test {
namespace {

TEST(CpuLayerNorm, KeepsItsVarianceFarFromZero) {
  for (double shift : {100.0, 10000.0, -3e5}) {
    const Array gamma = random_array({1, 768, 1, 1}, 41, 0.3, 1), beta = random_array({1, 768, 1, 1}, 42);
    const Array x = random_array({2, 768, 17, 1}, 43, 1, shift);
    const Outcome outcome = check_op(LayerNorm{}, {x, gamma, beta}, {.tolerance = 1e-6});
    for (size_t row = 0; row < outcome.results[2].values.size(); ++row) {
      EXPECT_NEAR(outcome.results[2].values[row] / outcome.wanted[2].values[row], 1, 1e-6)
          << "1 / std of row " << row << " about " << shift;
    }
  }
}

TEST(CpuLayerNorm, RowsOfOneValueHaveNoVariance) {
  const Array gamma = random_array({1, 100, 1, 1}, 44, 0.3, 1), beta = random_array({1, 100, 1, 1}, 45);
  const Outcome outcome = check_op(LayerNorm{}, {random_array({2, 100, 5, 1}, 46, 0, 1234.567), gamma, beta}, {.tolerance = 1e-6});
  for (double inv_std : outcome.results[2].values) EXPECT_NEAR(inv_std, 1000, 1e-3);
}

}  // namespace
}  // namespace fovea::test
