// Names and types of what goes into a graph that runs and of what comes out. Networks, passes and whoever runs graphs have them from here.
#pragma once

#include <cstdint>

namespace fovea::slots {

template <class T>
struct Slot {
  const char* name;
};

// Of a network.
constexpr Slot<float> kImage{"image"};    // [N, channels, height, width]
constexpr Slot<float> kLogits{"logits"};  // [N, K, 1, 1]
// Of a training step (train/step.h).
constexpr Slot<int32_t> kLabels{"labels"};                 // [N]
constexpr Slot<float> kTargets{"targets"};                 // [N, K, 1, 1]
constexpr Slot<float> kClassWeights{"class_weights"};      // [1, K, 1, 1]
constexpr Slot<float> kRate{"rate"};                       // []
constexpr Slot<float> kKeep{"keep"}, kScale{"scale"};      // []: sum = keep sum + scale value
constexpr Slot<int64_t> kStep{"step"}, kUpdate{"update"};  // []: of the phase, and of the optimizer, from 0
constexpr Slot<int64_t> kSeed{"seed"};                     // []
constexpr Slot<float> kLoss{"loss"};                       // []
// The gradient of a parameter, where a step gives it.
constexpr const char* kGradient = "grad:";

}  // namespace fovea::slots
