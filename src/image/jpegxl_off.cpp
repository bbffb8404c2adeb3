// In place of jpegxl.cpp where the build has no libjxl.
#include "base/error.h"
#include "image/codecs.h"

namespace fovea::image {

bool has_jpegxl() { return false; }

std::string jpegxl_version() { return {}; }

Decoded decode_jpegxl(Bytes) { fail(ErrorKind::internal, "a build without libjxl decodes JPEG XL"); }

}  // namespace fovea::image
