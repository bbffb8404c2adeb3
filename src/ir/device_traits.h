// What a device is like, as far as it is decided by before kernels are chosen: where values lie, what is computed twice, how a batch is
// cut. A backend tells it of its device (backend::Backend::traits).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fovea {

struct DeviceTraits {
  // Operations, by name, whose kernels take pixels that lie further apart than their channels: what they read and write may be a part of a
  // wider value. Kernels of others would copy it.
  std::span<const std::string_view> take_views = {};
  // What it does in a second. Only the ratio of the two decides anything.
  double multiply_adds_per_second = 1, bytes_per_second = 1;
  // A batch is cut into groups of pictures, each for one core. More pictures than these read the weights no less often.
  int64_t group_pictures = 8;
  // What it takes to read the weights for a group, in times of one picture on one core.
  double group_weights = 0;
  // How much longer all cores take together on one group than each on its own.
  double all_cores = 1;
};

}  // namespace fovea
