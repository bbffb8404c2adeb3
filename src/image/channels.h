// Pictures and networks of other than three channels.
#pragma once

#include <fovea/image.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fovea::image {

constexpr int64_t kMostChannels = 4096;

// Normalized RGB pictures [pixels, 3] as a network of `channels` takes them: for 1 their brightness (0.299 R + 0.587 G + 0.114 B, as
// Pillow's mode L, but not rounded to 8 bits), normalized by the mean of the three means and of the three deviations, in `room`. For any
// other number themselves, which then are of as many channels.
std::span<const float> with_channels(std::span<const float> pictures, const Preprocessing& preprocessing, int64_t channels,
                                     std::vector<float>& room);

// Of the pictures that such a network is given: 3 for one of 1 channel, which sees them grey.
inline int64_t picture_channels(int64_t network_channels) { return network_channels == 1 ? 3 : network_channels; }
// Throws Error(input) for a picture of another number than such a network is given, naming both.
void require_channels(const Image& image, int64_t network_channels);

// A number of a mean or deviation: one a channel, fewer repeated in turn. Throws Error(usage) where there is none.
float of_channel(const std::vector<float>& numbers, int64_t channel);

// The first three channels, which people are shown; of two the last one twice.
Image rgb_of(const Image& image);
// Three channels from `first` on, the last one again where there are fewer; and puts such back.
Image three_of(const Image& image, int64_t first);
void put_three(const Image& three, int64_t first, Image& image);

// What change(three, first) makes of three channels at a time, `first` and the two after it, put together.
template <class Change>
Image by_threes(const Image& image, Change&& change) {
  if (image.channels == 3) return change(image, 0);
  Image result;
  for (int64_t first = 0; first < image.channels; first += 3) {
    const Image changed = change(three_of(image, first), first);
    if (first == 0) {
      const auto bytes = static_cast<size_t>(image.channels * changed.width * changed.height);
      result = {changed.width, changed.height, std::vector<uint8_t>(bytes), image.channels};
    }
    put_three(changed, first, result);
  }
  return result;
}

}  // namespace fovea::image
