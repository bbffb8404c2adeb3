// A folder as hubs hold it: config.json, the weights beside it, and how pictures are prepared. It is of timm's kind (config.json names an
// architecture), or of the transformers library's (config.json has a model_type).
#pragma once

#include <fovea/preprocess.h>

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "weights/state_dict.h"

namespace fovea::weights {

struct HubFolder {
  std::string architecture;          // as timm names it, without a tag: "resnet50"
  std::vector<std::string> classes;  // empty: unnamed
  int64_t class_count = 0;           // of unnamed ones; 0: not told
  std::optional<Preprocessing> preprocessing;
  int64_t native_height = 0, native_width = 0;  // the size that position embeddings belong to; 0: not told
  std::vector<std::string> notes;               // what a user should know of it: one line each
};

// Whether it is a folder with a config.json.
bool is_hub_folder(const std::filesystem::path& path);

// Throws Error(io), Error(format) for what cannot be read, Error(unsupported) for a network that fovea would build otherwise, each naming
// the file and the entry.
HubFolder read_hub_folder(const std::filesystem::path& folder);

// The two kinds, from their config.json; how the transformers library prepares pictures is in preprocessor_config.json.
HubFolder read_timm_config(const nlohmann::json& config);
HubFolder read_transformers_config(const nlohmann::json& config);
Preprocessing read_transformers_preprocessing(const nlohmann::json& processor);

// Throws Error(format) for a standard deviation that nothing can be divided by.
void check_deviation(const Preprocessing& preprocessing);

// What each of these files lists is the one network of a folder, in the order in which they are looked for.
inline constexpr const char* kHubWeights[] = {"model.safetensors", "pytorch_model.bin"};
inline constexpr const char* kIndexEnding = ".index.json";

// The files that an index of shards names, each once, sorted. Throws Error(format) for a name that is no file of the same folder.
std::vector<std::string> shards_of(const std::filesystem::path& index);

// model.safetensors, or pytorch_model.bin, or the shards that model.safetensors.index.json or pytorch_model.bin.index.json lists. Throws
// Error(io) where there is none of them.
StateDict read_hub_weights(const std::filesystem::path& folder);

}  // namespace fovea::weights
