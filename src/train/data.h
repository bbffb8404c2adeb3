// The pictures of a run: found, looked at, split.
#pragma once

#include <fovea/train.h>

#include <memory>
#include <string>
#include <vector>

#include "image/cache.h"
#include "image/check.h"
#include "image/folder.h"

namespace fovea::training {

struct Data {
  image::Splits splits;
  std::vector<BadPicture> left_out;
  std::shared_ptr<image::ImageCache> cache;
  std::string fingerprint;  // of the pictures' names and sizes and where each belongs
};

// The classes that a folder would give, before any picture is looked at.
image::Splits find_pictures(const std::string& folder);

// Decodes every picture found once and leaves out the bad ones, then splits where the folder has no validation/ and test/ of its own.
// `random_crops`: pictures are kept in memory as they are, not as the network gets them. Throws Error(input) for a class that is left
// without a picture to train on.
Data load_data(const std::string& folder, image::Splits found, const TrainOptions& options, const Preprocessing& preprocessing,
               bool random_crops, const image::Progress& progress = {});

}  // namespace fovea::training
