#include <fovea/train.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "image/augment.h"
#include "image/channels.h"
#include "image/fit.h"
#include "train/recipes.h"

namespace fovea {
namespace {

constexpr int64_t kGap = 4;  // pixels between the cells

// Cells of one size on white.
class Sheet {
 public:
  Sheet(image::Size cell, int64_t rows, int64_t columns) : cell_(cell) {
    sheet_.width = columns * (cell.width + kGap) + kGap;
    sheet_.height = rows * (cell.height + kGap) + kGap;
    sheet_.pixels.assign(static_cast<size_t>(3 * sheet_.width * sheet_.height), 255);
  }

  void put(int64_t row, int64_t column, const std::vector<uint8_t>& pixels) {
    const int64_t left = kGap + column * (cell_.width + kGap), top = kGap + row * (cell_.height + kGap), bytes = 3 * cell_.width;
    for (int64_t y = 0; y < cell_.height; ++y)
      std::copy_n(pixels.data() + y * bytes, bytes, sheet_.pixels.data() + 3 * ((top + y) * sheet_.width + left));
  }

  Image take() { return std::move(sheet_); }

 private:
  const image::Size cell_;
  Image sheet_;
};

std::vector<uint8_t> denormalized(std::span<const float> pixels, const Preprocessing& p) {
  std::vector<uint8_t> result(pixels.size());
  for (size_t i = 0; i < pixels.size(); ++i)
    result[i] = static_cast<uint8_t>(std::clamp(std::lround((pixels[i] * image::of_channel(p.std, static_cast<int64_t>(i % 3)) +
                                                             image::of_channel(p.mean, static_cast<int64_t>(i % 3))) *
                                                            255.0f),
                                                0L, 255L));
  return result;
}

}  // namespace

Image augmentation_sheet(const std::vector<Image>& pictures, const Preprocessing& p, const TrainOptions& options, int64_t looks) {
  const auto augmentation = training::augmentation_of(options);
  const image::Mixing mixing = training::mixing_of(options);
  const auto count = static_cast<int64_t>(pictures.size());
  if (count == 0 || looks < 1) fail(ErrorKind::usage, "a sheet of {} looks at {} pictures", looks, count);
  if (mixing.any() && count < 2) fail(ErrorKind::usage, "mixup and cutmix mix pictures with each other; there is {}", count);

  const image::Size size{p.width, p.height};
  const size_t floats = static_cast<size_t>(3 * size.width * size.height);
  // One picture fills several rows, each of several has its own.
  const int64_t cells = looks + 1;
  const int64_t columns =
      count > 1 ? cells : std::min<int64_t>(cells, static_cast<int64_t>(std::ceil(std::sqrt(1.5 * static_cast<double>(cells)))));
  const int64_t rows = count > 1 ? count : (cells + columns - 1) / columns;
  Sheet sheet(size, rows, columns);
  std::vector<float> batch(floats * pictures.size());
  for (int64_t cell = 0; cell < cells; ++cell) {
    const int64_t look = cell - 1;
    for (int64_t i = 0; i < count; ++i) {
      const std::span<float> own = std::span(batch).subspan(static_cast<size_t>(i) * floats, floats);
      const image::Draw draw{options.run.seed, look, i};
      const Image& picture = pictures[static_cast<size_t>(i)];
      const bool changed = cell > 0 && augmentation;
      image::normalize_fitted_into(changed ? image::augment(picture, *augmentation, p, draw) : fit(picture, p), p, own.data());
      if (changed) image::augment_normalized(own, size, *augmentation, draw);
    }
    if (cell > 0) image::mix_images(batch, count, size, image::draw_mix(mixing, size, {options.run.seed, look, 0}));
    for (int64_t i = 0; i < count; ++i) {
      const auto own = std::span<const float>(batch).subspan(static_cast<size_t>(i) * floats, floats);
      sheet.put(count > 1 ? i : cell / columns, count > 1 ? cell : cell % columns, denormalized(own, p));
    }
  }
  return sheet.take();
}

}  // namespace fovea
