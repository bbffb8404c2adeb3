// JPEG by libjpeg-turbo, for pictures in pages.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>

// jpeglib.h wants stdio's FILE declared before it.
#include <jpeglib.h>

#include <fovea/image.h>

#include "base/error.h"
#include "image/resize.h"

namespace fovea {
namespace {

struct Encoder {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf escape;
  unsigned char* data = nullptr;
  unsigned long bytes = 0;
  char message[JMSG_LENGTH_MAX] = "";

  Encoder() = default;
  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(data);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto& encoder = *static_cast<Encoder*>(info->client_data);
  info->err->format_message(info, encoder.message);
  std::longjmp(encoder.escape, 1);
}

// May leave through longjmp: nothing that needs destroying is alive in it.
bool encode(Encoder& encoder, const uint8_t* pixels, int64_t width, int64_t height, int quality) {
  encoder.info.err = jpeg_std_error(&encoder.errors);
  encoder.errors.error_exit = on_error;
  encoder.info.client_data = &encoder;
  if (setjmp(encoder.escape)) return false;
  jpeg_create_compress(&encoder.info);
  jpeg_mem_dest(&encoder.info, &encoder.data, &encoder.bytes);
  encoder.info.image_width = static_cast<JDIMENSION>(width);
  encoder.info.image_height = static_cast<JDIMENSION>(height);
  encoder.info.input_components = 3;
  encoder.info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&encoder.info);
  jpeg_set_quality(&encoder.info, quality, TRUE);
  encoder.info.optimize_coding = TRUE;
  jpeg_start_compress(&encoder.info, TRUE);
  while (encoder.info.next_scanline < encoder.info.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels + 3 * width * static_cast<int64_t>(encoder.info.next_scanline));
    jpeg_write_scanlines(&encoder.info, &row, 1);
  }
  jpeg_finish_compress(&encoder.info);
  return true;
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  image::check_rgb(image);
  if (quality < 1 || quality > 100) fail(ErrorKind::usage, "JPEG quality {}, 1 to 100 expected", quality);
  if (std::max(image.width, image.height) > JPEG_MAX_DIMENSION)
    fail(ErrorKind::usage, "{} x {} pixels, a JPEG has at most {} a side", image.width, image.height, JPEG_MAX_DIMENSION);
  const auto encoder = std::make_unique<Encoder>();
  if (!encode(*encoder, image.pixels.data(), image.width, image.height, quality)) fail(ErrorKind::internal, "JPEG: {}", encoder->message);
  const auto* begin = reinterpret_cast<const std::byte*>(encoder->data);
  return {begin, begin + encoder->bytes};
}

}  // namespace fovea
