// In place of jpeg2000.cpp where the build has no OpenJPEG.
#include "base/error.h"
#include "image/codecs.h"

namespace fovea::image {

bool has_jpeg2000() { return false; }

std::string jpeg2000_version() { return {}; }

Decoded decode_jpeg2000(Bytes) { fail(ErrorKind::internal, "a build without OpenJPEG decodes JPEG 2000"); }

}  // namespace fovea::image
