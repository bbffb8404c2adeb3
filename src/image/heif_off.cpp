// In place of heif.cpp where the build has no libheif.
#include "base/error.h"
#include "image/codecs.h"

namespace fovea::image {

bool has_heif() { return false; }

std::string heif_version() { return {}; }

Decoded decode_heif(Bytes, int64_t, const char* format) { fail(ErrorKind::internal, "a build without libheif decodes {}", format); }

}  // namespace fovea::image
