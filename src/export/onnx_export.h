// A network with its weights as an ONNX model.
#pragma once

#include <fovea/export.h>

#include "backend/backend.h"
#include "engine/network.h"
#include "export/onnx_model.h"

namespace fovea::onnx {

// `constants` computes what follows from weights alone (folded, standardized, resized ones).
OnnxModel translate(const engine::Network& network, const backend::Backend& constants, const ExportOptions& options);

}  // namespace fovea::onnx
