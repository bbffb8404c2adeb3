// JPEG by libjpeg-turbo with its defaults (accurate integer DCT, fancy upsampling), which is what Pillow decodes with.
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// jpeglib.h wants stdio's FILE declared before it.
#include <jpeglib.h>

#include <jerror.h>

#include "base/error.h"
#include "image/codecs.h"
#include "image/exif.h"

namespace fovea::image {
namespace {

// A crafted progressive file can ask for very many passes over a large picture; real encoders write about ten.
constexpr int max_scans = 200;
constexpr unsigned max_marker_bytes = 65533;

struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape;
  bool out_of_data = false;
  char message[JMSG_LENGTH_MAX] = "";

  Decoder() = default;
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

Decoder& self(j_common_ptr info) { return *static_cast<Decoder*>(info->client_data); }
Decoder& self(j_decompress_ptr info) { return *static_cast<Decoder*>(info->client_data); }

[[noreturn]] void on_error(j_common_ptr info) {
  Decoder& decoder = self(info);
  info->err->format_message(info, decoder.message);
  std::longjmp(decoder.escape, 1);
}

// Warnings are not errors: like Pillow, fovea takes what libjpeg recovers as long as the data lasts.
void on_message(j_common_ptr, int) {}
void on_output(j_common_ptr) {}

boolean on_empty(j_decompress_ptr info) {
  Decoder& decoder = self(info);
  decoder.out_of_data = true;
  std::snprintf(decoder.message, sizeof decoder.message, "the data ends before the picture does");
  std::longjmp(decoder.escape, 1);
}

void on_skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<size_t>(count) > info->src->bytes_in_buffer) on_empty(info);
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<size_t>(count);
}

void on_source(j_decompress_ptr) {}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= max_scans) return;
  std::snprintf(self(info).message, sizeof(Decoder::message), "more than %d scans", max_scans);
  std::longjmp(self(info).escape, 1);
}

void set_up(Decoder& decoder, Bytes bytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.info.client_data = &decoder;
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_message;
  decoder.errors.output_message = on_output;
  jpeg_create_decompress(&decoder.info);
  decoder.source.init_source = on_source;
  decoder.source.fill_input_buffer = on_empty;
  decoder.source.skip_input_data = on_skip;
  decoder.source.resync_to_restart = jpeg_resync_to_restart;
  decoder.source.term_source = on_source;
  decoder.source.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  decoder.source.bytes_in_buffer = bytes.size();
  decoder.info.src = &decoder.source;
  decoder.progress.progress_monitor = on_progress;
  decoder.info.progress = &decoder.progress;
}

// The three steps below may leave through longjmp; they are called where nothing that needs destroying is alive in between.
bool read_header(Decoder& decoder, Bytes bytes) {
  if (setjmp(decoder.escape)) return false;
  set_up(decoder, bytes);
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, max_marker_bytes);
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

bool start(Decoder& decoder, int reduction) {
  if (setjmp(decoder.escape)) return false;
  decoder.info.out_color_space = decoder.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  decoder.info.scale_num = 1;
  decoder.info.scale_denom = static_cast<unsigned>(reduction);
  jpeg_start_decompress(&decoder.info);
  return true;
}

bool read_rows(Decoder& decoder, uint8_t* out) {
  if (setjmp(decoder.escape)) return false;
  const size_t row_bytes = size_t{decoder.info.output_width} * static_cast<size_t>(decoder.info.output_components);
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = out + row_bytes * decoder.info.output_scanline;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  return true;  // what follows the last row is not looked at, so that a file without its end marker is still read
}

[[noreturn]] void fail_jpeg(const Decoder& decoder) {
  fail(ErrorKind::input, "{} JPEG: {}", decoder.out_of_data ? "truncated" : "damaged", decoder.message);
}

int orientation_in(const Decoder& decoder) {
  constexpr std::string_view exif_mark("Exif\0\0", 6), xmp_mark("http://ns.adobe.com/xap/1.0/\0", 29);
  Bytes exif;
  std::string_view xmp;
  for (jpeg_saved_marker_ptr marker = decoder.info.marker_list; marker; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (exif.empty() && data.starts_with(exif_mark)) exif = std::as_bytes(std::span(data));
    if (data.starts_with(xmp_mark)) xmp = data.substr(xmp_mark.size());
  }
  return orientation_of(exif, xmp);
}

}  // namespace

void cmyk_to_rgb(const uint8_t* in, uint8_t* out, int64_t count, bool inverted) {
  const int flip = inverted ? 0 : 255;
  for (int64_t i = 0; i < count; ++i, in += 4, out += 3) {
    const int white = in[3] ^ flip;  // 255 - K
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - (in[c] ^ flip)) * white + 128;
      const int value = white - (((product >> 8) + product) >> 8);
      out[c] = static_cast<uint8_t>(value < 0 ? 0 : value);
    }
  }
}

Decoded decode_jpeg(Bytes bytes, const Reduction& reduction) {
  const auto decoder = std::make_unique<Decoder>();
  if (!read_header(*decoder, bytes)) fail_jpeg(*decoder);
  check_size(decoder->info.image_width, decoder->info.image_height);
  const int components = decoder->info.num_components;
  if (components != 1 && components != 3 && components != 4) fail(ErrorKind::input, "JPEG of {} components, not 1, 3 or 4", components);

  Decoded picture;
  picture.orientation = orientation_in(*decoder);
  Size size{decoder->info.image_width, decoder->info.image_height};
  if (picture.orientation > 4) std::swap(size.width, size.height);  // it is turned on its side
  if (!start(*decoder, reduction ? reduction(size) : 1)) fail_jpeg(*decoder);
  picture.width = decoder->info.output_width;
  picture.height = decoder->info.output_height;
  const size_t count = static_cast<size_t>(picture.width * picture.height);
  picture.pixels.resize(3 * count);
  if (components != 4) {
    if (!read_rows(*decoder, picture.pixels.data())) fail_jpeg(*decoder);
    return picture;
  }
  std::vector<uint8_t> cmyk(4 * count);
  if (!read_rows(*decoder, cmyk.data())) fail_jpeg(*decoder);
  // Files store CMYK inverted, as Adobe does; Pillow assumes it of all.
  cmyk_to_rgb(cmyk.data(), picture.pixels.data(), static_cast<int64_t>(count), true);
  return picture;
}

}  // namespace fovea::image
