#include "image/channels.h"

#include "base/error.h"

namespace fovea::image {

std::span<const float> with_channels(std::span<const float> pictures, const Preprocessing& preprocessing, int64_t channels,
                                     std::vector<float>& room) {
  if (channels == 3) return pictures;
  if (channels != 1)
    fail(ErrorKind::unsupported, "pictures have 3 channels, or 1 as grey ones, the network takes {}: give it tensors", channels);
  constexpr float kLuma[3] = {0.299f, 0.587f, 0.114f};  // ITU-R 601-2
  const auto& mean = preprocessing.mean;
  const auto& deviation = preprocessing.std;
  const float grey_mean = (mean[0] + mean[1] + mean[2]) / 3, grey_deviation = (deviation[0] + deviation[1] + deviation[2]) / 3;
  room.resize(pictures.size() / 3);
  for (size_t i = 0; i < room.size(); ++i) {
    float grey = 0;
    for (size_t c = 0; c < 3; ++c) grey += kLuma[c] * (pictures[3 * i + c] * deviation[c] + mean[c]);
    room[i] = (grey - grey_mean) / grey_deviation;
  }
  return room;
}

}  // namespace fovea::image
