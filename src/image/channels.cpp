#include "image/channels.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "image/resize.h"

namespace fovea::image {

std::span<const float> with_channels(std::span<const float> pictures, const Preprocessing& preprocessing, int64_t channels,
                                     std::vector<float>& room) {
  if (channels != 1) return pictures;
  constexpr float kLuma[3] = {0.299f, 0.587f, 0.114f};  // ITU-R 601-2
  const auto three = [](const std::vector<float>& numbers) {
    return std::array<float, 3>{of_channel(numbers, 0), of_channel(numbers, 1), of_channel(numbers, 2)};
  };
  const auto mean = three(preprocessing.mean), deviation = three(preprocessing.std);
  const float grey_mean = (mean[0] + mean[1] + mean[2]) / 3, grey_deviation = (deviation[0] + deviation[1] + deviation[2]) / 3;
  room.resize(pictures.size() / 3);
  for (size_t i = 0; i < room.size(); ++i) {
    float grey = 0;
    for (size_t c = 0; c < 3; ++c) grey += kLuma[c] * (pictures[3 * i + c] * deviation[c] + mean[c]);
    room[i] = (grey - grey_mean) / grey_deviation;
  }
  return room;
}

void require_channels(const Image& image, int64_t network_channels) {
  if (image.channels == picture_channels(network_channels)) return;
  fail(ErrorKind::input, "a picture of {} channels, the network takes {}", image.channels, network_channels);
}

float of_channel(const std::vector<float>& numbers, int64_t channel) {
  if (numbers.empty()) fail(ErrorKind::usage, "a preprocessing without mean or std, a number a channel expected");
  return numbers[static_cast<size_t>(channel) % numbers.size()];
}

Image three_of(const Image& image, int64_t first) {
  Image three{image.width, image.height, std::vector<uint8_t>(static_cast<size_t>(3 * image.width * image.height))};
  uint8_t* out = three.pixels.data();
  const uint8_t* const end = image.pixels.data() + image.pixels.size();
  for (const uint8_t* pixel = image.pixels.data(); pixel < end; pixel += image.channels)
    for (int64_t c = first; c < first + 3; ++c) *out++ = pixel[std::min(c, image.channels - 1)];
  return three;
}

void put_three(const Image& three, int64_t first, Image& image) {
  const int64_t count = std::min<int64_t>(3, image.channels - first);
  const uint8_t* in = three.pixels.data();
  uint8_t* out = image.pixels.data() + first;
  for (int64_t i = 0; i < image.width * image.height; ++i, in += 3, out += image.channels) std::copy_n(in, count, out);
}

Image rgb_of(const Image& image) {
  check_image(image);
  return image.channels == 3 ? image : three_of(image, 0);
}

}  // namespace fovea::image
