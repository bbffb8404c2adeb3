// Which pictures are copies of each other, the same file or not.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/seen_pictures.h"
#include "image/resize.h"

namespace fovea::image {

// What is kept of a picture to tell copies by.
struct Fingerprint {
  static constexpr int64_t kSide = 16;
  uint64_t pixels = 0;  // hash of all of them and of the size
  int64_t width = 0, height = 0;
  // Signs of the lowest 8 x 8 frequencies but the mean (pHash: Zauner 2010, "Implementation and benchmarking of perceptual image hash
  // functions"), of the picture and of its mirror image.
  uint64_t hash = 0, mirrored_hash = 0;
  uint64_t detail = 0, mirrored_detail = 0;          // likewise of the 48 frequencies above them, and the mean colour
  std::array<uint8_t, 3 * kSide* kSide> small = {};  // the picture squashed, RGB
  double contrast = 0;                               // standard deviation in it, in levels of 0..255
};

Fingerprint fingerprint(const Image& decoded);

enum class Likeness { none, same_pixels, alike };  // alike: rescaled, stored with losses, or mirrored
Likeness likeness(const Fingerprint& a, const Fingerprint& b);

// What a model keeps of a picture that it learnt from.
PicturePrint print_of(const Fingerprint& picture);
// Whether a picture is among those seen, told by the hashes alone and therefore more strictly: by more signs, fewer of which may differ,
// and the mean colour. Copies at half the size, as JPEG of quality 60, differ in up to 4 signs of either hash; of the 499,500 pairs of
// 1,000 pictures of one woven cloth none in fewer than 12 of the first.
Likeness likeness(const SeenPictures& seen, const Fingerprint& picture);

// Pictures that are copies of each other, directly or by way of others; members ascending.
struct Copies {
  std::vector<size_t> members;
  bool same_pixels = false;  // all of them
};
// Groups of two or more, by their first member. Compares every pair: some seconds for 50,000 pictures. Without `alike` only those of the
// same pixels are found, at once.
std::vector<Copies> find_copies(std::span<const Fingerprint> pictures, bool alike = true);

}  // namespace fovea::image
