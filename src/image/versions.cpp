// stdio first: jpeglib.h wants its FILE.
#include <cstdio>

#include <jpeglib.h>

#include <webp/decode.h>

#include <fmt/format.h>

#include "image/codecs.h"

namespace fovea::image {

std::string decoder_versions() {
  return fmt::format("libjpeg-turbo {}, libwebp {:#x}{}{}{}", LIBJPEG_TURBO_VERSION_NUMBER, WebPGetDecoderVersion(), heif_version(),
                     jpeg2000_version(), jpegxl_version());
}

}  // namespace fovea::image
