// Networks for other runtimes: ONNX files.
#pragma once

#include <fovea/api.h>
#include <fovea/model.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

struct ExportOptions {
  std::vector<std::string> outputs =
      {};                       // "logits", "pooled", "pre_logits", a tap or a layer; none: the logits, or pre_logits without a head
  bool fold_batch_norm = true;  // into the convolutions before them; false: every batch norm stays a node of its own
  // Resizing, cropping and normalization as nodes too: the input is then u8 [batch,height,width,3], RGB, of any size.
  bool preprocess = false;
};

struct ExportedValue {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;  // -1: free
};

struct ExportResult {
  std::vector<ExportedValue> inputs, outputs;
  int64_t nodes = 0;
  int64_t weights = 0;  // numbers in all
  int64_t opset = 0;
};

// Writes the network as it infers, for any number of pictures of the size of its preprocessing: of the views whose answers the
// preprocessing averages (second_fit, mirrored) one a run. The input is called "image": f32
// [batch,channels,height,width], prepared as `preprocess` does. Outputs have the names asked for: vectors [batch,K], maps [batch,C,H,W],
// tokens [batch,T,C]. Parameters have the library's names where they are unchanged. The metadata holds fovea.architecture, fovea.version,
// fovea.preprocessing (see to_string) and fovea.classes (a JSON list). Written beside and renamed. Throws Error: usage for an output that
// the network does not have, unsupported for weights of more than 2 GB, io.
FOVEA_API ExportResult export_onnx(const Model& model, const std::string& path, const ExportOptions& options = {});

}  // namespace fovea
