#include "image/duplicates.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <numbers>
#include <numeric>
#include <tuple>

#include "base/hash.h"
#include "base/parallel.h"
#include "image/channels.h"

namespace fovea::image {
namespace {

constexpr int64_t kMap = 32, kFrequencies = 8, kDetailed = 12;
// Signs of 63 that may differ, the distance of the small pictures in units of their contrast, and of their aspects. On 200 drawings of
// twelve kinds, their copies at half the size, as JPEG of quality 75 and mirrored: every copy found, no other pair.
constexpr int kMostSigns = 12;
constexpr double kMostDistance = 0.25, kMostAspect = 0.06;
constexpr double kLeastContrast = 4;  // below it there is nothing to compare
// By the signs alone: of 63 and of 48; and how far apart two mean colours may be, in 32nds.
constexpr int kMostCoarse = 6, kMostDetail = 8, kMostColour = 2;

uint64_t hash_of(const Image& image) {
  uint64_t hash = mix64(static_cast<uint64_t>(image.width) * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(image.height));
  const uint8_t* bytes = image.pixels.data();
  size_t left = image.pixels.size();
  for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof(word));
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 32;
  }
  for (; left > 0; --left) hash = mix64(hash ^ *bytes++);
  return mix64(hash);
}

// Cosine transform of the brightness, its lowest frequencies.
std::array<double, kDetailed * kDetailed> frequencies(const Image& map) {
  static const auto cosines = [] {
    std::array<std::array<double, kMap>, kDetailed> table{};
    for (int64_t k = 0; k < kDetailed; ++k)
      for (int64_t x = 0; x < kMap; ++x)
        table[static_cast<size_t>(k)][static_cast<size_t>(x)] =
            std::cos(std::numbers::pi * static_cast<double>(k) * (static_cast<double>(x) + 0.5) / static_cast<double>(kMap));
    return table;
  }();
  std::array<double, kDetailed * kDetailed> result{};
  for (int64_t y = 0; y < kMap; ++y) {
    std::array<double, kDetailed> row{};
    for (int64_t x = 0; x < kMap; ++x) {
      const uint8_t* rgb = map.pixels.data() + 3 * (y * kMap + x);
      const double brightness = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
      for (size_t k = 0; k < row.size(); ++k) row[k] += brightness * cosines[k][static_cast<size_t>(x)];
    }
    for (size_t j = 0; j < kDetailed; ++j)
      for (size_t k = 0; k < row.size(); ++k) result[j * kDetailed + k] += row[k] * cosines[j][static_cast<size_t>(y)];
  }
  return result;
}

constexpr int kDetailSigns = 48;  // the other bits of a detail are the mean colour, 5, 6 and 5 of them

// Rows and columns of the 48 frequencies above the lowest 8 x 8, the lower first.
std::vector<std::pair<size_t, size_t>> detail_places() {
  std::vector<std::pair<size_t, size_t>> places;
  for (size_t j = 0; j < kDetailed; ++j)
    for (size_t k = 0; k < kDetailed; ++k)
      if (std::max(j, k) >= kFrequencies) places.emplace_back(j, k);
  std::ranges::stable_sort(places, {}, [](const auto& place) { return place.first + place.second; });
  places.resize(kDetailSigns);
  return places;
}

// Of two small pictures, one of them mirrored or not, in units of the larger contrast.
double distance(const Fingerprint& a, const Fingerprint& b, bool mirrored) {
  constexpr int64_t side = Fingerprint::kSide;
  double sum = 0;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const int64_t other = mirrored ? side - 1 - x : x;
      for (int64_t c = 0; c < 3; ++c) {
        const double difference = static_cast<double>(a.small[static_cast<size_t>(3 * (y * side + x) + c)]) -
                                  static_cast<double>(b.small[static_cast<size_t>(3 * (y * side + other) + c)]);
        sum += difference * difference;
      }
    }
  }
  return std::sqrt(sum / static_cast<double>(a.small.size())) / std::max(a.contrast, b.contrast);
}

