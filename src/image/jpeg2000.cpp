// JPEG 2000 by OpenJPEG: JP2 files and bare code streams, with Pillow's arithmetic from their depths to 8 bits.
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "image/codecs.h"
#include "image/free_with.h"

namespace fovea::image {
namespace by_openjpeg {
namespace {

struct Source {
  Bytes bytes;
  size_t at = 0;
  bool past_end = false;
  std::string message = {};  // the first one
};

OPJ_SIZE_T read_some(void* out, OPJ_SIZE_T count, void* user) {
  Source& source = *static_cast<Source*>(user);
  const size_t left = source.bytes.size() - source.at, given = std::min<size_t>(count, left);
  source.past_end = source.past_end || given == 0;
  if (given == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(out, source.bytes.data() + source.at, given);
  source.at += given;
  return given;
}

OPJ_OFF_T skip(OPJ_OFF_T count, void* user) {
  Source& source = *static_cast<Source*>(user);
  if (count < 0 || static_cast<uint64_t>(count) > source.bytes.size() - source.at) {
    source.past_end = true;
    return -1;
  }
  source.at += static_cast<size_t>(count);
  return count;
}

OPJ_BOOL seek(OPJ_OFF_T to, void* user) {
  Source& source = *static_cast<Source*>(user);
  if (to < 0 || static_cast<uint64_t>(to) > source.bytes.size()) return OPJ_FALSE;
  source.at = static_cast<size_t>(to);
  return OPJ_TRUE;
}

void on_error(const char* text, void* user) {
  std::string& message = static_cast<Source*>(user)->message;
  if (!message.empty()) return;
  message = text;
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
}

void on_news(const char*, void*) {}

[[noreturn]] void fail_jpeg2000(const Source& source) {
  fail(ErrorKind::input, "{} JPEG 2000: {}", source.past_end ? "truncated" : "damaged",
       source.message.empty() ? "its data is not readable" : source.message);
}

using Stream = std::unique_ptr<opj_stream_t, FreeWith<opj_stream_destroy>>;
using Codec = std::unique_ptr<opj_codec_t, FreeWith<opj_destroy_codec>>;
using Picture = std::unique_ptr<opj_image_t, FreeWith<opj_image_destroy>>;

Stream stream_of(Source& source) {
  Stream stream(opj_stream_default_create(OPJ_TRUE));
  if (!stream) throw std::bad_alloc();
  opj_stream_set_read_function(stream.get(), read_some);
  opj_stream_set_skip_function(stream.get(), skip);
  opj_stream_set_seek_function(stream.get(), seek);
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.bytes.size());
  return stream;
}

Picture decode(Source& source) {
  const Stream stream = stream_of(source);
  const bool bare = std::to_integer<int>(source.bytes[0]) == 0xFF;
  const Codec codec(opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2));
  if (!codec) throw std::bad_alloc();
  opj_set_error_handler(codec.get(), on_error, &source);
  opj_set_warning_handler(codec.get(), on_news, nullptr);
  opj_set_info_handler(codec.get(), on_news, nullptr);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(codec.get(), &parameters)) fail_jpeg2000(source);
  opj_image_t* header = nullptr;
  const bool read = opj_read_header(stream.get(), codec.get(), &header);
  Picture picture(header);
  if (!read || !picture) fail_jpeg2000(source);
  check_size(int64_t{picture->x1} - picture->x0, int64_t{picture->y1} - picture->y0);
  if (picture->numcomps < 1 || picture->numcomps > 4)
    fail(ErrorKind::input, "JPEG 2000 of {} components; 1 to 4 are read", picture->numcomps);
  if (!opj_decode(codec.get(), stream.get(), picture.get()) || !opj_end_decompress(codec.get(), stream.get())) fail_jpeg2000(source);
  return picture;
}

// A component's samples, brought to `bits`: shifted up, or down with rounding.
class Component {
 public:
  Component(const opj_image_comp_t& component, int bits)
      : component_(component),
        shift_(bits - static_cast<int>(component.prec)),
        offset_((component.sgnd ? int64_t{1} << (component.prec - 1) : 0) + (shift_ < 0 ? int64_t{1} << (-shift_ - 1) : 0)),
        most_((1 << bits) - 1) {}

