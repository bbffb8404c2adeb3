#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fovea/image.h>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/error.h"
#include "image/codecs.h"
#include "image/exif.h"
#include "image/inspect.h"
#include "image/use.h"

namespace fovea {
namespace image {

void check_size(int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) fail(ErrorKind::input, "{} x {} pixels: nothing to see", width, height);
  if (width > max_pixels / height) fail(ErrorKind::input, "{} x {} pixels, at most {} in all", width, height, max_pixels);
}

namespace {

bool starts_with(Bytes bytes, std::string_view magic, size_t offset = 0) {
  return bytes.size() >= offset + magic.size() && std::memcmp(bytes.data() + offset, magic.data(), magic.size()) == 0;
}

// The first bytes for a message: as text where they are, else in hexadecimal.
std::string beginning(Bytes bytes) {
  bytes = bytes.first(std::min<size_t>(bytes.size(), 12));
  std::string text, hex;
  bool printable = true;
  for (std::byte b : bytes) {
    const auto c = static_cast<unsigned char>(b);
    printable = printable && ((c >= 32 && c < 127) || c == '\n' || c == '\r' || c == '\t');
    text += c < 32 ? ' ' : static_cast<char>(c);
    hex += fmt::format("{}{:02x}", hex.empty() ? "" : " ", c);
  }
  return printable ? fmt::format("\"{}\"", text) : hex;
}

Decoded decode_any(Bytes bytes, const Reduction& reduction = nullptr) {
  if (bytes.empty()) fail(ErrorKind::input, "empty file");
  if (bytes.size() > INT_MAX) fail(ErrorKind::input, "{} bytes, at most {}", bytes.size(), INT_MAX);
  if (starts_with(bytes, "\xFF\xD8\xFF")) return decode_jpeg(bytes, reduction);
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n")) return decode_png(bytes);
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return decode_webp(bytes);
  if (starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a")) return decode_gif(bytes);
  if (starts_with(bytes, "BM")) return decode_bmp(bytes);
  fail(ErrorKind::input, "not a picture (starts with {})", beginning(bytes));
}

// To three channels. Over white by the arithmetic of Pillow's Image.alpha_composite on an opaque white ground: weights of 255 << 7 in all,
// one rounded division by 255.
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
  if (file.value() < 0 || fstat(file.value(), &info) != 0) fail(ErrorKind::input, "{}", std::strerror(errno));
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

Image decode_image(Bytes bytes, Alpha alpha, const Reduction& reduction) {
  Decoded decoded = decode_any(bytes, reduction);
  drop_alpha(decoded, alpha);
  decoded = upright(std::move(decoded));
  return {decoded.width, decoded.height, std::move(decoded.pixels)};
}

std::string format_of(Bytes bytes) {
  if (starts_with(bytes, "\xFF\xD8\xFF")) return "jpeg";
  if (starts_with(bytes, "\x89PNG")) return "png";
  if (starts_with(bytes, "RIFF")) return "webp";
  return starts_with(bytes, "GIF") ? "gif" : "bmp";
}

}  // namespace

Image read_for_use(const std::string& path, const Use& use) {
  return in_context(path, [&] { return decode_image(read_bytes(path), use.preprocessing.alpha, reduction_of(use)); });
}

Inspection inspect_image(const std::string& path, const Use& use) {
  return in_context(path, [&] {
    const std::vector<std::byte> bytes = read_bytes(path);
    Inspection seen;
    const Reduction wanted = reduction_of(use);
    Decoded decoded = decode_any(bytes, [&](Size whole) {
      seen.width = whole.width;
      seen.height = whole.height;
      return wanted ? wanted(whole) : 1;
    });
    seen.format = format_of(bytes);
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
    const std::vector<uint8_t>& pixels = seen.image.pixels;
    seen.grey = true;
    for (size_t i = 0; i < pixels.size() && seen.grey; i += 3) seen.grey = pixels[i] == pixels[i + 1] && pixels[i] == pixels[i + 2];
    return seen;
  });
}

Look look_of(const Inspection& seen) {
  Look look{seen.format, seen.orientation, seen.transparent, seen.grey, fingerprint(seen.image)};
  look.print.width = seen.width;
  look.print.height = seen.height;
  return look;
}

}  // namespace image

Image decode_image(std::span<const std::byte> bytes, Alpha alpha) { return image::decode_image(bytes, alpha, nullptr); }

Image read_image(const std::string& path, Alpha alpha) {
  return in_context(path, [&] { return decode_image(image::read_bytes(path), alpha); });
}

Image decode_image(std::span<const std::byte> bytes, const Preprocessing& preprocessing) {
  return image::decode_image(bytes, preprocessing.alpha, image::reduction_of({preprocessing, {}}));
}

Image read_image(const std::string& path, const Preprocessing& preprocessing) { return image::read_for_use(path, {preprocessing, {}}); }

}  // namespace fovea
