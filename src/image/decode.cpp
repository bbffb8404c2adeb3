#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fovea/image.h>
#include <fovea/limits.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "image/exif.h"
#include "image/formats.h"
#include "image/inspect.h"
#include "image/use.h"

namespace fovea {
namespace image {

namespace {

std::atomic<int64_t> most_pixels{max_pixels};

}  // namespace

void check_size(int64_t width, int64_t height) {
  const int64_t most = most_pixels;
  if (width <= 0 || height <= 0) fail(ErrorKind::input, "{} x {} pixels: nothing to see", width, height);
  if (width > most / height) fail(ErrorKind::input, "{} x {} pixels, at most {} in all", width, height, most);
}

void set_most_pixels(int64_t pixels) { most_pixels = std::min(pixels, max_pixels); }

namespace {

std::atomic<int64_t> cut_off{0}, stretched{0};

// Wide grey to 8 bits: by the range, or as Pillow's conversions from its modes I and F have it, fractions and what is beyond 0 and 255 cut
// off. Values that are no numbers are black.
void narrow(Decoded& picture, const std::optional<ValueRange>& range) {
  if (picture.wide.empty()) return;
  ++(range ? stretched : cut_off);
  double least = 0, most = 255;
  if (range && !range->automatic) {
    least = range->min;
    most = range->max;
  } else if (range) {
    float low = std::numeric_limits<float>::max(), high = std::numeric_limits<float>::lowest();
    for (const float value : picture.wide) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    least = low;
    most = high > low ? high : double{low} + 1;  // of one value alone: black
  }
  picture.channels = 3;
  picture.pixels.resize(3 * picture.wide.size());
  for (size_t i = 0; i < picture.wide.size(); ++i) {
    const double value = picture.wide[i], scaled = range ? (value - least) / (most - least) * 255 + 0.5 : value;
    std::fill_n(picture.pixels.data() + 3 * i, 3, static_cast<uint8_t>(scaled > 0 ? std::min(scaled, 255.0) : 0));
  }
  picture.wide = {};
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

// Read, not mapped: a file that shrinks while it is read gives an error here, a mapped one would end the process.
std::vector<std::byte> read_bytes(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe does not hang
  struct stat info {};
  if (file.value() < 0 || fstat(file.value(), &info) != 0) {
    const int error = errno;
    std::error_code none;
    const std::filesystem::path target = std::filesystem::read_symlink(path, none);
    if (error == ENOENT && !none) fail(ErrorKind::input, "a link to {}, which is not there", target.string());
    fail(ErrorKind::input, "{}", std::strerror(error));
  }
  if (S_ISDIR(info.st_mode)) fail(ErrorKind::input, "a folder, not a picture");
  if (!S_ISREG(info.st_mode)) fail(ErrorKind::input, "not a regular file");
  if (info.st_size > INT_MAX) fail(ErrorKind::input, "{} bytes, at most {}", info.st_size, INT_MAX);
  std::vector<std::byte> bytes(static_cast<size_t>(info.st_size));
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::read(file.value(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(ErrorKind::input, "{}", std::strerror(errno));
    if (count == 0) break;
    filled += static_cast<size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

Image decode_image(Bytes bytes, const Preprocessing& preprocessing, const Reduction& reduction) {
  Decoded decoded = decode_any(bytes, {reduction, preprocessing.page, preprocessing.range.has_value()});
  narrow(decoded, preprocessing.range);
  drop_alpha(decoded, preprocessing.alpha);
  decoded = upright(std::move(decoded));
  return {decoded.width, decoded.height, std::move(decoded.pixels)};
}

Preprocessing only(Alpha alpha) {
  Preprocessing preprocessing;
  preprocessing.alpha = alpha;
  return preprocessing;
}

}  // namespace

void drop_alpha(Decoded& picture, Alpha alpha) {
  if (picture.channels == 3) return;
  const size_t count = picture.pixels.size() / 4;
  const uint8_t* in = picture.pixels.data();
  uint8_t* out = picture.pixels.data();  // behind `in` from the second pixel on
  for (size_t i = 0; i < count; ++i, in += 4, out += 3) {
    const uint32_t over = alpha == Alpha::drop ? 255u << 7 : uint32_t{in[3]} << 7, under = (255u << 7) - over;
    for (int c = 0; c < 3; ++c) {
      const uint32_t sum = in[c] * over + 255u * under + (0x80u << 7);
      out[c] = static_cast<uint8_t>(((sum >> 8) + sum) >> 8 >> 7);
    }
  }
  picture.pixels.resize(3 * count);
  picture.channels = 3;
}

Image read_for_use(const std::string& path, const Use& use) {
  return in_context(path, [&] { return decode_image(read_bytes(path), use.preprocessing, reduction_of(use)); });
}

Inspection inspect_image(const std::string& path, const Use& use) {
  return in_context(path, [&] {
    const std::vector<std::byte> bytes = read_bytes(path);
    Inspection seen;
    const Reduction wanted = reduction_of(use);
    const Reduction reduction = [&](Size whole) {
      seen.width = whole.width;
      seen.height = whole.height;
      return wanted ? wanted(whole) : 1;
    };
    const std::optional<ValueRange>& range = use.preprocessing.range;
    Decoded decoded = decode_any(bytes, {reduction, use.preprocessing.page, range.has_value()});
    seen.format = lower_case(std::string(format_of(bytes).name));
    narrow(decoded, range);
    seen.orientation = decoded.orientation;
    for (size_t i = 3; decoded.channels == 4 && i < decoded.pixels.size() && !seen.transparent; i += 4)
      seen.transparent = decoded.pixels[i] < 255;
    drop_alpha(decoded, use.preprocessing.alpha);
    decoded = upright(std::move(decoded));
    if (seen.width == 0) {  // of a format that is always decoded whole
      seen.width = decoded.width;
      seen.height = decoded.height;
    }
    seen.image = {decoded.width, decoded.height, std::move(decoded.pixels)};
    seen.grey = is_grey(seen.image);
    return seen;
  });
}

bool is_grey(const Image& image) {
  if (image.channels != 3) return false;
  const std::vector<uint8_t>& pixels = image.pixels;
  for (size_t i = 0; i < pixels.size(); i += 3)
    if (pixels[i] != pixels[i + 1] || pixels[i] != pixels[i + 2]) return false;
  return true;
}

Look look_of(const Inspection& seen) {
  Look look{seen.format, seen.orientation, seen.transparent, seen.grey, fingerprint(seen.image)};
  look.print.width = seen.width;
  look.print.height = seen.height;
  return look;
}

}  // namespace image

void set_max_pixels(int64_t pixels) {
  if (pixels < 1) fail(ErrorKind::usage, "set_max_pixels({}): 1 or more expected", pixels);
  image::set_most_pixels(pixels);
}

std::vector<std::string> picture_formats() {
  std::vector<std::string> names;
  for (const image::Format& format : image::formats())
    if (format.is_read()) names.emplace_back(format.name);
  return names;
}

WideGreys wide_greys() { return {image::cut_off, image::stretched}; }

Image decode_image(std::span<const std::byte> bytes, Alpha alpha) { return image::decode_image(bytes, image::only(alpha), nullptr); }

Image read_image(const std::string& path, Alpha alpha) {
  return in_context(path, [&] { return decode_image(image::read_bytes(path), alpha); });
}

Image decode_image(std::span<const std::byte> bytes, const Preprocessing& preprocessing) {
  return image::decode_image(bytes, preprocessing, image::reduction_of({preprocessing, {}}));
}

Image read_image(const std::string& path, const Preprocessing& preprocessing) { return image::read_for_use(path, {preprocessing, {}}); }

}  // namespace fovea