  int operator()(int64_t x, int64_t y) const {
    const int64_t column = std::min<int64_t>(x / component_.dx, component_.w - 1),
                  row = std::min<int64_t>(y / component_.dy, component_.h - 1);
    const int64_t value = component_.data[row * component_.w + column] + offset_;
    // Where rounding leads beyond white Pillow has black.
    return static_cast<int>(std::clamp<int64_t>(shift_ < 0 ? value >> -shift_ : value << shift_, 0, most_));
  }

 private:
  const opj_image_comp_t& component_;
  int shift_;
  int64_t offset_, most_;
};

void ycc_to_rgb(uint8_t* pixel) {
  const double y = pixel[0], cb = pixel[1] - 128.0, cr = pixel[2] - 128.0;
  const double rgb[] = {y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb};
  for (int c = 0; c < 3; ++c) pixel[c] = static_cast<uint8_t>(std::clamp(rgb[c] + 0.5, 0.0, 255.0));
}

}  // namespace
}  // namespace by_openjpeg

bool has_jpeg2000() { return true; }

std::string jpeg2000_version() { return fmt::format(", OpenJPEG {}", opj_version()); }

Decoded decode_jpeg2000(Bytes bytes) {
  using namespace by_openjpeg;
  Source source{bytes};
  const Picture image = decode(source);
  Decoded picture;
  picture.width = int64_t{image->x1} - image->x0;
  picture.height = int64_t{image->y1} - image->y0;
  const auto count = static_cast<int>(image->numcomps);
  const bool wide = count == 1 && image->comps[0].prec > 8;
  std::vector<Component> components;
  for (int i = 0; i < count; ++i) {
    const opj_image_comp_t& component = image->comps[i];
    if (!component.data || component.w == 0 || component.h == 0 || component.dx == 0 || component.dy == 0 || component.prec < 1 ||
        component.prec > 31)
      fail(ErrorKind::input, "damaged JPEG 2000: a component without samples");
    components.emplace_back(component, wide ? 16 : 8);
  }
  const auto pixels = static_cast<size_t>(picture.width * picture.height);
  if (wide) {
    picture.wide.reserve(pixels);
    for (int64_t y = 0; y < picture.height; ++y)
      for (int64_t x = 0; x < picture.width; ++x) picture.wide.push_back(static_cast<float>(components[0](x, y)));
    return picture;
  }
  const bool cmyk = count == 4 && image->color_space == OPJ_CLRSPC_CMYK;
  const bool ycc = count >= 3 && (image->color_space == OPJ_CLRSPC_SYCC || image->color_space == OPJ_CLRSPC_EYCC);
  picture.channels = !cmyk && count % 2 == 0 ? 4 : 3;
  picture.pixels.resize(pixels * static_cast<size_t>(cmyk ? 4 : picture.channels));
  uint8_t* out = picture.pixels.data();
  for (int64_t y = 0; y < picture.height; ++y) {
    for (int64_t x = 0; x < picture.width; ++x) {
      uint8_t* const pixel = out;
      if (count < 3) {
        std::fill_n(out, 3, static_cast<uint8_t>(components[0](x, y)));
        out += 3;
      } else {
        for (size_t c = 0; c < 3; ++c) *out++ = static_cast<uint8_t>(components[c](x, y));
      }
      if (count % 2 == 0) *out++ = static_cast<uint8_t>(components.back()(x, y));
      if (ycc) ycc_to_rgb(pixel);
    }
  }
  if (cmyk) {
    cmyk_to_rgb(picture.pixels.data(), picture.pixels.data(), static_cast<int64_t>(pixels), false);
    picture.pixels.resize(3 * pixels);
  }
  return picture;
}

}  // namespace fovea::image
