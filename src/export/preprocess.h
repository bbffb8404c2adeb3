// Resizing, cropping and normalization as ONNX nodes.
#pragma once

#include <fovea/preprocess.h>

#include <string>

#include "export/translation.h"

namespace fovea::onnx {

// From `pictures` u8 [N,H,W,3] to f32 [N,3,height,width], by the steps and the rounding of sizes of image/fit.cpp. Resize works on bytes as
// Pillow does; how it rounds them is the runtime's affair (ONNX leaves it open).
std::string preprocess(Translation& to, const Preprocessing& preprocessing, const std::string& pictures);

}  // namespace fovea::onnx
