#include "image/prepare.h"

#include "base/error.h"
#include "image/fit.h"
#include "image/picture.h"

namespace fovea::image {

Preparer::Preparer(PrepareOptions options) : options_(std::move(options)) {
  const auto& augmentation = options_.augmentation;
  if (augmentation) check_augmentation(*augmentation);
  Use use{options_.preprocessing};
  if (augmentation && augmentation->random_resized_crop)
    use.crops = CropRange{augmentation->scale_min, augmentation->ratio_min, augmentation->ratio_max};
  if (augmentation && augmentation->enlarged > 0) {
    const Size size = enlarged_size(*augmentation, options_.preprocessing);
    use.preprocessing.fit = Fit::squash;
    use.preprocessing.width = size.width;
    use.preprocessing.height = size.height;
  }
  cache_serves_ = options_.cache && options_.cache->serves(use);
  uses_.push_back(use);
  if (options_.second_fit && options_.preprocessing.second_fit) {
    if (augmentation) fail(ErrorKind::internal, "pictures in a second shape are not augmented");
    use.preprocessing.fit = *options_.preprocessing.second_fit;
    uses_.push_back(use);
  }
}

void Preparer::prepare(const Sample& sample, const Draw& draw, std::span<const std::span<float>> out) const {
  std::optional<Image> decoded;
  for (size_t shape = 0; shape < uses_.size(); ++shape) prepare(sample, draw, uses_[shape], decoded, out[shape]);
}

// `decoded`: the picture as an earlier use of it has decoded it, or empty.
void Preparer::prepare(const Sample& sample, const Draw& draw, const Use& use, std::optional<Image>& decoded, std::span<float> out) const {
  Preprocessing p = options_.preprocessing;
  p.fit = use.preprocessing.fit;
  const auto& augmentation = options_.augmentation;
  const auto normalize = [&](const Image& fitted) {
    in_context(sample.path, [&] { require_channels(fitted, options_.channels); });
    normalize_fitted_into(fitted, p, out.data());
    if (augmentation) augment_normalized(out, {p.width, p.height}, *augmentation, draw);
  };
  const auto finish = [&](const Image& image) {
    normalize(augmentation ? augment(image, *augmentation, options_.preprocessing, draw) : fit(image, p));
  };
  if (!cache_serves_) {
    const bool first = !decoded;
    if (first || p.decode == Decode::fast) decoded = read_picture(sample, use);
    if (first && options_.on_read) options_.on_read(draw.index, *decoded);
    return finish(*decoded);
  }
  const std::shared_ptr<const Image> cached = options_.cache->get(sample, use);
  if (!options_.cache->fitted()) return finish(*cached);
  if (!augmentation) return normalize(*cached);
  Image image = *cached;
  augment_fitted(image, *augmentation, draw);
  normalize(image);
}

}  // namespace fovea::image
