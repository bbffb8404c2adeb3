#include "image/formats.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include "base/error.h"

namespace fovea::image {
namespace {

bool starts_with(Bytes bytes, std::string_view magic, size_t offset = 0) {
  return bytes.size() >= offset + magic.size() && std::memcmp(bytes.data() + offset, magic.data(), magic.size()) == 0;
}

bool is_webp(Bytes bytes) { return starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8); }
bool is_gif(Bytes bytes) { return starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a"); }

bool is_pnm(Bytes bytes) {
  if (bytes.size() < 3 || !starts_with(bytes, "P")) return false;
  const auto kind = static_cast<char>(bytes[1]), next = static_cast<char>(bytes[2]);
  return ((kind >= '1' && kind <= '7') || kind == 'f') && (next == ' ' || (next >= '\t' && next <= '\r') || next == '#');
}

constexpr std::string_view little_tiff("II*\0", 4), big_tiff("MM\0*", 4), little_bigtiff("II+\0", 4), big_bigtiff("MM\0+", 4);
bool is_tiff(Bytes bytes) {
  return starts_with(bytes, little_tiff) || starts_with(bytes, big_tiff) || starts_with(bytes, little_bigtiff) ||
         starts_with(bytes, big_bigtiff);
}

constexpr std::string_view ico_magic("\0\0\1\0", 4), cur_magic("\0\0\2\0", 4);
bool has_entries(Bytes bytes) { return bytes.size() >= 6 && bytes[5] == std::byte{0} && bytes[4] != std::byte{0}; }
bool is_ico(Bytes bytes) { return starts_with(bytes, ico_magic) && has_entries(bytes); }
bool is_cur(Bytes bytes) { return starts_with(bytes, cur_magic) && has_entries(bytes) && !is_tga(bytes); }

constexpr std::string_view jp2_magic("\0\0\0\x0CjP  \r\n\x87\n", 12), jxl_magic("\0\0\0\x0CJXL \r\n\x87\n", 12);
bool is_jp2(Bytes bytes) { return starts_with(bytes, jp2_magic) || starts_with(bytes, "\xFF\x4F\xFF\x51"); }
bool is_jxl(Bytes bytes) { return starts_with(bytes, jxl_magic) || starts_with(bytes, "\xFF\x0A"); }

// The brand of an ISO base media file, the first or one of the compatible ones.
bool has_brand(Bytes bytes, std::initializer_list<std::string_view> brands, bool first_only = false) {
  if (bytes.size() < 12 || !starts_with(bytes, "ftyp", 4)) return false;
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i) size = size << 8 | std::to_integer<size_t>(bytes[i]);
  const size_t end = first_only ? 12 : std::min({size, bytes.size(), size_t{256}});
  for (size_t at = 8; at + 4 <= end; at += 4) {
    if (at == 12) continue;  // the version
    for (std::string_view brand : brands)
      if (starts_with(bytes, brand, at)) return true;
  }
  return false;
}

bool is_avif(Bytes bytes) { return has_brand(bytes, {"avif", "avis"}); }
bool is_heic(Bytes bytes) { return has_brand(bytes, {"heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"}) && !is_avif(bytes); }

constexpr Format kFormats[] = {
    {"JPEG", "jpg jpeg jpe jfif mpo", [](Bytes b) { return starts_with(b, "\xFF\xD8\xFF"); },
     [](Bytes b, const Wanted& w) { return decode_jpeg(b, w.reduction); }},
    {"PNG", "png apng", [](Bytes b) { return starts_with(b, "\x89PNG\r\n\x1A\n"); },
     [](Bytes b, const Wanted& w) { return decode_png(b, w.wide); }},
    {"WebP", "webp", is_webp, [](Bytes b, const Wanted&) { return decode_webp(b); }},
    {"GIF", "gif", is_gif, [](Bytes b, const Wanted&) { return decode_gif(b); }},
    {"BMP", "bmp dib", [](Bytes b) { return starts_with(b, "BM"); }, [](Bytes b, const Wanted&) { return decode_bmp(b); }},
    {"TIFF", "tif tiff", is_tiff, [](Bytes b, const Wanted& w) { return decode_tiff(b, w.page); }, "libtiff", has_tiff, true},
    {"AVIF", "avif avifs", is_avif, [](Bytes b, const Wanted& w) { return decode_heif(b, w.page, "AVIF"); }, "libheif", has_heif, true},
    {"HEIC", "heic heif hif heics heifs", is_heic, [](Bytes b, const Wanted& w) { return decode_heif(b, w.page, "HEIC"); }, "libheif",
     has_heif, true},
    {"JPEG 2000", "jp2 j2k jpx jpf jpc j2c", is_jp2, [](Bytes b, const Wanted&) { return decode_jpeg2000(b); }, "OpenJPEG", has_jpeg2000},
    {"JPEG XL", "jxl", is_jxl, [](Bytes b, const Wanted&) { return decode_jpegxl(b); }, "libjxl", has_jpegxl},
    {"PNM", "pnm pbm pgm ppm pam pfm", is_pnm, [](Bytes b, const Wanted&) { return decode_pnm(b); }},
    {"ICO", "ico", is_ico, [](Bytes b, const Wanted& w) { return decode_ico(b, w.page); }, "", nullptr, true},
    {"CUR", "cur", is_cur, [](Bytes b, const Wanted& w) { return decode_cur(b, w.page); }, "", nullptr, true},
    {"TGA", "tga icb vda vst tpic", is_tga, [](Bytes b, const Wanted&) { return decode_tga(b); }},
};

// What people have in a folder of pictures beside those that are read.
struct Other {
  std::string_view magic, name;
  size_t offset = 0;
};
constexpr Other kOthers[] = {
    {"8BPS", "a Photoshop document (PSD)"},
    {"DDS ", "a DirectDraw surface (DDS)"},
    {"\x76\x2F\x31\x01", "an OpenEXR picture"},
    {"#?RADIANCE", "a Radiance picture (HDR)"},
    {"#?RGBE", "a Radiance picture (HDR)"},
    {"PF\n", "a PFM picture in colours"},
    {"%PDF", "a PDF document"},
    {"%!PS", "a PostScript document"},
    {"\xC5\xD0\xD3\xC6", "a PostScript document (EPS)"},
    {"DICM", "a DICOM picture", 128},
    {"II\xBC", "a JPEG XR picture"},
    {"FUJIFILMCCD-RAW", "a camera's raw file (RAF)"},
    {"IIRO", "a camera's raw file (ORF)"},
    {std::string_view("IIU\0", 4), "a camera's raw file (RW2)"},
    {"FOVb", "a camera's raw file (X3F)"},
    {"ftypcrx ", "a camera's raw file (CR3)", 4},
    {"gimp xcf", "a GIMP document (XCF)"},
    {"qoif", "a QOI picture"},
    {"FLIF", "a FLIF picture"},
    {"BPG\xFB", "a BPG picture"},
    {"icns", "an icon of macOS (ICNS)"},
    {"farbfeld", "a farbfeld picture"},
    {"\x59\xA6\x6A\x95", "a Sun raster picture"},
    {"\x01\xDA", "an SGI picture"},
    {"\x8AMNG\r\n", "an MNG animation"},
    {"\x8BJNG\r\n", "a JNG picture"},
    {"SIMPLE  =", "a FITS picture"},
    {"\x93NUMPY", "a NumPy array"},
    {"\x89HDF\r\n", "an HDF5 file"},
    {"/* XPM */", "an XPM picture"},
    {"#define ", "an XBM picture or a C header"},
    {"\xD7\xCD\xC6\x9A", "a Windows metafile (WMF)"},
    {"<svg", "an SVG drawing"},
    {"AT&TFORM", "a DjVu document"},
    {"RIFF", "a RIFF file other than WebP"},
    {"ftyp", "a video or another ISO media file", 4},
    {"\x1A\x45\xDF\xA3", "a Matroska or WebM video"},
    {"PK\x03\x04", "a zip archive"},
    {"\x1F\x8B", "a gzip archive"},
};

bool is_svg_with_prologue(Bytes bytes) {
  if (!starts_with(bytes, "<?xml")) return false;
  const auto head = bytes.first(std::min<size_t>(bytes.size(), 1000));
  return std::string_view(reinterpret_cast<const char*>(head.data()), head.size()).find("<svg") != std::string_view::npos;
}

// A TIFF by its first bytes that is a camera's raw file: what it shows as a TIFF is its preview.
bool is_canon_raw(Bytes bytes) { return starts_with(bytes, little_tiff) && starts_with(bytes, "CR\x02", 8); }

// The first bytes for a message: as text where they are, else in hexadecimal.
std::string beginning(Bytes bytes) {
  bytes = bytes.first(std::min<size_t>(bytes.size(), 12));
  std::string text, hex;
  bool printable = true;
  for (std::byte b : bytes) {
    const auto c = static_cast<unsigned char>(b);
    printable = printable && ((c >= 32 && c < 127) || c == '\n' || c == '\r' || c == '\t');
    text += c < 32 ? ' ' : static_cast<char>(c);
    hex += fmt::format("{}{:02x}", hex.empty() ? "" : " ", c);
  }
  return printable ? fmt::format("\"{}\"", text) : hex;
}

const char* article(std::string_view name) { return std::string_view("AEIOU").find(name[0]) != std::string_view::npos ? "an" : "a"; }

}  // namespace

