// PNG by libspng: every colour type and depth, interlaced or not; of 16 bits the high byte. Written as 8-bit RGB.
#include <spng.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "image/bytes.h"
#include "image/codecs.h"
#include "image/exif.h"
#include "image/free_with.h"
#include "image/resize.h"

namespace fovea {
namespace image {
namespace {

using Context = std::unique_ptr<spng_ctx, FreeWith<spng_ctx_free>>;

constexpr size_t max_chunk_bytes = size_t{64} << 20;  // of colour profiles and texts, which are read past
constexpr int64_t deflate_best_ratio = 1032;          // no stream of n bytes holds more than 1032 n

void check(int code) {
  if (code == SPNG_OK) return;
  if (code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT) fail(ErrorKind::input, "truncated PNG: {}", spng_strerror(code));
  fail(ErrorKind::input, "damaged PNG: {}", spng_strerror(code));
}

// The chunks of a PNG in their order, as far as they are whole: visit(name, content, the whole chunk).
template <class Visit>
void for_each_chunk(Bytes bytes, Visit&& visit) {
  constexpr size_t signature = 8, around = 12;  // a chunk's length, name and checksum
  const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (size_t at = signature; at + around <= file.size();) {
    const size_t length = u32_big(bytes, at);
    if (length > file.size() - at - around) return;
    visit(file.substr(at + 4, 4), file.substr(at + 8, length), bytes.subspan(at, around + length));
    at += around + length;
  }
}

// Whether a chunk has a part in the pixels or in how they are turned.
bool matters(std::string_view name, std::string_view content) {
  return (name[0] >= 'A' && name[0] <= 'Z') || name == "eXIf" || name == "tRNS" || content.starts_with("Raw profile type exif") ||
         content.starts_with("XML:com.adobe.xmp");
}

// libspng gives up after 1000 chunks of text and the like. Of a file with many of them a copy without those; of others nothing.
std::vector<std::byte> without_texts(Bytes bytes) {
  constexpr size_t many = 500;
  size_t texts = 0;
  for_each_chunk(bytes, [&](std::string_view name, std::string_view content, Bytes) { texts += !matters(name, content); });
  if (texts < many) return {};
  std::vector<std::byte> copy(bytes.begin(), bytes.begin() + 8);
  size_t end = copy.size();
  for_each_chunk(bytes, [&](std::string_view name, std::string_view content, Bytes chunk) {
    if (matters(name, content)) copy.insert(copy.end(), chunk.begin(), chunk.end());
    end = static_cast<size_t>(chunk.data() + chunk.size() - bytes.data());
  });
  copy.insert(copy.end(), bytes.begin() + static_cast<std::ptrdiff_t>(end), bytes.end());  // what is not whole stays as it is
  return copy;
}

// By the EXIF chunk, by what ImageMagick writes in its place, or by XMP.
int orientation_in(spng_ctx* context) {
  spng_exif exif{};
  uint32_t count = 0;
  std::vector<spng_text> texts;
  if (spng_get_text(context, nullptr, &count) == SPNG_OK) {
    texts.resize(count);
    if (spng_get_text(context, texts.data(), &count) != SPNG_OK) texts.clear();
  }
  std::string_view profile, xmp;
  for (const spng_text& text : texts) {
    const std::string_view keyword(text.keyword, strnlen(text.keyword, sizeof text.keyword));
    if (keyword == "Raw profile type exif") profile = {text.text, text.length};
    if (keyword == "XML:com.adobe.xmp") xmp = {text.text, text.length};
  }
  if (spng_get_exif(context, &exif) == SPNG_OK) return orientation_of({reinterpret_cast<const std::byte*>(exif.data), exif.length}, xmp);
  return orientation_of(exif_of_raw_profile(profile), xmp);
}

// Grey of 16 bits with its values.
std::vector<float> read_wide(spng_ctx* context, size_t pixels) {
  size_t size = 0;
  check(spng_decoded_image_size(context, SPNG_FMT_PNG, &size));
  std::vector<uint16_t> samples(pixels);
  if (size != 2 * pixels) fail(ErrorKind::internal, "{} bytes of {} pixels of 16 bits", size, pixels);
  check(spng_decode_image(context, samples.data(), size, SPNG_FMT_PNG, 0));
  return {samples.begin(), samples.end()};
}

}  // namespace

Decoded decode_png(Bytes bytes, bool wide) {
  const std::vector<std::byte> fewer_chunks = without_texts(bytes);
  if (!fewer_chunks.empty()) bytes = fewer_chunks;
  const Context context(spng_ctx_new(0));
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
  if (wide && header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth == 16) {
    picture.channels = 3;
    picture.wide = read_wide(context.get(), static_cast<size_t>(picture.width * picture.height));
  } else {
    const int format = has_alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    size_t size = 0;
    check(spng_decoded_image_size(context.get(), format, &size));
    picture.pixels.resize(size);
    check(spng_decode_image(context.get(), picture.pixels.data(), size, format, has_alpha ? SPNG_DECODE_TRNS : 0));
  }
  spng_decode_chunks(context.get());  // EXIF may follow the pixels; whatever else is wrong there does not matter any more
  picture.orientation = orientation_in(context.get());
  return picture;
}

}  // namespace image

std::vector<std::byte> encode_png(const Image& image) {
  image::check_rgb(image);
  constexpr int64_t most = INT32_MAX;  // of the format
  if (image.width > most || image.height > most)
    fail(ErrorKind::usage, "{} x {} pixels, at most {} a side", image.width, image.height, most);
  const image::Context context(spng_ctx_new(SPNG_CTX_ENCODER));
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
  const std::unique_ptr<void, image::FreeWith<std::free>> buffer(spng_get_png_buffer(context.get(), &size, &code));
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
