// Optimizer steps.
#include <cmath>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "ops/adamw_update.h"
#include "ops/sgd_update.h"

namespace fovea::cpu {
namespace {

const Operand* strided(const Request& request) {
  for (std::span<const Operand> operands : {request.inputs, request.outputs})
    for (const Operand& operand : operands)
      if (!is_dense(operand)) return &operand;
  return nullptr;
}

}  // namespace

Planned plan_sgd_update(const Request& request) {
  if (const Operand* operand = strided(request)) return refuse("rows of {} lie {} apart", to_string(operand->type), operand->row_stride);
  const SgdUpdate op = *request.op.as<SgdUpdate>();
  const int64_t n = request.inputs[0].type.elements();
  return accept([op, n](const Bound& bound) {
    const simd::SgdStep step{static_cast<float>(op.momentum), static_cast<float>(op.weight_decay),
                             static_cast<float>(double{*bound.in(3)} * op.rate_scale), op.nesterov};
    parallel_kernel(n, kGrain, [&](int64_t begin, int64_t end) {
      simd::sgd(step, bound.in(0) + begin, bound.in(1) + begin, bound.in(2) + begin, bound.out(0) + begin, bound.out(1) + begin,
                end - begin);
    });
  });
}

Planned plan_adamw_update(const Request& request) {
  if (const Operand* operand = strided(request)) return refuse("rows of {} lie {} apart", to_string(operand->type), operand->row_stride);
  const AdamWUpdate op = *request.op.as<AdamWUpdate>();
  const int64_t n = request.inputs[0].type.elements();
  return accept([op, n](const Bound& bound) {
    const double rate = double{*bound.in(4)} * op.rate_scale, t = static_cast<double>(*bound.in<int64_t>(5) + 1);
    simd::AdamStep step{};
    step.beta1 = static_cast<float>(op.beta1);
    step.one_minus_beta1 = static_cast<float>(1 - op.beta1);
    step.beta2 = static_cast<float>(op.beta2);
    step.one_minus_beta2 = static_cast<float>(1 - op.beta2);
    step.decay = static_cast<float>(1 - rate * op.weight_decay);
    step.rate = static_cast<float>(rate / (1 - std::pow(op.beta1, t)));
    step.inv_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(op.beta2, t)));
    step.eps = static_cast<float>(op.eps);
    parallel_kernel(n, kGrain, [&](int64_t begin, int64_t end) {
      const simd::AdamState state{bound.in(0) + begin,  bound.in(1) + begin,  bound.in(2) + begin, bound.in(3) + begin,
                                  bound.out(0) + begin, bound.out(1) + begin, bound.out(2) + begin};
      simd::adamw(step, state, end - begin);
    });
  });
}

}  // namespace fovea::cpu
