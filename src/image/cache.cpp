#include "image/cache.h"

#include <fmt/format.h>

#include "image/picture.h"

namespace fovea::image {

namespace {

// What a use decodes is decided by these; of what is decoded exactly by nothing. What is kept fitted differs by the fit, too.
std::string key_of(const std::string& path, const Use& use, bool fitted) {
  const Preprocessing& p = use.preprocessing;
  if (p.decode == Decode::exact) return fitted ? fmt::format("{}\n{}", path, to_string(p.fit)) : path;
  if (!use.crops) return fmt::format("{}\n{} {} {}x{}", path, to_string(p.fit), p.resize, p.height, p.width);
  return fmt::format("{}\n{} {} {} {}x{}", path, use.crops->scale_min, use.crops->ratio_min, use.crops->ratio_max, p.height, p.width);
}

}  // namespace

bool ImageCache::serves(const Use& use) const {
  Preprocessing same = preprocessing_;
  same.mirrored = use.preprocessing.mirrored;  // concerns answers, not pictures
  same.fit = use.preprocessing.fit;            // each is kept for itself
  same.second_fit = use.preprocessing.second_fit;
  if (fitted_) return same == use.preprocessing && !use.crops;
  const Preprocessing& other = use.preprocessing;
  return preprocessing_.alpha == other.alpha && preprocessing_.range == other.range && preprocessing_.page == other.page;
}

std::shared_ptr<const Image> ImageCache::get(const Sample& sample, const Use& use) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = images_.find(key_of(sample.path, use, fitted_));
    if (found != images_.end()) return found->second;
  }
  return keep(sample, use, read_picture(sample, use));
}

std::shared_ptr<const Image> ImageCache::keep(const Sample& sample, const Use& use, Image image) {
  if (fitted_) image = fit(image, use.preprocessing);
  auto shared = std::make_shared<const Image>(std::move(image));
  const std::lock_guard lock(mutex_);
  const size_t size = shared->pixels.size();
  if (size <= budget_bytes_ - bytes_ && images_.emplace(key_of(sample.path, use, fitted_), shared).second) bytes_ += size;
  return shared;
}

size_t ImageCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace fovea::image
