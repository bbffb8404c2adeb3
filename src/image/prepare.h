// One picture as a network takes it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "image/augment.h"
#include "image/cache.h"
#include "image/channels.h"
#include "image/folder.h"
#include "image/use.h"

namespace fovea::image {

struct PrepareOptions {
  Preprocessing preprocessing;
  std::optional<Augmentation> augmentation = {};
  bool second_fit = false;  // also in the preprocessing's second shape, where it has one; not with augmentation
  // Called with each picture that is read, and so is none of the cache's, by its Draw::index; by several threads.
  std::function<void(int64_t index, const Image& decoded)> on_read = {};
  std::shared_ptr<ImageCache> cache = {};  // used where its pictures serve: decoded alike, and not fitted where crops are random
  int64_t channels = 3;                    // of the network; one of 1 is given pictures of 3 (see with_channels)
};

// Reads a picture, or takes it from the cache, augments it, brings it into the preprocessing's one or two shapes and normalizes it. Safe to
// use from several threads.
class Preparer {
 public:
  explicit Preparer(PrepareOptions options);

  size_t shapes() const { return uses_.size(); }  // 1 or 2
  // Of a picture in one shape.
  int64_t numbers() const { return picture_channels(options_.channels) * options_.preprocessing.height * options_.preprocessing.width; }
  // Writes [height, width, picture_channels] into one span a shape. Throws as read_picture does, and Error(input) for a picture of others.
  void prepare(const Sample& sample, const Draw& draw, std::span<const std::span<float>> out) const;

 private:
  void prepare(const Sample& sample, const Draw& draw, const Use& use, std::optional<Image>& decoded, std::span<float> out) const;

  const PrepareOptions options_;
  std::vector<Use> uses_;  // a shape each
  bool cache_serves_ = false;
};

}  // namespace fovea::image
