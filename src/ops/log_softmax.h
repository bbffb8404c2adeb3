// The logarithm of the softmax over the channels.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,K,H,W]) -> y = x - log(sum over K of e^x)
struct LogSoftmax {
  static constexpr std::string_view kName = "log_softmax";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const LogSoftmax&, std::span<const Type> inputs);
void gradient(const LogSoftmax&, GradientContext&);
inline bool stays_float(const LogSoftmax&, int) { return true; }

}  // namespace fovea
