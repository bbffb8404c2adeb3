// Finding the pictures that cannot be read before a run begins.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "image/cache.h"
#include "image/folder.h"
#include "image/inspect.h"

namespace fovea::image {

struct BadPicture {
  std::string path;
  std::string message;  // names the file: "roses/7.jpg: truncated JPEG: ..."
};

// Never called by two threads at once. What it throws ends the work and arrives at the caller.
using Progress = std::function<void(int64_t done, int64_t total)>;

// Decodes every picture once, on all cores, and takes the bad ones out of the dataset; gives them in its order. With a cache, what was
// decoded is kept there. `looks`: gets what is there to see in each picture that stays, in their order.
std::vector<BadPicture> check_pictures(Dataset& dataset, ImageCache* cache = nullptr, const Progress& progress = {},
                                       std::vector<Look>* looks = nullptr);
// The same with what pictures are read by where there is no cache, whose own preprocessing it must be otherwise.
std::vector<BadPicture> check_pictures(Dataset& dataset, ImageCache* cache, const Preprocessing& preprocessing,
                                       const Progress& progress = {}, std::vector<Look>* looks = nullptr);
// The same for a list of paths.
std::vector<BadPicture> check_pictures(std::vector<std::string>& paths, const Progress& progress = {});

// Throws Error(input) naming the first class that has no picture left, with what was wrong with one of its own where `bad` has one.
void require_pictures(const Dataset& dataset, const std::vector<BadPicture>& bad = {});

}  // namespace fovea::image
