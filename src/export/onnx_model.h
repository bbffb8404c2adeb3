// An ONNX model in memory, as plain as its file: what the exporter fills and the writer writes.
#pragma once

#include <fovea/tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace fovea::onnx {

// The first version with everything that is written here: LayerNormalization came with 17, antialiasing in Resize with 18.
constexpr int64_t kOpset = 18;
constexpr int64_t kIrVersion = 8;  // what came with that operator set (ONNX 1.13)

struct Attribute {
  std::string name;
  std::variant<int64_t, float, std::string, std::vector<int64_t>> value;
};
using Attributes = std::vector<Attribute>;

struct Node {
  std::string op, name;
  std::vector<std::string> inputs, outputs;  // an empty input is an optional one left out
  Attributes attributes;
};

struct Initializer {
  std::string name;
  Tensor tensor;
};

// An input or output of the whole.
struct Port {
  static constexpr int64_t kFree = -1;
  struct Dimension {
    int64_t size = kFree;
    std::string name = {};  // of a free one
  };
  std::string name;
  DType dtype = DType::f32;
  std::vector<Dimension> shape;
};

struct OnnxModel {
  std::string name, version;  // of the network, of fovea
  std::vector<Port> inputs, outputs;
  std::vector<Node> nodes;  // in topological order
  std::vector<Initializer> initializers;
  std::map<std::string, std::string> metadata;
};

}  // namespace fovea::onnx
