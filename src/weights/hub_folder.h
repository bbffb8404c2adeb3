// A folder as hubs hold it: config.json, the weights beside it, and how pictures are prepared. Of timm's kind (config.json names an
// architecture), or of the transformers library's (it has a model_type).
#pragma once

#include <fovea/preprocess.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "weights/state_dict.h"

namespace fovea::weights {

struct HubFolder {
  // As timm names it, without a tag: "resnet50"; of the transformers library the registered name here.
  std::string architecture;
  std::vector<std::string> classes;  // empty: unnamed
  std::optional<Preprocessing> preprocessing;
  int64_t native_height = 0, native_width = 0;  // the size that position embeddings belong to; 0: not told
};

// Whether it is a folder with a config.json.
bool is_hub_folder(const std::filesystem::path& path);

// Throws Error(io), Error(format) for what cannot be read, Error(unsupported) for a network that fovea would build otherwise, each naming
// the file and the entry.
HubFolder read_hub_folder(const std::filesystem::path& folder);

// model.safetensors, or pytorch_model.bin, or the shards that model.safetensors.index.json or pytorch_model.bin.index.json lists. Query, key
// and value of the transformers library become one tensor.
StateDict read_hub_weights(const std::filesystem::path& folder);

}  // namespace fovea::weights
