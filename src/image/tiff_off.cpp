// In place of tiff.cpp where the build has no libtiff.
#include "base/error.h"
#include "image/codecs.h"

namespace fovea::image {

bool has_tiff() { return false; }

Decoded decode_tiff(Bytes, int64_t) { fail(ErrorKind::internal, "a build without libtiff decodes a TIFF"); }

}  // namespace fovea::image
