// TIFF by libtiff: its blocks are unpacked here, with the values that Pillow has for them; what stores colours as YCbCr or CIE L*a*b* is
// converted by libtiff itself.
#define TIFF_DISABLE_DEPRECATED
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "image/codecs.h"
#include "image/exif.h"
#include "image/free_with.h"

namespace fovea::image {
namespace by_libtiff {
namespace {

constexpr tmsize_t most_bytes_at_once = tmsize_t{1} << 31;
constexpr int most_samples = 16;

// A file in memory, and what libtiff said of it first.
struct Source {
  Bytes bytes;
  uint64_t at = 0;
  bool past_end = false;
  std::string message = {};
};

Source& source_of(thandle_t handle) { return *static_cast<Source*>(handle); }

tmsize_t read_some(thandle_t handle, void* out, tmsize_t count) {
  Source& source = source_of(handle);
  const uint64_t left = source.at < source.bytes.size() ? source.bytes.size() - source.at : 0;
  const auto given = std::min(static_cast<uint64_t>(std::max<tmsize_t>(count, 0)), left);
  source.past_end = source.past_end || given < static_cast<uint64_t>(count);
  if (given > 0) std::memcpy(out, source.bytes.data() + source.at, given);
  source.at += given;
  return static_cast<tmsize_t>(given);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  Source& source = source_of(handle);
  source.at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? source.at + offset : source.bytes.size() + offset;
  source.past_end = source.past_end || source.at > source.bytes.size();
  return source.at;
}

int close_nothing(thandle_t) { return 0; }
toff_t size_of(thandle_t handle) { return source_of(handle).bytes.size(); }
int map_nothing(thandle_t, void**, toff_t*) { return 0; }
void unmap_nothing(thandle_t, void*, toff_t) {}

// libtiff says "at scanline 4294967295" and ", col 4294967295" where it reads a whole block and knows of no row.
std::string without_unknown_place(std::string text) {
  constexpr std::string_view kUnknown = " 4294967295";
  for (const std::string_view before : {" at scanline", " at row", ", row", ", col"}) {
    const std::string place = std::string(before) + std::string(kUnknown);
    if (const size_t found = text.find(place); found != std::string::npos) text.erase(found, place.size());
  }
  return text;
}

int on_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  Source& source = *static_cast<Source*>(user);
  if (!source.message.empty()) return 1;
  char text[200];
  std::vsnprintf(text, sizeof text, format, arguments);
  source.message = without_unknown_place(text);
  return 1;  // the handlers of the process are not called
}

int on_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

[[noreturn]] void fail_tiff(const Source& source, const char* otherwise = "its data is not readable") {
  fail(ErrorKind::input, "{} TIFF: {}", source.past_end ? "truncated" : "damaged", source.message.empty() ? otherwise : source.message);
}

using File = std::unique_ptr<TIFF, FreeWith<TIFFClose>>;

File open_file(Source& source) {
  const std::unique_ptr<TIFFOpenOptions, FreeWith<TIFFOpenOptionsFree>> options(TIFFOpenOptionsAlloc());
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), most_bytes_at_once);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &source);
  File file(TIFFClientOpenExt("", "rmO", &source, read_some, write_nothing, seek, close_nothing, size_of, map_nothing, unmap_nothing,
                              options.get()));
  if (!file) fail_tiff(source, "its header is not readable");
  return file;
}

struct Layout {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = 0, planes = PLANARCONFIG_CONTIG, compression = 1;
  std::vector<uint16_t> extra;  // what the samples beyond the colours are

  // Of grey and palettes one, of RGB three, of CMYK four.
  int colors() const { return photometric == PHOTOMETRIC_RGB ? 3 : photometric == PHOTOMETRIC_SEPARATED ? 4 : 1; }
  bool grey() const { return photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE; }
  bool wide() const { return grey() && (bits > 8 || format == SAMPLEFORMAT_IEEEFP); }
  // The kind of the first sample beyond the colours: alpha where RGB has one and does not say what it is.
  uint16_t beyond() const {
    if (!extra.empty()) return extra[0];
    return photometric == PHOTOMETRIC_RGB && samples == 4 ? EXTRASAMPLE_UNASSALPHA : EXTRASAMPLE_UNSPECIFIED;
  }
  bool alpha() const {
    constexpr uint16_t corel_draw = 999;
    return photometric != PHOTOMETRIC_SEPARATED && !wide() && samples > colors() &&
           (beyond() == EXTRASAMPLE_ASSOCALPHA || beyond() == EXTRASAMPLE_UNASSALPHA || beyond() == corel_draw);
  }
  int used() const { return wide() ? 1 : colors() + alpha(); }
};

