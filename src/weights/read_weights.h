// Reading a weights file of either kind, told apart by its content and never by its name.
#pragma once

#include <filesystem>

#include "weights/state_dict.h"

namespace fovea::weights {

// .pth (either container) or .safetensors, without a wrapper's prefix. Throws Error(io), Error(format) or Error(unsupported); what is
// neither gets a sentence that says what it looks like instead.
StateDict read_weights(const std::filesystem::path& path);

}  // namespace fovea::weights
