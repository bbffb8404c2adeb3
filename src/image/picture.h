// The picture of a sample, a file or what its source makes.
#pragma once

#include "image/folder.h"
#include "image/inspect.h"

namespace fovea::image {

// These do for any picture what read_for_use and inspect_image do for a file. What a source makes is taken as it is. They throw
// Error(input), which begins with the picture's name, where there is no picture.
Image read_picture(const Sample& sample, const Use& use);
Inspection inspect_picture(const Sample& sample, const Use& use);

}  // namespace fovea::image
