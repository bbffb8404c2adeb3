// Pictures in a page: small, and in the page itself.
#pragma once

#include <fovea/image.h>

#include <string>

namespace fovea::report {

// The picture made smaller, to at most 200 pixels a side; its shape is kept.
Image thumbnail(const Image& picture);
// <img> with the picture as a JPEG in a data URI; `words` stand for it where it cannot be seen.
std::string picture_element(const Image& small, const std::string& words);

}  // namespace fovea::report
