// Batch normalization (Ioffe and Szegedy 2015, arXiv:1502.03167) in the forms that the passes tell apart. All vectors are [1,C,1,1].
#pragma once

#include "ir/gradient.h"
#include "ops/activation.h"

namespace fovea {

// In a model's text, knowing no mode: (x, gamma, beta, mean, var) -> y. The lowering pass makes one of the two below of it; it cannot run.
struct BatchNorm {
  static constexpr std::string_view kName = "batch_norm";
  double eps = 1e-5, momentum = 0.1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
    visit("momentum", self.momentum);
  }
};
Types infer(const BatchNorm&, std::span<const Type> inputs);

// (x, gamma, beta, mean, var) -> y = gamma (x - mean) / sqrt(var + eps) + beta, by the running statistics
struct BatchNormInference {
  static constexpr std::string_view kName = "batch_norm_inference";
  double eps = 1e-5;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const BatchNormInference&, std::span<const Type> inputs);
void gradient(const BatchNormInference&, GradientContext&);
bool overwrites(const BatchNormInference&, int input, int output);  // y may take x's place

// (dy, x, gamma, mean, var) -> dx, dgamma, dbeta
struct BatchNormInferenceGrad {
  static constexpr std::string_view kName = "batch_norm_inference_grad";
  double eps = 1e-5;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const BatchNormInferenceGrad&, std::span<const Type> inputs);
inline bool stays_float(const BatchNormInferenceGrad&, int output) { return output > 0; }

// (x, gamma, beta, mean, var (, residual)) -> y, batch mean, batch 1/sqrt(var + eps), next mean, next var
// y = activation(gamma (x - m) / sqrt(v + eps) + beta + residual) with the batch's mean m and biased variance v over N, H, W;
// next mean = (1 - momentum) mean + momentum m; next var likewise with the unbiased n/(n-1) v. The lowering makes it plain (identity, no
// residual); fuse_batch_norm adds the rest, and only with activations whose derivative it can find again (see FusedBatchNormGrad).
// `with_affine` (set by recompute) adds a sixth result [2,C,1,1], from which BatchNormApply makes y again: gamma / sqrt(v + eps), and beta
// with what rounding m has lost.
struct BatchNormTraining {
  static constexpr std::string_view kName = "batch_norm_training";
  double eps = 1e-5, momentum = 0.1;
  bool residual = false;
  ActivationKind activation = ActivationKind::identity;
  bool with_affine = false;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
    visit("momentum", self.momentum);
    visit("residual", self.residual);
    visit("activation", self.activation);
    visit("with_affine", self.with_affine);
  }
};
Types infer(const BatchNormTraining&, std::span<const Type> inputs);
inline bool stays_float(const BatchNormTraining&, int output) { return output > 0; }
void gradient(const BatchNormTraining&, GradientContext&);         // of the plain form
bool overwrites(const BatchNormTraining&, int input, int output);  // next mean and var take the place of mean and var
// The plain operations that a fused one stands for: all results.
std::vector<Value> compose(const BatchNormTraining&, std::span<const Value> inputs, const std::string& name);

// (x, mean, affine (, residual)) -> y = activation(affine[0] (x - mean) + affine[1] + residual), to the bit what BatchNormTraining
// made of x, without its statistics. In backward parts, and for inference norms that are left (apply_batch_norm).
struct BatchNormApply {
  static constexpr std::string_view kName = "batch_norm_apply";
  bool residual = false;
  ActivationKind activation = ActivationKind::identity;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("residual", self.residual);
    visit("activation", self.activation);
  }
};
Types infer(const BatchNormApply&, std::span<const Type> inputs);
bool overwrites(const BatchNormApply&, int input, int output);  // y may take x's or the residual's place

// (dy, x, gamma, mean, inv_std (, beta) (, y)) -> dx, dgamma, dbeta (, dresidual)
// With an activation, dz = dy * activation'(z) comes first, where z = gamma (x - mean) inv_std + beta is computed again, so that no
// normalized value is kept. `with_beta` says that beta is there (any activation that is not identity and has no residual); `residual` says
// that y is there (the activation's derivative comes from the result then: relu and relu6 only) and that dz itself is the fourth result.
struct BatchNormTrainingGrad {
  static constexpr std::string_view kName = "batch_norm_training_grad";
  double eps = 1e-5;
  bool with_beta = false, residual = false;
  ActivationKind activation = ActivationKind::identity;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
    visit("with_beta", self.with_beta);
    visit("residual", self.residual);
    visit("activation", self.activation);
  }
};
Types infer(const BatchNormTrainingGrad&, std::span<const Type> inputs);
inline bool stays_float(const BatchNormTrainingGrad&, int output) { return output == 1 || output == 2; }
bool overwrites(const BatchNormTrainingGrad&, int input, int output);  // dx or dresidual may take dy's place

// What apply_batch_norm makes: (gamma, beta, var) -> [2,C,1,1], gamma / sqrt(var + eps) and beta. In double inside.
struct BatchNormAffine {
  static constexpr std::string_view kName = "batch_norm_affine";
  double eps = 1e-5;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const BatchNormAffine&, std::span<const Type> inputs);

// What fold_batch_norm makes: (w [O,I,kh,kw], gamma, beta, mean, var (, conv bias)) -> w', bias', so that conv2d(x, w') + bias' is the
// pair's result. In double inside.
struct FoldBatchNorm {
  static constexpr std::string_view kName = "fold_batch_norm";
  double eps = 1e-5;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const FoldBatchNorm&, std::span<const Type> inputs);

}  // namespace fovea
