// Dropout and stochastic depth, counter-based: the mask depends on (seed, step, stream, element) alone.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// In a model's text, knowing no mode: (x) -> y. Dropout of elements (Srivastava et al. 2014) or, per_sample, of whole rows of the batch
// (stochastic depth, Huang et al. 2016, arXiv:1603.09382). The lowering pass makes RandomMask or nothing of it; it cannot run.
struct Dropout {
  static constexpr std::string_view kName = "dropout";
  double probability = 0;  // of dropping
  bool per_sample = false;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("probability", self.probability);
    visit("per_sample", self.per_sample);
  }
};
Types infer(const Dropout&, std::span<const Type> inputs);

// (x, seed i64 [], step i64 []) -> y = x mask / (1 - probability). Element e (in N, C, H, W order; the row n where per_sample) is kept
// where RandomStream(seed, mix64(stream) + step).uniform(e) >= probability. Its gradient is itself.
struct RandomMask {
  static constexpr std::string_view kName = "random_mask";
  double probability = 0;
  bool per_sample = false;
  int64_t stream = 0;  // tells nodes apart
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("probability", self.probability);
    visit("per_sample", self.per_sample);
    visit("stream", self.stream);
  }
};
Types infer(const RandomMask&, std::span<const Type> inputs);
void gradient(const RandomMask&, GradientContext&);
bool overwrites(const RandomMask&, int input, int output);

}  // namespace fovea
