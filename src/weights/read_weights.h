// Reading a weights file of either kind, told apart by its content and never by its name.
#pragma once

#include <filesystem>
#include <string>

#include "weights/state_dict.h"

namespace fovea::weights {

// .pth (either container) or .safetensors, without a wrapper's prefix. `part` names one of several networks in the file ("teacher"): an
// entry of the checkpoint, or the first word of its tensors' names. Throws Error(io), Error(format) or Error(unsupported); what is neither
// gets a sentence that says what it looks like instead; Error(usage) for a part that is not there.
StateDict read_plain_weights(const std::filesystem::path& path, const std::string& part = "");

// The same of a file, or of a folder of a hub (hub_folder.h), with the attentions of the transformers library as every layout here has them
// (transformers_layout.h): what a network is loaded from.
StateDict read_weights(const std::filesystem::path& path, const std::string& part = "");

// "FILE#PART", where there is no file of the whole name; the part is empty without one.
struct WeightsFile {
  std::string path, part;
};
WeightsFile weights_file(const std::string& text);

}  // namespace fovea::weights
