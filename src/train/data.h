// The pictures of a run: found, looked at, split.
#pragma once

#include <fovea/train.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "audit/audit.h"
#include "image/cache.h"
#include "image/check.h"
#include "image/folder.h"

namespace fovea::training {

// SHA-256 of a picture: of its file, or of the pixels that its source makes.
std::string digest_of(const image::Sample& sample);

struct Data {
  image::Splits splits;
  std::vector<BadPicture> left_out;
  std::shared_ptr<const auditing::Looks> looks;
  std::map<std::string, int64_t> same_picture;  // by path, of copies of each other: a number of their own
  std::shared_ptr<image::ImageCache> cache;
  std::map<std::string, std::string> marks;  // by path, of files: what tells that one was changed since
  std::string fingerprint;                   // of the pictures' names and sizes and where each belongs
};

// What a folder, a CSV file or a list of files gives, before any picture is looked at. A list has no validation and test of its own.
image::Splits find_pictures(const std::string& folder);
image::Splits find_pictures(std::span<const std::string> files);

// Decodes every picture found once and leaves out the bad ones. `random_crops`: pictures are kept in memory as they are, not as the network
// gets them. Throws Error(input) for a class that is left without a picture to train on.
Data read_pictures(image::Splits found, const TrainOptions& options, const Preprocessing& preprocessing, bool random_crops,
                   const image::Progress& progress = {});
// A number for each sample, the same for copies of one picture and for those of one Sample::group; empty where there are none.
std::vector<int64_t> groups_of(const Data& data, const image::Dataset& pictures);
// Takes validation and test pictures from those to train on where there are none. Copies of a picture stay together.
void divide(Data& data, const TrainOptions& options);
// read_pictures(), then divide().
Data load_data(image::Splits found, const TrainOptions& options, const Preprocessing& preprocessing, bool random_crops,
               const image::Progress& progress = {});

// Files that are no longer what they were when they were looked at, or are gone.
std::vector<std::string> changed_files(const Data& data);

// What a network has seen once it was trained on these pictures, or had its best epoch chosen by them, after those that it had seen before
// (null: nobody knows). `pretrained`: its first weights were not random. Null where the options want no fingerprints.
std::shared_ptr<const SeenPictures> seen_with(const std::shared_ptr<const SeenPictures>& before, const Data& data,
                                              const TrainOptions& options, bool pretrained);

// Whether some picture that may train has soft targets.
bool has_soft_targets(const image::Splits& splits);

// For the loss: by inverse frequency, 1 on average over the classes.
std::vector<float> class_weights_of(const image::Dataset& dataset);

}  // namespace fovea::training
