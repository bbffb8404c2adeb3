// Pictures from and to OpenCV. Header-only, on opencv2/core alone (OpenCV 3 or later); <fovea/fovea.h> does not include it.
//
//   cv::Mat frame;
//   camera >> frame;
//   const auto best = model.predict(fovea::image_from_mat(frame));
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <fovea/error.h>
#include <fovea/image.h>

namespace fovea {

struct MatOptions {
  bool rgb = false;            // the channels are R, G, B, (A), as cv::cvtColor can make them; else OpenCV's own B, G, R, (A)
  Alpha alpha = Alpha::white;  // of 4 channels
  // What becomes black and what white. Empty: 0 and 255 of 8 bits, 0 and 65535 of 16 bits, 0 and 1 of floats.
  std::optional<ValueRange> range = {};
  // Any number of channels, each as it is, for networks of so many: nothing is reordered, nothing is taken as transparency.
  bool as_channels = false;
};

namespace opencv_detail {

inline std::string words(const cv::Mat& mat) {
  const char* const depths[] = {"CV_8U", "CV_8S", "CV_16U", "CV_16S", "CV_32S", "CV_32F", "CV_64F", "CV_16F"};
  return std::string(depths[mat.depth()]) + "C" + std::to_string(mat.channels());
}

template <class T>
inline std::vector<uint8_t> to_8_bits(const cv::Mat& mat, ValueRange range) {
  const int values = mat.cols * mat.channels();
  const auto require_number = [](double value) {
    if (!std::isfinite(value)) throw Error(ErrorKind::input, "a cv::Mat with a value that is no number (NaN or infinity)");
  };
  if (range.automatic) {
    range.min = std::numeric_limits<double>::infinity();
    range.max = -range.min;
    for (int y = 0; y < mat.rows; ++y) {
      const T* const row = mat.ptr<T>(y);
      for (int i = 0; i < values; ++i) {
        require_number(static_cast<double>(row[i]));
        range.min = std::min(range.min, static_cast<double>(row[i]));
        range.max = std::max(range.max, static_cast<double>(row[i]));
      }
    }
    if (range.min == range.max) range.max = range.min + 1;  // of one value: black
  }
  if (!(range.min < range.max))
    throw Error(ErrorKind::usage,
                "a range from " + std::to_string(range.min) + " to " + std::to_string(range.max) + ", the first less expected");
  std::vector<uint8_t> result;
  result.reserve(static_cast<size_t>(mat.rows) * static_cast<size_t>(values));
  for (int y = 0; y < mat.rows; ++y) {
    const T* const row = mat.ptr<T>(y);
    for (int i = 0; i < values; ++i) {
      require_number(static_cast<double>(row[i]));
      const double level = std::nearbyint(255 * (static_cast<double>(row[i]) - range.min) / (range.max - range.min));
      result.push_back(static_cast<uint8_t>(level < 0 ? 0 : level > 255 ? 255 : level));
    }
  }
  return result;
}

}  // namespace opencv_detail

// A picture of a matrix of 8 or 16 bits or floats and 1 (grey), 3 (BGR) or 4 (BGRA) channels, a region of a larger one too; the pixels are
// copied. Values beyond 8 bits are rounded to the nearest of 256 levels. Throws Error: usage for an empty matrix, as imread gives it for
// a file that it cannot read, unsupported for other channels or types, naming them, input for NaN and infinities.
inline Image image_from_mat(const cv::Mat& mat, const MatOptions& options = {}) {
  if (mat.empty())
    throw Error(ErrorKind::usage, "an empty cv::Mat: no picture was read into it (cv::imread gives one for a file that it cannot read)");
  if (mat.dims != 2) throw Error(ErrorKind::usage, "a cv::Mat of " + std::to_string(mat.dims) + " dimensions, 2 expected");
  const int channels = mat.channels();
  if (!options.as_channels && channels != 1 && channels != 3 && channels != 4)
    throw Error(ErrorKind::unsupported, "a cv::Mat " + opencv_detail::words(mat) +
                                            ": 1, 3 or 4 channels expected, or as_channels for a network of " + std::to_string(channels));
  const auto make = [&](const uint8_t* pixels, int64_t stride) {
    if (options.as_channels) return image_from_channels(pixels, mat.cols, mat.rows, channels, stride);
    const PixelOrder order = channels == 1   ? PixelOrder::grey
                             : channels == 3 ? (options.rgb ? PixelOrder::rgb : PixelOrder::bgr)
                                             : (options.rgb ? PixelOrder::rgba : PixelOrder::bgra);
    return image_from_memory(pixels, mat.cols, mat.rows, stride, order, options.alpha);
  };
  if (mat.depth() == CV_8U && !options.range) return make(mat.ptr<uint8_t>(), static_cast<int64_t>(mat.step[0]));
  const auto of = [&](double white) { return options.range.value_or(ValueRange{false, 0, white}); };
  switch (mat.depth()) {
    case CV_8U:
      return make(opencv_detail::to_8_bits<uint8_t>(mat, of(255)).data(), 0);
    case CV_16U:
      return make(opencv_detail::to_8_bits<uint16_t>(mat, of(65535)).data(), 0);
    case CV_32F:
      return make(opencv_detail::to_8_bits<float>(mat, of(1)).data(), 0);
    case CV_64F:
      return make(opencv_detail::to_8_bits<double>(mat, of(1)).data(), 0);
    default:
      throw Error(ErrorKind::unsupported, "a cv::Mat " + opencv_detail::words(mat) + ": CV_8U, CV_16U, CV_32F or CV_64F expected");
  }
}

// A matrix CV_8UC3 of its own, B, G, R as cv::imshow and cv::imwrite take it, or with `order` R, G, B; a picture of other channels as they
// are, CV_8UC(channels). Throws Error(usage) for an image without pixels.
inline cv::Mat mat_from_image(const Image& image, PixelOrder order = PixelOrder::bgr) {
  if (image.pixels.empty() || static_cast<int64_t>(image.pixels.size()) != image.width * image.height * image.channels)
    throw Error(ErrorKind::usage, "an image of " + std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels and " +
                                      std::to_string(image.channels) + " channels holds " + std::to_string(image.pixels.size()) + " bytes");
  if (order != PixelOrder::bgr && order != PixelOrder::rgb)
    throw Error(ErrorKind::usage, "a cv::Mat of an image is in the order rgb or bgr");
  const auto channels = static_cast<int>(image.channels);
  cv::Mat mat(static_cast<int>(image.height), static_cast<int>(image.width), CV_MAKETYPE(CV_8U, channels));
  std::memcpy(mat.data, image.pixels.data(), image.pixels.size());
  if (channels == 3 && order == PixelOrder::bgr)
    for (size_t i = 0; i < image.pixels.size(); i += 3) std::swap(mat.data[i], mat.data[i + 2]);
  return mat;
}

}  // namespace fovea
