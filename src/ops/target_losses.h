// Losses of targets that are numbers for each class: mixed labels, several labels a picture, classes that count differently.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (logits [N,K,1,1], targets [N,K,1,1], optionally class weights w [1,K,1,1]) -> loss []
// With p = softmax(logits) and t' = (1 - smoothing) t + smoothing / K:
// loss = sum_nk w_k t'_nk (1 - p_nk)^gamma (-log p_nk) / D; D = N, or sum_nk w_k t_nk where weighted_mean, as torch has it for labels that
// are classes (of each row one target is 1 then). gamma above 0 is the focal loss, Lin et al. 2017, arXiv:1708.02002.
struct SoftCrossEntropy {
  static constexpr std::string_view kName = "soft_cross_entropy";
  double smoothing = 0, gamma = 0;
  bool weighted_mean = false;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("smoothing", self.smoothing);
    visit("gamma", self.gamma);
    visit("weighted_mean", self.weighted_mean);
  }
};
Types infer(const SoftCrossEntropy&, std::span<const Type> inputs);
void gradient(const SoftCrossEntropy&, GradientContext&);  // by the logits alone

// (dloss [], then the inputs of SoftCrossEntropy) -> dlogits
struct SoftCrossEntropyGrad {
  static constexpr std::string_view kName = "soft_cross_entropy_grad";
  double smoothing = 0, gamma = 0;
  bool weighted_mean = false;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("smoothing", self.smoothing);
    visit("gamma", self.gamma);
    visit("weighted_mean", self.weighted_mean);
  }
};
Types infer(const SoftCrossEntropyGrad&, std::span<const Type> inputs);

// Each class on its own: (logits, targets, optionally class weights) -> loss []
// With p = sigmoid(logits) and t' = (1 - smoothing) t + smoothing / 2:
// loss = mean_nk w_k (p (1 - t') + (1 - p) t')^gamma (-t' log p - (1 - t') log(1 - p)); gamma above 0 as torchvision's sigmoid_focal_loss
struct BinaryCrossEntropy {
  static constexpr std::string_view kName = "binary_cross_entropy";
  double smoothing = 0, gamma = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("smoothing", self.smoothing);
    visit("gamma", self.gamma);
  }
};
Types infer(const BinaryCrossEntropy&, std::span<const Type> inputs);
void gradient(const BinaryCrossEntropy&, GradientContext&);  // by the logits alone

// (dloss [], then the inputs of BinaryCrossEntropy) -> dlogits
struct BinaryCrossEntropyGrad {
  static constexpr std::string_view kName = "binary_cross_entropy_grad";
  double smoothing = 0, gamma = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("smoothing", self.smoothing);
    visit("gamma", self.gamma);
  }
};
Types infer(const BinaryCrossEntropyGrad&, std::span<const Type> inputs);

}  // namespace fovea
