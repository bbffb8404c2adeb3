// PNG by libspng: every colour type and depth, interlaced or not; of 16 bits the high byte. Written as 8-bit RGB.
#include <spng.h>

#include <cstdlib>
#include <memory>

#include "base/atomic_file.h"
#include "base/error.h"
#include "image/codecs.h"
#include "image/exif.h"
#include "image/resize.h"

namespace fovea {
namespace image {
namespace {

struct Free {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

constexpr size_t max_chunk_bytes = size_t{64} << 20;  // of colour profiles and texts, which are read past
constexpr int64_t deflate_best_ratio = 1032;          // no stream of n bytes holds more than 1032 n

void check(int code) {
  if (code == SPNG_OK) return;
  if (code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT) fail(ErrorKind::input, "truncated PNG: {}", spng_strerror(code));
  fail(ErrorKind::input, "damaged PNG: {}", spng_strerror(code));
}

}  // namespace

Decoded decode_png(Bytes bytes) {
  const std::unique_ptr<spng_ctx, Free> context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  check(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  check(spng_set_chunk_limits(context.get(), max_chunk_bytes, max_chunk_bytes));
  spng_ihdr header{};
  check(spng_get_ihdr(context.get(), &header));
  check_size(header.width, header.height);

  Decoded picture;
  picture.width = header.width;
  picture.height = header.height;
  spng_trns transparency{};
  const bool has_alpha = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA || header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ||
                         spng_get_trns(context.get(), &transparency) == SPNG_OK;
  picture.channels = has_alpha ? 4 : 3;
  const int64_t packed_bytes = picture.width * picture.height * header.bit_depth / 8;  // at least; one channel
  if (packed_bytes / deflate_best_ratio > static_cast<int64_t>(bytes.size())) {
    fail(ErrorKind::input, "truncated PNG: {} bytes cannot hold {} x {} pixels", bytes.size(), picture.width, picture.height);
  }
  const int format = has_alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
  size_t size = 0;
  check(spng_decoded_image_size(context.get(), format, &size));
  picture.pixels.resize(size);
  check(spng_decode_image(context.get(), picture.pixels.data(), size, format, has_alpha ? SPNG_DECODE_TRNS : 0));

  spng_exif exif{};
  spng_decode_chunks(context.get());  // EXIF may follow the pixels; whatever else is wrong there does not matter any more
  if (spng_get_exif(context.get(), &exif) == SPNG_OK) {
    picture.orientation = exif_orientation({reinterpret_cast<const std::byte*>(exif.data), exif.length});
  }
  return picture;
}

}  // namespace image

std::vector<std::byte> encode_png(const Image& image) {
  image::check_image(image);
  constexpr int64_t most = INT32_MAX;  // of the format
  if (image.width > most || image.height > most)
    fail(ErrorKind::usage, "{} x {} pixels, at most {} a side", image.width, image.height, most);
  const std::unique_ptr<spng_ctx, image::Free> context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) throw std::bad_alloc();
  const auto demand = [](int code) {
    if (code == SPNG_EMEM) throw std::bad_alloc();
    if (code != SPNG_OK) fail(ErrorKind::internal, "writing a PNG: {}", spng_strerror(code));
  };
  demand(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  spng_ihdr header{};
  header.width = static_cast<uint32_t>(image.width);
  header.height = static_cast<uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  demand(spng_set_ihdr(context.get(), &header));
  demand(spng_encode_image(context.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  size_t size = 0;
  int code = SPNG_OK;
  const std::unique_ptr<void, decltype(&std::free)> buffer(spng_get_png_buffer(context.get(), &size, &code), &std::free);
  demand(code);
  const auto* bytes = static_cast<const std::byte*>(buffer.get());
  return {bytes, bytes + size};
}

void write_png(const std::string& path, const Image& image) {
  const std::vector<std::byte> bytes = encode_png(image);
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace fovea
