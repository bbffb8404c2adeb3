// PyTorch checkpoints (.pth), written.
#pragma once

#include <filesystem>

#include "weights/state_dict.h"

namespace fovea::weights {

// An OrderedDict of the tensors in PyTorch's zip container, which torch.load(weights_only=True) reads. Each tensor gets a storage of its
// own; text metadata has no place there. Written beside and renamed. Throws Error(io).
void write_pth(const std::filesystem::path& path, const StateDict& tensors);

}  // namespace fovea::weights
