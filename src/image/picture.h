// The picture of a sample, a file or what its source makes.
#pragma once

#include "image/folder.h"
#include "image/inspect.h"

namespace fovea::image {

// As read_for_use and inspect_image have it of a file. What a source makes is taken as it is. Throw Error(input), beginning with the
// picture's name, where there is none to see.
Image read_picture(const Sample& sample, const Use& use);
Inspection inspect_picture(const Sample& sample, const Use& use);

}  // namespace fovea::image
