// A loss that a function of the caller's computes, with its gradient.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "ir/op.h"

namespace fovea {

// Takes logits and targets [pictures, classes], returns the loss and writes its derivative by each logit into `gradient`.
using HostLossFunction = std::function<double(int64_t pictures, int64_t classes, std::span<const float> logits,
                                              std::span<const float> targets, std::span<float> gradient)>;

// Makes a function known to the kernels as long as it lives.
class HostLossHandle {
 public:
  explicit HostLossHandle(HostLossFunction function);
  ~HostLossHandle();
  HostLossHandle(const HostLossHandle&) = delete;
  HostLossHandle& operator=(const HostLossHandle&) = delete;
  int64_t number() const { return number_; }

 private:
  int64_t number_;
};
// Throws Error(internal) for a number whose handle is gone.
std::shared_ptr<const HostLossFunction> host_loss_function(int64_t number);

// (logits [N,K,1,1], targets [N,K,1,1]) -> loss [], dlogits. A step starts its backward walk from the latter.
struct HostLoss {
  static constexpr std::string_view kName = "host_loss";
  int64_t function = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("function", self.function);
  }
};
Types infer(const HostLoss&, std::span<const Type> inputs);
inline bool stays_float(const HostLoss&, int) { return true; }

}  // namespace fovea
