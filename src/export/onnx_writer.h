// The bytes of an ONNX file: Protocol Buffers by the field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
#pragma once

#include <string>

#include "export/onnx_model.h"

namespace fovea::onnx {

// Throws Error(unsupported) where the weights exceed the 2 GB that Protocol Buffers allow.
std::string serialize(const OnnxModel& model);

}  // namespace fovea::onnx