double aspect(const Fingerprint& picture) { return std::log(static_cast<double>(picture.width) / static_cast<double>(picture.height)); }

}  // namespace

Fingerprint fingerprint(const Image& decoded) {
  Fingerprint result;
  result.pixels = hash_of(decoded);
  result.width = decoded.width;
  result.height = decoded.height;
  const Image map = resize(rgb_of(decoded), kMap, kMap, Interpolation::bilinear);
  const auto transformed = frequencies(map);
  const auto note_sign = [&](size_t j, size_t k, size_t bit, uint64_t& hash, uint64_t& mirrored) {
    const double value = transformed[j * kDetailed + k];
    if (value > 0) hash |= uint64_t{1} << bit;
    if ((k % 2 == 1 ? -value : value) > 0) mirrored |= uint64_t{1} << bit;  // of the mirror image an odd one has the other sign
  };
  for (size_t i = 1; i < kFrequencies * kFrequencies; ++i)
    note_sign(i / kFrequencies, i % kFrequencies, i, result.hash, result.mirrored_hash);
  static const auto details = detail_places();
  for (size_t i = 0; i < details.size(); ++i) note_sign(details[i].first, details[i].second, i, result.detail, result.mirrored_detail);
  const Image small = resize(map, Fingerprint::kSide, Fingerprint::kSide, Interpolation::bilinear);
  std::ranges::copy(small.pixels, result.small.begin());
  std::array<double, 3> sums{}, squares{};
  for (size_t i = 0; i < result.small.size(); ++i) {
    sums[i % 3] += result.small[i];
    squares[i % 3] += static_cast<double>(result.small[i]) * result.small[i];
  }
  constexpr double count = Fingerprint::kSide * Fingerprint::kSide;
  const auto level = [&](size_t c, double levels) { return static_cast<uint64_t>(sums[c] / count / 256 * levels); };
  const uint64_t colour = (level(0, 32) << 11 | level(1, 64) << 5 | level(2, 32)) << kDetailSigns;
  result.detail |= colour;
  result.mirrored_detail |= colour;
  double variance = 0;
  for (size_t c = 0; c < 3; ++c) variance += squares[c] / count - (sums[c] / count) * (sums[c] / count);
  result.contrast = std::sqrt(std::max(0.0, variance / 3));
  return result;
}

Likeness likeness(const Fingerprint& a, const Fingerprint& b) {
  if (a.pixels == b.pixels && a.width == b.width && a.height == b.height) return Likeness::same_pixels;
  const bool plain = std::popcount(a.hash ^ b.hash) <= kMostSigns, mirrored = std::popcount(a.hash ^ b.mirrored_hash) <= kMostSigns;
  if (!plain && !mirrored) return Likeness::none;
  if (std::min(a.contrast, b.contrast) < kLeastContrast || std::abs(aspect(a) - aspect(b)) > kMostAspect) return Likeness::none;
  const bool alike = (plain && distance(a, b, false) <= kMostDistance) || (mirrored && distance(a, b, true) <= kMostDistance);
  return alike ? Likeness::alike : Likeness::none;
}

PicturePrint print_of(const Fingerprint& picture) {
  if (picture.contrast < kLeastContrast) return {picture.pixels, 0, 0};
  return {picture.pixels, picture.hash, picture.detail};
}

