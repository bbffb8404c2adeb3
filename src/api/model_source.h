// What a model's name stands for.
#pragma once

#include <optional>
#include <string>

#include "models/registry.h"
#include "weights/download.h"
#include "weights/hub_folder.h"
#include "weights/published.h"

namespace fovea {

struct ModelSource {
  const models::Variant* variant = nullptr;              // of a registered name and of a hub's folder; null for a model file
  const weights::PublishedWeights* published = nullptr;  // that the name chose: of "resnet50.a1_in1k"
  std::string file;                                      // a model file that training wrote
  std::string folder;                                    // of a hub
  std::optional<weights::HubFolder> config;              // what that folder says
};

enum class HubParts { config, all };  // what is fetched of a hub's repository

// A registered name, alone or with a tag of published weights ("resnet50.a1_in1k": timm's architecture); a model file, or the folder of a
// run, for its model; a folder of a hub, also as "local-dir:FOLDER"; "hf-hub:OWNER/NAME[@REVISION]", which is fetched. Throws Error(usage)
// for a name that there is not, with the nearest; Error(io) and the like for what cannot be fetched or read.
ModelSource find_source(const std::string& name, HubParts parts, const weights::Progress& progress = {});

// The folder of a hub and the network that its config.json names. Throws Error that names the file.
ModelSource hub_folder_source(const std::string& folder);

// The repository that "hf-hub:OWNER/NAME[@REVISION]" names; nothing for any other name.
std::optional<std::string> hub_repository_in(const std::string& name);

// Published weights of a name, which may have a tag of its own ("resnet50.a1_in1k"), else of the tag; an empty one means the default. Null
// where there are none.
const weights::PublishedWeights* find_published_weights(const std::string& name, const std::string& tag);

}  // namespace fovea
