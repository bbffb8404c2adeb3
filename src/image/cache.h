// Decoded pictures kept in memory, so that each epoch does not decode them again.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "image/folder.h"
#include "image/use.h"

namespace fovea::image {

// Safe to use from several threads. Each picture is kept once for each use of it that decodes it another way. Takes pictures until the
// budget is spent and keeps what it has: with every picture needed once an epoch, throwing some out to take others gains nothing.
class ImageCache {
 public:
  // With `fitted`, pictures are kept as fit gives them (small, but of no use to random crops), else as decoded with `alpha`.
  ImageCache(size_t budget_bytes, const Preprocessing& preprocessing, bool fitted)
      : budget_bytes_(budget_bytes), preprocessing_(preprocessing), fitted_(fitted) {}

  bool fitted() const { return fitted_; }
  const Preprocessing& preprocessing() const { return preprocessing_; }

  // Whether `get` gives this use what it would read itself, or, with `fitted`, read and fit.
  bool serves(const Use& use) const;
  // The picture, from memory or read now; throws as read_picture does.
  std::shared_ptr<const Image> get(const Sample& sample, const Use& use);
  // The same with the picture as read_picture gives it, which somebody has read already.
  std::shared_ptr<const Image> keep(const Sample& sample, const Use& use, Image image);
  size_t bytes() const;

 private:
  const size_t budget_bytes_;
  const Preprocessing preprocessing_;
  const bool fitted_;
  mutable std::mutex mutex_;
  size_t bytes_ = 0;
  std::unordered_map<std::string, std::shared_ptr<const Image>> images_;
};

}  // namespace fovea::image
