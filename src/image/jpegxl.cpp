// JPEG XL by libjxl: the first frame, turned as its header says.
#include <jxl/decode.h>

#include <memory>

#include "base/error.h"
#include "image/codecs.h"
#include "image/free_with.h"

namespace fovea::image {
namespace by_libjxl {
namespace {

class Reader {
 public:
  explicit Reader(Bytes bytes) : decoder_(JxlDecoderCreate(nullptr)) {
    if (!decoder_) throw std::bad_alloc();
    check(JxlDecoderSubscribeEvents(decoder_.get(), JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE));
    check(JxlDecoderSetInput(decoder_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
    JxlDecoderCloseInput(decoder_.get());
  }

  Decoded read() {
    Decoded picture;
    std::vector<uint16_t> samples;
    JxlPixelFormat format{};
    for (;;) {
      switch (JxlDecoderProcessInput(decoder_.get())) {
        case JXL_DEC_BASIC_INFO:
          format = begin(picture);
          break;
        case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
          set_buffer(picture, format, samples);
          break;
        case JXL_DEC_FULL_IMAGE:
          if (format.data_type == JXL_TYPE_UINT16) picture.wide.assign(samples.begin(), samples.end());
          return picture;
        case JXL_DEC_NEED_MORE_INPUT:
          fail(ErrorKind::input, "truncated JPEG XL: the data ends before the picture does");
        case JXL_DEC_SUCCESS:
          fail(ErrorKind::input, "JPEG XL without a picture in it");
        default:
          fail(ErrorKind::input, "damaged JPEG XL: its data is not readable");
      }
    }
  }

 private:
  static void check(JxlDecoderStatus status) {
    if (status != JXL_DEC_SUCCESS) fail(ErrorKind::input, "damaged JPEG XL: its data is not readable");
  }

  JxlPixelFormat begin(Decoded& picture) {
    JxlBasicInfo info;
    check(JxlDecoderGetBasicInfo(decoder_.get(), &info));
    check_size(info.xsize, info.ysize);
    picture.width = info.xsize;  // as it is shown, turned
    picture.height = info.ysize;
    const bool alpha = info.alpha_bits > 0,
               wide = info.num_color_channels == 1 && info.bits_per_sample > 8 && info.exponent_bits_per_sample == 0;
    picture.channels = alpha && !wide ? 4 : 3;
    const auto channels = static_cast<uint32_t>(wide ? 1 : picture.channels);
    return {channels, wide ? JXL_TYPE_UINT16 : JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0};
  }

  void set_buffer(Decoded& picture, const JxlPixelFormat& format, std::vector<uint16_t>& samples) {
    size_t bytes = 0;
    check(JxlDecoderImageOutBufferSize(decoder_.get(), &format, &bytes));
    const auto count = static_cast<size_t>(picture.width * picture.height);
    void* buffer = nullptr;
    if (format.data_type == JXL_TYPE_UINT16) {
      samples.resize(count);
      buffer = samples.data();
      if (bytes != 2 * count) check(JXL_DEC_ERROR);
    } else {
      picture.pixels.resize(count * format.num_channels);
      buffer = picture.pixels.data();
      if (bytes != picture.pixels.size()) check(JXL_DEC_ERROR);
    }
    check(JxlDecoderSetImageOutBuffer(decoder_.get(), &format, buffer, bytes));
  }

  std::unique_ptr<JxlDecoder, FreeWith<JxlDecoderDestroy>> decoder_;
};

}  // namespace
}  // namespace by_libjxl

bool has_jpegxl() { return true; }

std::string jpegxl_version() {
  const uint32_t version = JxlDecoderVersion();
  return fmt::format(", libjxl {}.{}.{}", version / 1000000, version / 1000 % 1000, version % 1000);
}

Decoded decode_jpegxl(Bytes bytes) {
  using namespace by_libjxl;
  return Reader(bytes).read();
}

}  // namespace fovea::image
