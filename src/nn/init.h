// How new parameters start: the rules of the literature as numbers, and the numbers as tensors.
#pragma once

#include <cstdint>

#include "ir/graph.h"

namespace fovea {

Init constant_init(double value);
Init uniform_init(double bound);  // in [-bound, bound)
Init normal_init(double standard_deviation);
Init truncated_normal_init(double standard_deviation);  // cut at -2 and 2, as torch.nn.init.trunc_normal_ is
// He et al. 2015, arXiv:1502.01852: normal of variance 2 / fan, for layers before a ReLU.
Init kaiming_normal(int64_t fan);

// A state's first value, in its stored shape. Depends on (seed, the state's name, the element) alone.
Tensor initialize(const State& state, uint64_t seed, DType dtype = DType::f32);

}  // namespace fovea
