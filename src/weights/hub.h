// Files of a hub's repositories: their addresses, where the hub's own client keeps them, and whole folders got from there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "weights/fetch.h"

namespace fovea::weights {

struct HubRepository {
  std::string name;               // "OWNER/NAME"
  std::string revision = "main";  // a branch, a tag or a commit
};

// "OWNER/NAME" or "OWNER/NAME@REVISION". Throws Error(usage) for what is no such name.
HubRepository parse_hub_repository(std::string_view text);

// Below $FOVEA_WEIGHTS_URL, else $HF_ENDPOINT, else the hub itself.
std::string hub_url(const HubRepository& repository, const std::string& file);

// Where fovea keeps the repository's files: hub/OWNER--NAME/REVISION in its cache.
std::filesystem::path hub_folder_in_cache(const HubRepository& repository);

// The snapshot of the repository in the cache of the hub's own client ($HF_HUB_CACHE, else $HF_HOME/hub, else the user's), where there is
// one. Nothing is written there.
std::optional<std::filesystem::path> hub_snapshot(const HubRepository& repository);

// One file, from either cache or fetched into fovea's; nothing where the repository does not have it.
std::optional<std::filesystem::path> fetch_hub_file(const HubRepository& repository, const std::string& file, const FetchOptions& options);

// A folder with config.json, preprocessor_config.json where the repository has one, and the weights (hub_folder.h), several shards at the
// same time. Throws as fetch does, and Error(io) for a repository without weights.
std::filesystem::path fetch_hub_folder(const HubRepository& repository, const FetchOptions& options);

}  // namespace fovea::weights