Layout layout_of(TIFF* file, const Source& source) {
  Layout layout;
  if (!TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &layout.width) || !TIFFGetField(file, TIFFTAG_IMAGELENGTH, &layout.height))
    fail_tiff(source, "it does not say how large it is");
  check_size(layout.width, layout.height);
  TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &layout.bits);
  TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
  TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &layout.format);
  TIFFGetFieldDefaulted(file, TIFFTAG_PLANARCONFIG, &layout.planes);
  TIFFGetFieldDefaulted(file, TIFFTAG_COMPRESSION, &layout.compression);
  if (!TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &layout.photometric)) layout.photometric = PHOTOMETRIC_MINISWHITE;
  uint16_t count = 0, *kinds = nullptr;
  if (TIFFGetField(file, TIFFTAG_EXTRASAMPLES, &count, &kinds) && kinds) layout.extra.assign(kinds, kinds + count);
  return layout;
}

// Samples as they lie in a row of a block, the machine's byte order.
double sample_at(const uint8_t* row, size_t i, const Layout& layout) {
  const auto as = [&]<class T>(T value) {
    std::memcpy(&value, row + sizeof(T) * i, sizeof(T));
    return static_cast<double>(value);
  };
  switch (layout.bits) {
    case 8:
      return row[i];
    case 12: {
      const uint8_t* at = row + i / 2 * 3;
      return i % 2 == 0 ? at[0] << 4 | at[1] >> 4 : (at[1] & 15) << 8 | at[2];
    }
    case 16:
      return layout.format == SAMPLEFORMAT_INT ? as(int16_t{}) : as(uint16_t{});
    case 32:
      return layout.format == SAMPLEFORMAT_IEEEFP ? as(float{}) : as(int32_t{});  // Pillow takes 32 bits for signed
    case 64:
      return as(double{});
    default: {
      const size_t bit = i * layout.bits;
      return row[bit / 8] >> (8 - layout.bits - bit % 8) & ((1 << layout.bits) - 1);
    }
  }
}

bool is_read(const Layout& layout) {
  const uint16_t bits = layout.bits;
  const bool floats = layout.format == SAMPLEFORMAT_IEEEFP;
  if (layout.format != SAMPLEFORMAT_UINT && layout.format != SAMPLEFORMAT_INT && layout.format != SAMPLEFORMAT_VOID && !floats)
    return false;
  if (layout.samples < layout.colors() || layout.samples > most_samples) return false;
  if (layout.grey())
    return floats ? bits == 32 || bits == 64 : bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 12 || bits == 16 || bits == 32;
  if (floats) return false;
  if (layout.photometric == PHOTOMETRIC_PALETTE) return bits == 1 || bits == 2 || bits == 4 || bits == 8;
  return bits == 8 || bits == 16;
}

// Where the blocks' samples go: of each pixel those that are used, in 8 bits, or one float.
class Samples {
 public:
  explicit Samples(const Layout& layout) : layout_(layout), used_(static_cast<size_t>(layout.used())) {}

  // The part of a block that lies in the picture; `first`: which sample it begins with, `stored`: how many of a pixel it has.
  void put(const uint8_t* block, size_t row_bytes, uint32_t x0, uint32_t y0, uint32_t columns, uint32_t rows, size_t first, size_t stored) {
    const size_t pixels = size_t{layout_.width} * layout_.height;
    if (layout_.wide())
      wide.resize(pixels);
    else
      bytes.resize(used_ * pixels);
    const size_t last = std::min(used_, first + stored);
    for (uint32_t y = 0; y < rows; ++y) {
      const uint8_t* row = block + row_bytes * y;
      const size_t out = size_t{y0 + y} * layout_.width + x0;
      for (uint32_t x = 0; x < columns; ++x) {
        for (size_t s = first; s < last; ++s) {
          const size_t in = x * stored + (s - first);
          if (layout_.wide())
            wide[out + x] = static_cast<float>(sample_at(row, in, layout_));
          else if (layout_.bits == 16)
            bytes[used_ * (out + x) + s] = static_cast<uint8_t>(static_cast<uint16_t>(sample_at(row, in, layout_)) >> 8);
          else
            bytes[used_ * (out + x) + s] = layout_.bits == 8 ? row[in] : static_cast<uint8_t>(sample_at(row, in, layout_));
        }
      }
    }
  }

  std::vector<uint8_t> bytes;
  std::vector<float> wide;

 private:
  const Layout& layout_;
  const size_t used_;
};

