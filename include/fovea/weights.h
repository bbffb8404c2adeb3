// Published weights: which there are, and getting them. Their files are kept in a cache on this machine.
#pragma once

#include <fovea/api.h>
#include <fovea/error.h>
#include <fovea/preprocess.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

struct WeightsInfo {
  std::string model;        // the registered name of the architecture
  std::string tag;          // distinguishes several weights of one model, in the publisher's words
  bool is_default = false;  // what Model::load takes where no tag is named
  std::string file;
  std::string source;                          // where it comes from: a URL, or a Python package and the file in it
  std::string licence;                         // read the publisher's own words before relying on it
  bool non_commercial = false;                 // the licence forbids any other use
  int64_t classes = 1000;                      // of the file's head; 0: it has none
  bool classifies = true;                      // false: the file has no classifier, or none of use; its features are
  std::optional<double> accuracy1, accuracy5;  // ImageNet-1k validation, %, single crop, as published
  std::string digest;                          // SHA-256: all 64 digits, or the first ones where no more are published; empty where the
                                               // source tells it with the file
  Preprocessing preprocessing;
  std::string path;     // in the cache
  bool cached = false;  // whether the file lies there
};

// Of the networks that there are.
FOVEA_API std::vector<WeightsInfo> published_weights();

// Those of a model's name and a tag, of a name that has a tag of its own ("resnet50.a1_in1k"), or the model's default ones; nothing where
// none are published.
FOVEA_API std::optional<WeightsInfo> find_weights(const std::string& model, const std::string& tag = "");

// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea. Throws Error(usage) where none of them is set.
FOVEA_API std::string cache_directory();

// Called with the bytes there are so far and in all (0 while that is not known).
using FetchProgress = std::function<void(int64_t bytes_done, int64_t bytes_total)>;

// The path of the file in the cache, fetched where it is missing; an empty tag names the model's default weights. "hf-hub:OWNER/NAME" with
// or without "@REVISION" fetches what loading a repository of the hub takes, and gives its folder. What was cut off is
// continued, what does not have its digest is refused, and the file appears only once it is whole. With FOVEA_OFFLINE=1 nothing is fetched.
// Throws Error: usage for a name or tag that is not published, io for what cannot be fetched (naming the file to put there by hand),
// mismatch for a wrong digest.
FOVEA_API std::string fetch_weights(const std::string& model, const std::string& tag = "", const FetchProgress& progress = {});

struct ConvertedWeights {
  int64_t tensors = 0, bytes = 0;
};

// Writes a .pth or .safetensors file as the one of the two that the ending of `to` says (.pt is .pth), under the file's own names, or under
// those of a registered model's library where one is named ("timm/convnext_tiny" for the other of two layouts; then everything that the
// model has must be there). Values stay as they are, bit by bit; text metadata stays in .safetensors files alone. Nothing in a .pth is ever
// executed. Throws Error: unsupported for another format to write, io, format, mismatch.
FOVEA_API ConvertedWeights convert_weights(const std::string& from, const std::string& to, const std::string& model = "");

}  // namespace fovea
