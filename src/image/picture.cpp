#include "image/picture.h"

#include "base/error.h"
#include "image/codecs.h"

namespace fovea::image {
namespace {

Image made_by_source(const Sample& sample) {
  return in_context(sample.path, [&] {
    Image image = sample.source->picture(sample.index);
    check_size(image.width, image.height);
    if (image.channels < 1 || static_cast<int64_t>(image.pixels.size()) != image.channels * image.width * image.height)
      fail(ErrorKind::input, "{} bytes for {} x {} pixels of {}", image.pixels.size(), image.width, image.height, image.channels);
    return image;
  });
}

}  // namespace

Image read_picture(const Sample& sample, const Use& use) { return sample.source ? made_by_source(sample) : read_for_use(sample.path, use); }

Inspection inspect_picture(const Sample& sample, const Use& use) {
  if (!sample.source) return inspect_image(sample.path, use);
  Inspection seen;
  seen.image = made_by_source(sample);
  seen.width = seen.image.width;
  seen.height = seen.image.height;
  seen.grey = is_grey(seen.image);
  return seen;
}

}  // namespace fovea::image
