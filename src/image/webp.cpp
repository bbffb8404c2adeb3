// WebP by libwebp: lossy and lossless, with alpha; of an animation the first frame.
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "image/codecs.h"
#include "image/exif.h"
#include "image/free_with.h"

namespace fovea::image {
namespace {

const uint8_t* data_of(Bytes bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

[[noreturn]] void fail_webp(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      fail(ErrorKind::input, "truncated WebP: the data ends before the picture does");
    case VP8_STATUS_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      fail(ErrorKind::input, "WebP with an unsupported feature");
    default:
      fail(ErrorKind::input, "damaged WebP: its bitstream is not readable");
  }
}

// The container is RIFF: "RIFF", size, "WEBP", then chunks of a name, a size and a body padded to an even length.
Bytes find_chunk(Bytes bytes, const char* name) {
  size_t at = 12;
  while (at + 8 <= bytes.size()) {
    uint32_t size = 0;
    for (size_t i = 0; i < 4; ++i) size |= static_cast<uint32_t>(bytes[at + 4 + i]) << (8 * i);
    if (size > bytes.size() - at - 8) break;
    if (std::memcmp(bytes.data() + at, name, 4) == 0) return bytes.subspan(at + 8, size);
    at += 8 + size_t{size} + (size & 1);
  }
  return {};
}

void decode_still(Bytes bytes, Decoded& picture) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) fail(ErrorKind::internal, "libwebp of another version than its headers");
  const int stride = static_cast<int>(picture.width * picture.channels);
  config.output.colorspace = picture.channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {picture.pixels.data(), stride, picture.pixels.size()};
  const VP8StatusCode status = WebPDecode(data_of(bytes), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) fail_webp(status);
}

void decode_first_frame(Bytes bytes, Decoded& picture) {
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) fail(ErrorKind::internal, "libwebpdemux of another version than its headers");
  options.color_mode = MODE_RGBA;
  const WebPData data{data_of(bytes), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, FreeWith<WebPAnimDecoderDelete>> decoder(WebPAnimDecoderNew(&data, &options));
  if (!decoder) fail(ErrorKind::input, "damaged WebP: its animation is not readable");
  uint8_t* canvas = nullptr;
  int time = 0;
  if (!WebPAnimDecoderGetNext(decoder.get(), &canvas, &time)) fail(ErrorKind::input, "damaged WebP: its first frame is not readable");
  std::copy_n(canvas, picture.pixels.size(), picture.pixels.data());
}

}  // namespace

Decoded decode_webp(Bytes bytes) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(data_of(bytes), bytes.size(), &features);
  if (status != VP8_STATUS_OK) fail_webp(status);
  check_size(features.width, features.height);
  Decoded picture;
  picture.width = features.width;
  picture.height = features.height;
  picture.channels = features.has_alpha || features.has_animation ? 4 : 3;
  picture.pixels.resize(static_cast<size_t>(picture.width * picture.height * picture.channels));
  if (features.has_animation)
    decode_first_frame(bytes, picture);
  else
    decode_still(bytes, picture);
  const Bytes xmp = find_chunk(bytes, "XMP ");
  picture.orientation = orientation_of(find_chunk(bytes, "EXIF"), {reinterpret_cast<const char*>(xmp.data()), xmp.size()});
  return picture;
}

}  // namespace fovea::image
