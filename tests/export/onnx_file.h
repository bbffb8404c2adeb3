// Reads an ONNX file back: as much of it as tests look at.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fovea::onnx {

struct FileNode {
  std::string op, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, int64_t> ints;  // attributes that are one integer
};

struct FileTensor {
  std::vector<int64_t> shape;
  int64_t type = 0;
  std::string bytes;
};

struct FileValue {
  std::string name;
  int64_t type = 0;
  std::vector<std::string> shape;  // numbers and names
};

struct File {
  int64_t ir_version = 0, opset = 0;
  std::string producer, version, name;
  std::vector<FileNode> nodes;
  std::map<std::string, FileTensor> initializers;
  std::vector<FileValue> inputs, outputs;
  std::map<std::string, std::string> metadata;

  int64_t count(const std::string& op) const;
};

File read_file(const std::string& path);

}  // namespace fovea::onnx