std::span<const Format> formats() { return kFormats; }

const Format& format_of(Bytes bytes) {
  if (is_canon_raw(bytes)) fail(ErrorKind::input, "a camera's raw file (CR2), which fovea does not read");
  for (const Format& format : kFormats) {
    if (!format.begins(bytes)) continue;
    if (!format.is_read())
      fail(ErrorKind::input, "{} {}, which this build of fovea does not read: it was made without {}", article(format.name), format.name,
           format.library);
    return format;
  }
  for (const Other& other : kOthers)
    if (starts_with(bytes, other.magic, other.offset)) fail(ErrorKind::input, "{}, which fovea does not read", other.name);
  if (is_svg_with_prologue(bytes)) fail(ErrorKind::input, "an SVG drawing, which fovea does not read");
  fail(ErrorKind::input, "not a picture (starts with {})", beginning(bytes));
}

Decoded decode_any(Bytes bytes, const Wanted& wanted) {
  if (bytes.empty()) fail(ErrorKind::input, "empty file");
  if (bytes.size() > INT_MAX) fail(ErrorKind::input, "{} bytes, at most {}", bytes.size(), INT_MAX);
  const Format& format = format_of(bytes);
  if (wanted.page > 1 && !format.pages)
    fail(ErrorKind::input, "page {} of {} {}, of which fovea reads the first picture alone", wanted.page, article(format.name),
         format.name);
  return format.decode(bytes, wanted);
}

}  // namespace fovea::image