struct Block {
  uint32_t columns = 0, rows = 0;  // of a whole one
  bool tiled = false;
  size_t bytes = 0, row_bytes = 0;
};

Block block_of(TIFF* file, const Layout& layout, const Source& source) {
  Block block;
  block.tiled = TIFFIsTiled(file) != 0;
  if (block.tiled) {
    TIFFGetField(file, TIFFTAG_TILEWIDTH, &block.columns);
    TIFFGetField(file, TIFFTAG_TILELENGTH, &block.rows);
    if (block.columns == 0 || block.rows == 0 || block.columns > max_pixels / block.rows) fail_tiff(source, "its tiles are not possible");
    block.bytes = static_cast<size_t>(std::max<tmsize_t>(TIFFTileSize(file), 0));
    block.row_bytes = static_cast<size_t>(std::max<tmsize_t>(TIFFTileRowSize(file), 0));
  } else {
    block.columns = layout.width;
    TIFFGetFieldDefaulted(file, TIFFTAG_ROWSPERSTRIP, &block.rows);
    block.rows = std::min(block.rows, layout.height);
    block.bytes = static_cast<size_t>(std::max<tmsize_t>(TIFFStripSize(file), 0));
    block.row_bytes = static_cast<size_t>(std::max<tmsize_t>(TIFFScanlineSize(file), 0));
  }
  if (block.bytes > static_cast<size_t>(most_bytes_at_once)) fail_tiff(source, "its blocks are too large");
  const size_t stored = layout.planes == PLANARCONFIG_CONTIG ? layout.samples : 1;
  const size_t row = (size_t{block.columns} * stored * layout.bits + 7) / 8;
  if (block.rows == 0 || block.row_bytes < row || block.bytes / block.rows < row) fail_tiff(source, "its rows are too short");
  return block;
}

Samples read_samples(TIFF* file, const Layout& layout, Source& source) {
  const Block block = block_of(file, layout, source);
  const bool contiguous = layout.planes == PLANARCONFIG_CONTIG;
  const std::unique_ptr<uint8_t[]> buffer(new uint8_t[block.bytes]);
  Samples samples(layout);
  for (int plane = 0; plane < (contiguous ? 1 : layout.used()); ++plane) {
    for (uint32_t y = 0; y < layout.height; y += block.rows) {
      for (uint32_t x = 0; x < layout.width; x += block.columns) {
        const uint32_t columns = std::min(block.columns, layout.width - x), rows = std::min(block.rows, layout.height - y);
        const auto wanted = static_cast<tmsize_t>(block.tiled ? block.bytes : block.row_bytes * rows);
        const auto number = static_cast<uint16_t>(plane);
        const tmsize_t got = block.tiled ? TIFFReadEncodedTile(file, TIFFComputeTile(file, x, y, 0, number), buffer.get(), wanted)
                                         : TIFFReadEncodedStrip(file, TIFFComputeStrip(file, y, number), buffer.get(), wanted);
        if (got != wanted) fail_tiff(source);
        samples.put(buffer.get(), block.row_bytes, x, y, columns, rows, static_cast<size_t>(plane), contiguous ? layout.samples : 1);
      }
    }
  }
  return samples;
}

// Of premultiplied colours, as Pillow has them.
uint8_t divided(uint8_t value, uint8_t alpha) { return alpha == 0 ? 0 : static_cast<uint8_t>(std::min(255, value * 255 / alpha)); }

std::array<uint16_t*, 3> color_map(TIFF* file, const Source& source) {
  std::array<uint16_t*, 3> map{};
  if (!TIFFGetField(file, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2])) fail_tiff(source, "it has no palette");
  return map;
}

void set_pixels(TIFF* file, const Layout& layout, const std::vector<uint8_t>& samples, const Source& source, Decoded& picture) {
  const size_t count = size_t{layout.width} * layout.height, used = static_cast<size_t>(layout.used());
  if (layout.photometric == PHOTOMETRIC_SEPARATED) {
    picture.pixels.resize(3 * count);
    cmyk_to_rgb(samples.data(), picture.pixels.data(), static_cast<int64_t>(count), false);
    return;
  }
  std::array<std::array<uint8_t, 3>, 256> colors{};
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    const auto map = color_map(file, source);
    for (size_t i = 0; i < size_t{1} << layout.bits; ++i)
      for (size_t c = 0; c < 3; ++c) colors[i][c] = static_cast<uint8_t>(map[c][i] >> 8);
  } else if (layout.grey()) {
    const unsigned most = (1u << layout.bits) - 1, flip = layout.photometric == PHOTOMETRIC_MINISWHITE ? 255 : 0;
    for (unsigned i = 0; i <= most; ++i) colors[i].fill(static_cast<uint8_t>((i * (255 / most)) ^ flip));
  }
  picture.channels = layout.alpha() ? 4 : 3;
  picture.pixels.resize(static_cast<size_t>(picture.channels) * count);
  uint8_t* out = picture.pixels.data();
  for (size_t i = 0; i < count; ++i, out += picture.channels) {
    const uint8_t* in = samples.data() + used * i;
    std::copy_n(layout.colors() == 3 ? in : colors[in[0]].data(), 3, out);
    if (!layout.alpha()) continue;
    out[3] = in[layout.colors()];
    if (layout.beyond() == EXTRASAMPLE_ASSOCALPHA)
      for (int c = 0; c < 3; ++c) out[c] = divided(out[c], out[3]);
  }
}

