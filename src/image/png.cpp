// PNG by libspng: every colour type and depth, interlaced or not; of 16 bits the high byte.
#include <spng.h>

#include <memory>

#include "base/error.h"
#include "image/codecs.h"
#include "image/exif.h"

namespace fovea::image {
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

}  // namespace fovea::image
