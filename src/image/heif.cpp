// AVIF and HEIC by libheif, which turns and mirrors pictures as the file says. HEIC is converted to RGB by libheif, as pillow-heif has it.
// For AVIF Pillow (libavif, libyuv) has other roundings, and interpolates chroma of half the columns linearly where libheif repeats it, so
// that such pictures are taken as YCbCr and converted here.
#include <libheif/heif.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "image/codecs.h"
#include "image/free_with.h"

namespace fovea::image {
namespace by_libheif {
namespace {

using Context = std::unique_ptr<heif_context, FreeWith<heif_context_free>>;
using Handle = std::unique_ptr<heif_image_handle, FreeWith<heif_image_handle_release>>;
using Picture = std::unique_ptr<heif_image, FreeWith<heif_image_release>>;
using Options = std::unique_ptr<heif_decoding_options, FreeWith<heif_decoding_options_free>>;

void check(const heif_error& error, const char* format) {
  if (error.code == heif_error_Ok) return;
  const bool truncated = error.subcode == heif_suberror_End_of_data;
  fail(ErrorKind::input, "{} {}: {}", truncated ? "truncated" : "damaged", format,
       error.message ? error.message : "its data is not readable");
}

Handle handle_of(heif_context* context, int64_t page, const char* format) {
  heif_image_handle* handle = nullptr;
  if (page == 0) {
    check(heif_context_get_primary_image_handle(context, &handle), format);
    return Handle(handle);
  }
  const int count = heif_context_get_number_of_top_level_images(context);
  if (page > count) fail(ErrorKind::input, "page {} of {}, which has {}", page, format, count);
  std::vector<heif_item_id> ids(static_cast<size_t>(count));
  heif_context_get_list_of_top_level_image_IDs(context, ids.data(), count);
  check(heif_context_get_image_handle(context, ids[static_cast<size_t>(page - 1)], &handle), format);
  return Handle(handle);
}

// How chroma is stored, by the first configuration of a coded picture in colours (box av1C); nothing where there is none.
std::optional<heif_chroma> stored_chroma(Bytes bytes) {
  constexpr std::string_view name = "av1C";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (size_t at = text.find(name); at != text.npos && at + 7 <= text.size(); at = text.find(name, at + 1)) {
    const auto flags = static_cast<unsigned char>(text[at + 6]);
    const bool grey = (flags & 0x10) != 0, half_columns = (flags & 8) != 0, half_rows = (flags & 4) != 0;
    if (!grey) return half_rows ? heif_chroma_420 : half_columns ? heif_chroma_422 : heif_chroma_444;
  }
  return std::nullopt;
}

// A plane of chroma at the size of the picture, of which it has half the columns, and half or all of the rows. What lies between two
// samples is their mean by distance, in fixed point as libyuv rounds it.
std::vector<uint8_t> enlarged(const uint8_t* plane, int stride, int64_t width, int64_t height, bool half_rows) {
  const int64_t columns = (width + 1) / 2, rows = half_rows ? (height + 1) / 2 : height;
  std::vector<uint8_t> out(static_cast<size_t>(width * height));
  for (int64_t y = 0; y < height; ++y) {
    const int64_t near_row = half_rows ? y / 2 : y, far_row = half_rows ? std::clamp<int64_t>(near_row + (y % 2 ? 1 : -1), 0, rows - 1) : y;
    const uint8_t *near = plane + near_row * stride, *far = plane + far_row * stride;
    for (int64_t x = 0; x < width; ++x) {
      const int64_t column = x / 2, other = std::clamp<int64_t>(column + (x % 2 ? 1 : -1), 0, columns - 1);
      const bool edge = x == width - 1;  // nothing lies beyond it
      const int64_t beside = edge ? column : other;
      const int sum =
          half_rows ? 9 * near[column] + 3 * near[beside] + 3 * far[column] + far[beside] + 8 : 3 * near[column] + near[beside] + 2;
      out[static_cast<size_t>(y * width + x)] = static_cast<uint8_t>(sum >> (half_rows ? 4 : 2));
    }
  }
  return out;
}

struct Coefficients {
  double red = 0.299, blue = 0.114;  // shares of luma; of green the rest
  bool full = true;
};

// What the planes are in. libheif before 1.16 hands over what it has converted to BT.601 in full range, and says nothing of it.
Coefficients coefficients_of(const heif_image* image) {
  Coefficients result;
  heif_color_profile_nclx* profile = nullptr;
  if (heif_image_get_nclx_color_profile(image, &profile).code != heif_error_Ok || !profile) return result;
  result.full = profile->full_range_flag != 0;
  if (profile->matrix_coefficients == heif_matrix_coefficients_ITU_R_BT_709_5) result = {0.2126, 0.0722, result.full};
  if (profile->matrix_coefficients == heif_matrix_coefficients_ITU_R_BT_2020_2_non_constant_luminance)
    result = {0.2627, 0.0593, result.full};
  heif_nclx_color_profile_free(profile);
  return result;
}

uint8_t to_byte(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)); }

void to_rgb(int y, int cb, int cr, const Coefficients& coefficients, uint8_t* out) {
  cb -= 128;
  cr -= 128;
  if (coefficients.full && coefficients.red == 0.299) {  // libyuv's fixed point
    const int luma = ((y * 0x0101 * 16320) >> 16) + 32;
    out[0] = static_cast<uint8_t>(std::clamp((luma + 90 * cr) >> 6, 0, 255));
    out[1] = static_cast<uint8_t>(std::clamp((luma - 22 * cb - 46 * cr) >> 6, 0, 255));
    out[2] = static_cast<uint8_t>(std::clamp((luma + 113 * cb) >> 6, 0, 255));
    return;
  }
  const double luma = coefficients.full ? y : (y - 16) * 255.0 / 219, stretch = coefficients.full ? 1 : 255.0 / 224;
  const double kr = coefficients.red, kb = coefficients.blue, kg = 1 - kr - kb;
  const double red = 2 * (1 - kr) * stretch * cr, blue = 2 * (1 - kb) * stretch * cb;
  out[0] = to_byte(luma + red + 0.5);
  out[1] = to_byte(luma - (kr * red + kb * blue) / kg + 0.5);
  out[2] = to_byte(luma + blue + 0.5);
}

// Of the planes Y, Cb, Cr and, where there is one, alpha.
Decoded interpolated(const heif_image* image, heif_chroma stored, bool alpha, const char* format) {
  const bool half_rows = stored == heif_chroma_420, half_columns = stored != heif_chroma_444;
  Decoded picture;
  picture.width = heif_image_get_width(image, heif_channel_Y);
  picture.height = heif_image_get_height(image, heif_channel_Y);
  check_size(picture.width, picture.height);
  int strides[4] = {};
  const uint8_t* planes[4] = {};
  constexpr heif_channel channels[] = {heif_channel_Y, heif_channel_Cb, heif_channel_Cr, heif_channel_Alpha};
  for (int i = 0; i < (alpha ? 4 : 3); ++i) {
    planes[i] = heif_image_get_plane_readonly(image, channels[i], &strides[i]);
    const bool chroma = i == 1 || i == 2;
    const int64_t width = chroma && half_columns ? (picture.width + 1) / 2 : picture.width,
                  height = chroma && half_rows ? (picture.height + 1) / 2 : picture.height;
    if (!planes[i] || heif_image_get_width(image, channels[i]) < width || heif_image_get_height(image, channels[i]) < height)
      fail(ErrorKind::input, "damaged {}: its planes do not fit together", format);
  }
  std::vector<uint8_t> chroma[2];
  for (int i = 0; i < 2; ++i) {
    if (half_columns) chroma[i] = enlarged(planes[i + 1], strides[i + 1], picture.width, picture.height, half_rows);
    for (int64_t y = 0; y < picture.height && !half_columns; ++y)
      chroma[i].insert(chroma[i].end(), planes[i + 1] + y * strides[i + 1], planes[i + 1] + y * strides[i + 1] + picture.width);
  }
  const Coefficients coefficients = coefficients_of(image);
  picture.channels = alpha ? 4 : 3;
  picture.pixels.resize(static_cast<size_t>(picture.width * picture.height * picture.channels));
  uint8_t* out = picture.pixels.data();
  for (int64_t y = 0; y < picture.height; ++y) {
    for (int64_t x = 0; x < picture.width; ++x, out += picture.channels) {
      const auto i = static_cast<size_t>(y * picture.width + x);
      to_rgb(planes[0][y * strides[0] + x], chroma[0][i], chroma[1][i], coefficients, out);
      if (alpha) out[3] = planes[3][y * strides[3] + x];
    }
  }
  return picture;
}

}  // namespace
}  // namespace by_libheif

