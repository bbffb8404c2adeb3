// Optimizer steps, and what happens to gradients before them.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "ops/accumulate.h"
#include "ops/adamw_update.h"
#include "ops/gradient_norm.h"
#include "ops/rmsprop_update.h"
#include "ops/sgd_update.h"

namespace fovea::cpu {
namespace {

const Operand* strided(const Request& request) {
  for (std::span<const Operand> operands : {request.inputs, request.outputs})
    for (const Operand& operand : operands)
      if (!is_dense(operand)) return &operand;
  return nullptr;
}

// Where results go: an unread one into the workspace, `elements` floats each.
class Targets {
 public:
  explicit Targets(const Request& request) : elements_(request.inputs[0].type.elements()), unread_(request.outputs.size()) {
    for (size_t k = 0; k < unread_.size(); ++k) unread_[k] = !request.outputs[k].used;
  }
  size_t workspace_bytes() const { return bytes() * static_cast<size_t>(std::ranges::count(unread_, true)); }
  float* at(const Bound& bound, size_t k) const {
    if (!unread_[k]) return bound.out(k);
    const auto before = std::count(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(k), true);
    return bound.scratch<float>(bytes() * static_cast<size_t>(before));
  }

 private:
  size_t bytes() const { return align64(static_cast<size_t>(elements_) * sizeof(float)); }
  int64_t elements_;
  std::vector<bool> unread_;
};

}  // namespace

Planned plan_sgd_update(const Request& request) {
  if (const Operand* operand = strided(request)) return refuse("rows of {} lie {} apart", to_string(operand->type), operand->row_stride);
  const SgdUpdate op = *request.op.as<SgdUpdate>();
  const int64_t n = request.inputs[0].type.elements();
  const Targets targets(request);
  return accept(targets.workspace_bytes(), [=](const Bound& bound) {
    float *const parameter = targets.at(bound, 0), *const velocity = targets.at(bound, 1);
    const simd::SgdStep step{static_cast<float>(op.momentum), static_cast<float>(op.weight_decay),
                             static_cast<float>(double{*bound.in(3)} * op.rate_scale), op.nesterov};
    parallel_kernel(n, kGrain, [&](int64_t begin, int64_t end) {
      simd::sgd(step, bound.in(0) + begin, bound.in(1) + begin, bound.in(2) + begin, parameter + begin, velocity + begin, end - begin);
    });
  });
}

Planned plan_adamw_update(const Request& request) {
  if (const Operand* operand = strided(request)) return refuse("rows of {} lie {} apart", to_string(operand->type), operand->row_stride);
  const AdamWUpdate op = *request.op.as<AdamWUpdate>();
  const int64_t n = request.inputs[0].type.elements();
  const Targets targets(request);
  return accept(targets.workspace_bytes(), [=](const Bound& bound) {
    float *const parameter = targets.at(bound, 0), *const m = targets.at(bound, 1), *const v = targets.at(bound, 2);
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
      const simd::AdamState state{
          bound.in(0) + begin, bound.in(1) + begin, bound.in(2) + begin, bound.in(3) + begin, parameter + begin, m + begin, v + begin};
      simd::adamw(step, state, end - begin);
    });
  });
}

Planned plan_rmsprop_update(const Request& request) {
  if (const Operand* operand = strided(request)) return refuse("rows of {} lie {} apart", to_string(operand->type), operand->row_stride);
  const RmspropUpdate op = *request.op.as<RmspropUpdate>();
  const int64_t n = request.inputs[0].type.elements();
  const Targets targets(request);
  return accept(targets.workspace_bytes(), [=](const Bound& bound) {
    float *const parameter = targets.at(bound, 0), *const square = targets.at(bound, 1), *const velocity = targets.at(bound, 2);
    const simd::RmspropStep step{static_cast<float>(1 - op.alpha), static_cast<float>(op.momentum), static_cast<float>(op.eps),
                                 static_cast<float>(op.weight_decay), static_cast<float>(double{*bound.in(4)} * op.rate_scale)};
    parallel_kernel(n, kGrain, [&](int64_t begin, int64_t end) {
      const simd::RmspropState state{bound.in(0) + begin, bound.in(1) + begin, bound.in(2) + begin, bound.in(3) + begin,
                                     parameter + begin,   square + begin,      velocity + begin};
      simd::rmsprop(step, state, end - begin);
    });
  });
}

Planned plan_accumulate(const Request& request) {
  if (const Operand* operand = strided(request)) return refuse("rows of {} lie {} apart", to_string(operand->type), operand->row_stride);
  const int64_t n = request.inputs[0].type.elements();
  return accept([n](const Bound& bound) {
    const float keep = *bound.in(2), scale = *bound.in(3);
    parallel_kernel(n, kGrain, [&](int64_t begin, int64_t end) {
      simd::accumulate(keep, bound.in(0) + begin, scale, bound.in(1) + begin, bound.out(0) + begin, end - begin);
    });
  });
}

Planned plan_squared_norm(const Request& request) {
  if (const Operand* operand = strided(request)) return refuse("rows of {} lie {} apart", to_string(operand->type), operand->row_stride);
  const int64_t n = request.inputs[0].type.elements();
  const bool goes_on = request.inputs.size() > 1;
  // Parts of one length, whatever the threads: the sum has one shape.
  constexpr int64_t kPart = 4096, kLanes = 8;
  const int64_t parts = (n + kPart - 1) / kPart;
  return accept(static_cast<size_t>(parts) * sizeof(double), [=](const Bound& bound) {
    parallel_kernel(parts, std::max<int64_t>(1, kGrain / kPart), [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        double lanes[kLanes] = {};
        const int64_t first = part * kPart, last = std::min(n, first + kPart);
        for (int64_t i = first; i < last; ++i) lanes[(i - first) % kLanes] += double{bound.in(0)[i]} * bound.in(0)[i];
        double sum = 0;
        for (double lane : lanes) sum += lane;
        bound.scratch<double>()[part] = sum;
      }
    });
    double sum = goes_on ? *bound.in(1) : 0;
    for (int64_t part = 0; part < parts; ++part) sum += bound.scratch<double>()[part];
    *bound.out(0) = static_cast<float>(sum);
  });
}

Planned plan_clip_factor(const Request& request) {
  const double max_norm = request.op.as<ClipFactor>()->max_norm;
  return accept([max_norm](const Bound& bound) {
    *bound.out(0) = static_cast<float>(std::min(1.0, max_norm / (std::sqrt(double{*bound.in(0)}) + 1e-6)));
  });
}

}  // namespace fovea::cpu