Likeness likeness(const SeenPictures& seen, const Fingerprint& picture) {
  const auto same = std::ranges::lower_bound(seen.prints, picture.pixels, {}, &PicturePrint::pixels);
  if (same != seen.prints.end() && same->pixels == picture.pixels) return Likeness::same_pixels;
  if (picture.contrast < kLeastContrast) return Likeness::none;
  const auto near_colour = [](uint64_t a, uint64_t b) {
    const auto level = [](uint64_t detail, int shift, int bits) {
      return static_cast<int>(detail >> (kDetailSigns + shift) & ((uint64_t{1} << bits) - 1));
    };
    return std::abs(level(a, 11, 5) - level(b, 11, 5)) <= kMostColour && std::abs(level(a, 5, 6) - level(b, 5, 6)) <= 2 * kMostColour &&
           std::abs(level(a, 0, 5) - level(b, 0, 5)) <= kMostColour;
  };
  const auto near = [&](const PicturePrint& print, uint64_t coarse, uint64_t detail) {
    constexpr uint64_t kSigns = (uint64_t{1} << kDetailSigns) - 1;
    return std::popcount(print.coarse ^ coarse) <= kMostCoarse && std::popcount((print.detail ^ detail) & kSigns) <= kMostDetail &&
           near_colour(print.detail, detail);
  };
  const bool alike = std::ranges::any_of(seen.prints, [&](const PicturePrint& print) {
    return (print.coarse | print.detail) != 0 &&
           (near(print, picture.hash, picture.detail) || near(print, picture.mirrored_hash, picture.mirrored_detail));
  });
  return alike ? Likeness::alike : Likeness::none;
}

namespace {

using Pairs = std::vector<std::pair<size_t, size_t>>;

// Neighbors in the order of their hashes.
Pairs same_pairs(std::span<const Fingerprint> pictures) {
  std::vector<size_t> order(pictures.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto key = [&](size_t i) { return std::tuple(pictures[i].pixels, pictures[i].width, pictures[i].height); };
  std::ranges::sort(order, [&](size_t a, size_t b) { return key(a) < key(b); });
  Pairs pairs;
  for (size_t i = 1; i < order.size(); ++i)
    if (key(order[i - 1]) == key(order[i])) pairs.emplace_back(order[i - 1], order[i]);
  return pairs;
}

Pairs alike_pairs(std::span<const Fingerprint> pictures) {
  const auto count = static_cast<int64_t>(pictures.size());
  Pairs pairs;
  std::mutex mutex;
  constexpr int64_t kGrain = 64;  // rows a thread takes at least
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    Pairs own;
    // Rows from both ends of the triangle, so that all threads have as much to do.
    for (int64_t row = begin; row < end; ++row) {
      const int64_t i = row % 2 == 0 ? row / 2 : count - 1 - row / 2;
      for (int64_t j = i + 1; j < count; ++j) {
        const size_t a = static_cast<size_t>(i), b = static_cast<size_t>(j);
        if (likeness(pictures[a], pictures[b]) != Likeness::none) own.emplace_back(a, b);
      }
    }
    const std::lock_guard lock(mutex);
    pairs.insert(pairs.end(), own.begin(), own.end());
  });
  return pairs;
}

}  // namespace

std::vector<Copies> find_copies(std::span<const Fingerprint> pictures, bool alike) {
  const Pairs pairs = alike ? alike_pairs(pictures) : same_pairs(pictures);
  std::vector<size_t> first(pictures.size());
  std::iota(first.begin(), first.end(), size_t{0});
  const auto root = [&](size_t i) {
    while (first[i] != i) i = first[i] = first[first[i]];
    return i;
  };
  for (const auto& [a, b] : pairs) {
    const size_t x = root(a), y = root(b);
    first[std::max(x, y)] = std::min(x, y);
  }
  std::map<size_t, Copies> groups;
  for (size_t i = 0; i < pictures.size(); ++i) groups[root(i)].members.push_back(i);
  std::vector<Copies> result;
  for (auto& [unused, group] : groups) {
    if (group.members.size() < 2) continue;
    const Fingerprint& first_of_them = pictures[group.members.front()];
    group.same_pixels =
        std::ranges::all_of(group.members, [&](size_t i) { return likeness(first_of_them, pictures[i]) == Likeness::same_pixels; });
    result.push_back(std::move(group));
  }
  return result;
}

}  // namespace fovea::image