bool has_heif() { return true; }

std::string heif_version() { return fmt::format(", libheif {}", heif_get_version()); }

Decoded decode_heif(Bytes bytes, int64_t page, const char* format) {
  using namespace by_libheif;
  const Context context(heif_context_alloc());
  if (!context) throw std::bad_alloc();
  heif_context_set_max_decoding_threads(context.get(), 0);  // there is a thread for each picture already
  check(heif_context_read_from_memory_without_copy(context.get(), bytes.data(), bytes.size(), nullptr), format);
  const Handle handle = handle_of(context.get(), page, format);
  check_size(heif_image_handle_get_width(handle.get()), heif_image_handle_get_height(handle.get()));
  const bool alpha = heif_image_handle_has_alpha_channel(handle.get()) != 0;
  const Options options(heif_decoding_options_alloc());
  if (!options) throw std::bad_alloc();
  options->convert_hdr_to_8bit = 1;
  heif_image* decoded = nullptr;
  const std::optional<heif_chroma> chroma = stored_chroma(bytes);
  if (std::string_view(format) == "AVIF" && chroma && heif_image_handle_get_luma_bits_per_pixel(handle.get()) == 8) {
    const heif_error error = heif_decode_image(handle.get(), &decoded, heif_colorspace_YCbCr, *chroma, options.get());
    const Picture image(decoded);
    check(error, format);
    return interpolated(image.get(), *chroma, alpha, format);
  }
  const heif_error error = heif_decode_image(handle.get(), &decoded, heif_colorspace_RGB,
                                             alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, options.get());
  const Picture image(decoded);
  check(error, format);
  Decoded picture;
  picture.width = heif_image_get_width(image.get(), heif_channel_interleaved);
  picture.height = heif_image_get_height(image.get(), heif_channel_interleaved);
  picture.channels = alpha ? 4 : 3;
  check_size(picture.width, picture.height);
  int stride = 0;
  const uint8_t* plane = heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
  if (!plane) fail(ErrorKind::input, "damaged {}: it has no pixels", format);
  const auto row = static_cast<size_t>(picture.width * picture.channels);
  picture.pixels.resize(row * static_cast<size_t>(picture.height));
  for (int64_t y = 0; y < picture.height; ++y) std::copy_n(plane + y * stride, row, picture.pixels.data() + static_cast<size_t>(y) * row);
  return picture;
}

}  // namespace fovea::image
