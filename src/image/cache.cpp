#include "image/cache.h"

namespace fovea::image {

std::shared_ptr<const Image> ImageCache::get(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = images_.find(path);
    if (found != images_.end()) return found->second;
  }
  return keep(path, read_image(path, preprocessing_.alpha));
}

std::shared_ptr<const Image> ImageCache::keep(const std::string& path, Image image) {
  if (fitted_) image = fit(image, preprocessing_);
  auto shared = std::make_shared<const Image>(std::move(image));
  const std::lock_guard lock(mutex_);
  const size_t size = shared->pixels.size();
  if (size <= budget_bytes_ - bytes_ && images_.emplace(path, shared).second) bytes_ += size;
  return shared;
}

size_t ImageCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace fovea::image
