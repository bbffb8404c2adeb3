// GIF by giflib: the first frame on its screen, as Pillow shows it.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "image/codecs.h"

namespace fovea::image {
namespace {

struct Close {
  void operator()(GifFileType* file) const {
    int ignored = 0;
    DGifCloseFile(file, &ignored);
  }
};

int read_bytes(GifFileType* file, GifByteType* out, int count) {
  Bytes& rest = *static_cast<Bytes*>(file->UserData);
  const size_t given = std::min(rest.size(), static_cast<size_t>(std::max(count, 0)));
  if (given > 0) std::memcpy(out, rest.data(), given);
  rest = rest.subspan(given);
  return static_cast<int>(given);
}

[[noreturn]] void fail_gif(int code, bool at_end) {
  const char* reason = GifErrorString(code);
  fail(ErrorKind::input, "{} GIF: {}", at_end ? "truncated" : "damaged", reason ? reason : "not readable");
}

// The first frame: its place, its indices (in file order, rows of an interlaced frame not yet sorted) and its transparent index.
struct Frame {
  int64_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  int transparent = -1;
  std::array<std::array<uint8_t, 3>, 256> palette;
  std::vector<uint8_t> indices;
};

class Parser {
 public:
  explicit Parser(Bytes bytes) : rest_(bytes) {
    int code = 0;
    file_.reset(DGifOpen(&rest_, read_bytes, &code));
    if (!file_) fail_gif(code, rest_.empty());
  }

  int64_t screen_width() const { return file_->SWidth; }
  int64_t screen_height() const { return file_->SHeight; }

  Frame first_frame() {
    Frame frame;
    for (;;) {
      GifRecordType type = UNDEFINED_RECORD_TYPE;
      check(DGifGetRecordType(file_.get(), &type));
      if (type == IMAGE_DESC_RECORD_TYPE) break;
      if (type == EXTENSION_RECORD_TYPE) read_extension(frame);
      if (type == TERMINATE_RECORD_TYPE) fail(ErrorKind::input, "GIF without a picture in it");
    }
    check(DGifGetImageDesc(file_.get()));
    const GifImageDesc& place = file_->Image;
    frame.left = place.Left;
    frame.top = place.Top;
    frame.width = place.Width;
    frame.height = place.Height;
    frame.interlaced = place.Interlace;
    check_size(frame.width, frame.height);
    set_palette(frame, place.ColorMap ? place.ColorMap : file_->SColorMap);
    return frame;
  }

  void read_indices(Frame& frame) {
    frame.indices.resize(static_cast<size_t>(frame.width * frame.height));
    for (int64_t y = 0; y < frame.height; ++y) {
      check(DGifGetLine(file_.get(), frame.indices.data() + y * frame.width, static_cast<int>(frame.width)));
    }
  }

 private:
  void check(int result) const {
    if (result == GIF_ERROR) fail_gif(file_->Error, rest_.empty());
  }

  void read_extension(Frame& frame) {
    int code = 0;
    GifByteType* block = nullptr;  // its first byte is its length
    check(DGifGetExtension(file_.get(), &code, &block));
    if (code == GRAPHICS_EXT_FUNC_CODE && block && block[0] >= 4) frame.transparent = (block[1] & 1) ? block[4] : -1;
    while (block) check(DGifGetExtensionNext(file_.get(), &block));
  }

  // Indices beyond the file's palette are grey, as in Pillow.
  static void set_palette(Frame& frame, const ColorMapObject* colors) {
    for (int i = 0; i < 256; ++i) frame.palette[i].fill(static_cast<uint8_t>(i));
    for (int i = 0; colors && i < std::min(colors->ColorCount, 256); ++i) {
      frame.palette[i] = {colors->Colors[i].Red, colors->Colors[i].Green, colors->Colors[i].Blue};
    }
  }

  Bytes rest_;
  std::unique_ptr<GifFileType, Close> file_;
};

// For each row in file order, where it belongs.
std::vector<int64_t> row_places(const Frame& frame) {
  std::vector<int64_t> places;
  places.reserve(static_cast<size_t>(frame.height));
  if (!frame.interlaced) {
    for (int64_t y = 0; y < frame.height; ++y) places.push_back(y);
    return places;
  }
  constexpr int64_t starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass) {
    for (int64_t y = starts[pass]; y < frame.height; y += steps[pass]) places.push_back(y);
  }
  return places;
}

}  // namespace

Decoded decode_gif(Bytes bytes) {
  Parser parser(bytes);
  Frame frame = parser.first_frame();
  Decoded picture;
  picture.width = std::max(parser.screen_width(), frame.left + frame.width);
  picture.height = std::max(parser.screen_height(), frame.top + frame.height);
  picture.channels = frame.transparent >= 0 ? 4 : 3;
  check_size(picture.width, picture.height);
  parser.read_indices(frame);

  // Outside the frame the screen shows the transparent index, or index 0.
  const auto paint = [&](int index, uint8_t* out) {
    std::copy_n(frame.palette[static_cast<size_t>(index)].data(), 3, out);
    if (picture.channels == 4) out[3] = index == frame.transparent ? 0 : 255;
  };
  picture.pixels.resize(static_cast<size_t>(picture.width * picture.height * picture.channels));
  if (frame.width != picture.width || frame.height != picture.height) {
    uint8_t around[4];
    paint(std::max(frame.transparent, 0), around);
    for (size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = around[i % static_cast<size_t>(picture.channels)];
  }
  const std::vector<int64_t> places = row_places(frame);
  for (int64_t y = 0; y < frame.height; ++y) {
    const uint8_t* in = frame.indices.data() + y * frame.width;
    uint8_t* out = picture.pixels.data() + ((frame.top + places[static_cast<size_t>(y)]) * picture.width + frame.left) * picture.channels;
    for (int64_t x = 0; x < frame.width; ++x, out += picture.channels) paint(in[x], out);
  }
  return picture;
}

}  // namespace fovea::image
