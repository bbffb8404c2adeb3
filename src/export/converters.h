// What each operation becomes in ONNX: one converter an operation, one row in the table of converters.cpp.
#pragma once

#include "export/translation.h"

namespace fovea::onnx {

// Appends what the node becomes. Throws Error(unsupported) naming an operation that has no converter.
void convert(Translation& to, const NodeInfo& node);

}  // namespace fovea::onnx
