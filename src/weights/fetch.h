// Published weights by name, in a cache on this machine.
#pragma once

#include <filesystem>

#include "weights/download.h"
#include "weights/published.h"

namespace fovea::weights {

// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea. Throws Error(usage) where none of them is set.
std::filesystem::path cache_directory();
// Where the file of these weights lies once it is there.
std::filesystem::path cached_path(const PublishedWeights& weights);

struct FetchOptions {
  DownloadOptions download;
  bool offline = false;  // FOVEA_OFFLINE=1 does the same
};

// The file in the cache, fetched where it is missing or not what its digest says. Concurrent processes wait for one another. The file
// appears under its name only once its SHA-256 has been found right. Throws Error(io) or, for a wrong digest, Error(mismatch) naming both;
// the message says which file to put where by hand. FOVEA_WEIGHTS_URL replaces the source: the file is taken from below that URL.
std::filesystem::path fetch(const PublishedWeights& weights, const FetchOptions& options = {});

}  // namespace fovea::weights
