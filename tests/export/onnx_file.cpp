#include "export/onnx_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <protozero/pbf_reader.hpp>

namespace fovea::onnx {
namespace {

using Reader = protozero::pbf_reader;

FileNode read_node(Reader in) {
  FileNode node;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        node.inputs.push_back(in.get_string());
        break;
      case 2:
        node.outputs.push_back(in.get_string());
        break;
      case 3:
        node.name = in.get_string();
        break;
      case 4:
        node.op = in.get_string();
        break;
      case 5: {
        Reader attribute = in.get_message();
        std::string name;
        while (attribute.next()) {
          if (attribute.tag() == 1)
            name = attribute.get_string();
          else if (attribute.tag() == 3)
            node.ints[name] = attribute.get_int64();
          else
            attribute.skip();
        }
        break;
      }
      default:
        in.skip();
    }
  }
  return node;
}

std::pair<std::string, FileTensor> read_tensor(Reader in) {
  std::pair<std::string, FileTensor> named;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        named.second.shape.push_back(in.get_int64());
        break;
      case 2:
        named.second.type = in.get_int32();
        break;
      case 8:
        named.first = in.get_string();
        break;
      case 9:
        named.second.bytes = in.get_bytes();
        break;
      default:
        in.skip();
    }
  }
  return named;
}

FileValue read_value(Reader in) {
  FileValue value;
  while (in.next()) {
    if (in.tag() == 1) {
      value.name = in.get_string();
      continue;
    }
    Reader type = in.get_message();
    type.next(1);
    Reader tensor = type.get_message();
    while (tensor.next()) {
      if (tensor.tag() == 1) {
        value.type = tensor.get_int32();
        continue;
      }
      Reader shape = tensor.get_message();
      while (shape.next(1)) {
        Reader dim = shape.get_message();
        dim.next();
        value.shape.push_back(dim.tag() == 1 ? std::to_string(dim.get_int64()) : dim.get_string());
      }
    }
  }
  return value;
}

void read_graph(Reader in, File& file) {
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        file.nodes.push_back(read_node(in.get_message()));
        break;
      case 2:
        file.name = in.get_string();
        break;
      case 5:
        file.initializers.insert(read_tensor(in.get_message()));
        break;
      case 11:
        file.inputs.push_back(read_value(in.get_message()));
        break;
      case 12:
        file.outputs.push_back(read_value(in.get_message()));
        break;
      default:
        in.skip();
    }
  }
}

}  // namespace

int64_t File::count(const std::string& op) const {
  return std::count_if(nodes.begin(), nodes.end(), [&](const FileNode& node) { return node.op == op; });
}

File read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  File file;
  Reader in(text);
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        file.ir_version = in.get_int64();
        break;
      case 2:
        file.producer = in.get_string();
        break;
      case 3:
        file.version = in.get_string();
        break;
      case 7:
        read_graph(in.get_message(), file);
        break;
      case 8: {
        Reader opset = in.get_message();
        while (opset.next())
          if (opset.tag() == 2)
            file.opset = opset.get_int64();
          else
            opset.skip();
        break;
      }
      case 14: {
        Reader entry = in.get_message();
        std::string key;
        while (entry.next())
          if (entry.tag() == 1)
            key = entry.get_string();
          else
            file.metadata[key] = entry.get_string();
        break;
      }
      default:
        in.skip();
    }
  }
  return file;
}

}  // namespace fovea::onnx
