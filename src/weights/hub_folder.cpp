#include "weights/hub_folder.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "weights/config_json.h"
#include "weights/read_weights.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

const json& weight_map_of(const json& index) {
  const json* map = entry_of(index, "weight_map");
  if (!map || !map->is_object()) fail(ErrorKind::format, "has no weight_map");
  return *map;
}

void add_all(StateDict& result, const StateDict& file) {
  for (const NamedTensor& named : file) result.add(named.name, named.tensor);
  result.unusable.insert(result.unusable.end(), file.unusable.begin(), file.unusable.end());
  result.outside.insert(file.outside.begin(), file.outside.end());
  result.notes.insert(result.notes.end(), file.notes.begin(), file.notes.end());
}

StateDict read_shards(const fs::path& folder, const fs::path& index) {
  StateDict result;
  for (const std::string& shard : shards_of(index)) add_all(result, read_plain_weights(folder / shard));
  const json list = read_json_object(index);
  for (const auto& [name, shard] : weight_map_of(list).items()) {
    const bool unusable = std::ranges::any_of(result.unusable, [&, key = name](const auto& one) { return one.first == key; });
    if (!result.find(name) && !unusable)
      fail(ErrorKind::mismatch, "{}: {} is said to lie in {}, which does not have it", index.string(), in_quotes(name),
           in_quotes(text_in(shard, "weight_map")));
  }
  return result;
}

}  // namespace

void check_deviation(const Preprocessing& preprocessing) {
  for (const float deviation : preprocessing.std)
    if (!(std::abs(deviation) > 1e-12f)) fail(ErrorKind::format, "a standard deviation of {}", deviation);
}

bool is_hub_folder(const fs::path& path) { return is_file(path / "config.json"); }

HubFolder read_hub_folder(const fs::path& folder) {
  const fs::path file = folder / "config.json", processor = folder / "preprocessor_config.json";
  const json config = read_json_object(file);
  HubFolder result = in_context(file.string(), [&] {
    if (entry_of(config, "architecture")) return read_timm_config(config);
    if (entry_of(config, "model_type")) return read_transformers_config(config);
    fail(ErrorKind::format, "has neither an architecture (as timm writes it) nor a model_type (as the transformers library does)");
  });
  if (!result.preprocessing && is_file(processor)) {
    const json pictures = read_json_object(processor);
    result.preprocessing = in_context(processor.string(), [&] { return read_transformers_preprocessing(pictures); });
  }
  return result;
}

std::vector<std::string> shards_of(const fs::path& index) {
  const json list = read_json_object(index);
  return in_context(index.string(), [&] {
    std::set<std::string> shards;
    for (const auto& [name, shard] : weight_map_of(list).items()) {
      const std::string file = text_in(shard, "weight_map");
      if (file.empty() || fs::path(file).filename() != file || file == "." || file == "..")
        fail(ErrorKind::format, "{} is said to lie in {}, which is no file of this folder", in_quotes(name), in_quotes(file));
      shards.insert(file);
    }
    return std::vector<std::string>(shards.begin(), shards.end());
  });
}

StateDict read_hub_weights(const fs::path& folder) {
  for (const char* name : kHubWeights) {
    if (is_file(folder / name)) return read_plain_weights(folder / name);
    const fs::path index = folder / (std::string(name) + kIndexEnding);
    if (is_file(index)) return read_shards(folder, index);
  }
  fail(ErrorKind::io, "{}: has no model.safetensors, no pytorch_model.bin and no index of shards of either", folder.string());
}

}  // namespace fovea::weights
