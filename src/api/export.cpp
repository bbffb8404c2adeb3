#include <fovea/export.h>
#include <fovea/version.h>

#include "api/implementation.h"
#include "backends/reference/reference.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "export/onnx_export.h"
#include "export/onnx_writer.h"

namespace fovea {
namespace {

ExportedValue to_exported(const onnx::Port& port) {
  ExportedValue value{port.name, port.dtype, {}};
  for (const onnx::Port::Dimension& dimension : port.shape) value.shape.push_back(dimension.size);
  return value;
}

}  // namespace

ExportResult export_onnx(const Model& model, const std::string& path, const ExportOptions& options) {
  require_ending(path, ".onnx", "a network in ONNX's operators");
  require_writable(path);
  return in_context("exporting " + model.name(), [&] {
    onnx::OnnxModel exported = onnx::translate(model.implementation().network(), reference::reference_backend(), options);
    exported.version = FOVEA_VERSION;
    exported.metadata["fovea.version"] = FOVEA_VERSION;
    write_text(path, onnx::serialize(exported));
    ExportResult result;
    for (const onnx::Port& port : exported.inputs) result.inputs.push_back(to_exported(port));
    for (const onnx::Port& port : exported.outputs) result.outputs.push_back(to_exported(port));
    result.nodes = static_cast<int64_t>(exported.nodes.size());
    for (const onnx::Initializer& one : exported.initializers) result.weights += one.tensor.size();
    result.opset = onnx::kOpset;
    return result;
  });
}

}  // namespace fovea
