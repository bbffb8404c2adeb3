// What a frozen prefix gives for the pictures of a phase, computed once where nothing random lies before the cut.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/feature_cache.h"
#include "train/feed.h"
#include "train/frozen_prefix.h"

namespace fovea::training {

class KeptFeatures {
 public:
  KeptFeatures(engine::FeatureRows rows, int64_t pictures, int64_t views) : rows_(std::move(rows)), pictures_(pictures), views_(views) {}

  std::span<const float> train(int64_t picture, int64_t view) const { return rows_.row(view * pictures_ + picture); }
  std::span<const float> validation(int64_t picture) const { return rows_.row(views_ * pictures_ + picture); }
  int64_t views() const { return views_; }
  size_t bytes() const { return rows_.bytes(); }

 private:
  engine::FeatureRows rows_;
  int64_t pictures_, views_;
};

struct KeepRequest {
  std::span<const image::Sample> train, validation;
  std::optional<image::Augmentation> augmentation;  // of the training pictures
  int64_t views = 1;                                // of each of them; 1 without augmentation
  int64_t epochs = 0;
  uint64_t seed = 0;
};

struct Keeping {
  std::optional<KeptFeatures> features;  // empty: they are not to be kept, or are too many
  bool complete = true;                  // false: stopped while they were computed
};

// Bytes of memory that `keep_features` will take.
size_t kept_in_memory(const Parts& parts, int64_t width, const KeepRequest& request);
// As the options say (cache): in memory, where automatically as far as the parts' spill has room, or in the run's folder under
// `kFeaturesFile`, where a file of the same key is used again. Tells where they are and how much that is. Throws Error(usage) for a disk
// cache without a folder.
Keeping keep_features(const Parts& parts, FrozenPrefix& prefix, const KeepRequest& request, const OnBatch& on_batch);

constexpr const char* kFeaturesFile = "features.cache";

}  // namespace fovea::training