// By libtiff's own conversion, not turned.
void read_converted(TIFF* file, const Layout& layout, const Source& source, Decoded& picture) {
  char message[1024] = "";
  TIFFRGBAImage image;
  if (!TIFFRGBAImageOK(file, message) || !TIFFRGBAImageBegin(&image, file, 1, message))
    fail(ErrorKind::input, "TIFF of a kind that fovea does not read: {}", message);
  const std::unique_ptr<TIFFRGBAImage, FreeWith<TIFFRGBAImageEnd>> end(&image);
  image.req_orientation = image.orientation;
  const size_t count = size_t{layout.width} * layout.height;
  std::vector<uint32_t> raster(count);
  if (!TIFFRGBAImageGet(&image, raster.data(), layout.width, layout.height)) fail_tiff(source);
  picture.pixels.resize(3 * count);
  for (size_t i = 0; i < count; ++i) {
    picture.pixels[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    picture.pixels[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    picture.pixels[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
}

int orientation_in(TIFF* file) {
  uint16_t orientation = 0;
  if (TIFFGetField(file, TIFFTAG_ORIENTATION, &orientation)) return orientation >= 1 && orientation <= 8 ? orientation : 1;
  uint32_t size = 0;
  const char* xmp = nullptr;
  return TIFFGetField(file, TIFFTAG_XMLPACKET, &size, &xmp) && xmp ? orientation_of({}, {xmp, size}) : 1;
}

void go_to_page(TIFF* file, int64_t page, const Source& source) {
  if (page <= 1) return;
  const int64_t count = TIFFNumberOfDirectories(file);
  if (page > count) fail(ErrorKind::input, "page {} of a TIFF, which has {}", page, count);
  if (!TIFFSetDirectory(file, static_cast<tdir_t>(page - 1))) fail_tiff(source, "its directory is not readable");
}

}  // namespace
}  // namespace by_libtiff

bool has_tiff() { return true; }

Decoded decode_tiff(Bytes bytes, int64_t page) {
  using namespace by_libtiff;
  Source source{bytes};
  const File file = open_file(source);
  if (!TIFFSetDirectory(file.get(), 0)) fail_tiff(source, "its directory is not readable");
  go_to_page(file.get(), page, source);
  Layout layout = layout_of(file.get(), source);
  Decoded picture;
  picture.width = layout.width;
  picture.height = layout.height;
  picture.orientation = orientation_in(file.get());
  const bool jpeg = layout.compression == COMPRESSION_JPEG && layout.planes == PLANARCONFIG_CONTIG;
  if (layout.photometric == PHOTOMETRIC_YCBCR && jpeg && layout.samples == 3 && layout.bits == 8) {
    TIFFSetField(file.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    layout.photometric = PHOTOMETRIC_RGB;
  }
  if (layout.photometric == PHOTOMETRIC_YCBCR || layout.photometric == PHOTOMETRIC_CIELAB) {
    read_converted(file.get(), layout, source, picture);
    return picture;
  }
  const bool known = layout.grey() || layout.photometric == PHOTOMETRIC_PALETTE || layout.photometric == PHOTOMETRIC_RGB ||
                     layout.photometric == PHOTOMETRIC_SEPARATED;
  if (!known || !is_read(layout))
    fail(ErrorKind::input, "TIFF of {} samples of {} bits, sample format {}, photometric interpretation {}, which fovea does not read",
         layout.samples, layout.bits, layout.format, layout.photometric);
  Samples samples = read_samples(file.get(), layout, source);
  picture.wide = std::move(samples.wide);
  if (!layout.wide()) set_pixels(file.get(), layout, samples.bytes, source, picture);
  return picture;
}

}  // namespace fovea::image
