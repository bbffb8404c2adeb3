// Softmax cross entropy with label smoothing, mean over the batch.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (logits [N,K,1,1], labels i32 [N]) -> loss [], probabilities [N,K,1,1]
// loss = mean_n ((1 - e) (-log p_y) + e/K sum_k (-log p_k)), e = smoothing
struct CrossEntropy {
  static constexpr std::string_view kName = "cross_entropy";
  double smoothing = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("smoothing", self.smoothing);
  }
};
Types infer(const CrossEntropy&, std::span<const Type> inputs);
void gradient(const CrossEntropy&, GradientContext&);

// (dloss [], probabilities, labels) -> dlogits
struct CrossEntropyGrad {
  static constexpr std::string_view kName = "cross_entropy_grad";
  double smoothing = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("smoothing", self.smoothing);
  }
};
Types infer(const CrossEntropyGrad&, std::span<const Type> inputs);

}  // namespace fovea
