#include "export/onnx_writer.h"

#include <bit>
#include <protozero/pbf_builder.hpp>

#include "base/error.h"

namespace fovea::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

using Tag = protozero::pbf_tag_type;
enum class ModelField : Tag { ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8, metadata_props = 14 };
enum class OpsetField : Tag { version = 2 };  // without a domain: ONNX's own operators
enum class EntryField : Tag { key = 1, value = 2 };
enum class GraphField : Tag { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
enum class NodeField : Tag { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
enum class AttributeField : Tag { name = 1, f = 2, i = 3, s = 4, ints = 8, type = 20 };
enum class TensorField : Tag { dims = 1, data_type = 2, name = 8, raw_data = 9 };
enum class ValueField : Tag { name = 1, type = 2 };
enum class TypeField : Tag { tensor_type = 1 };
enum class TensorTypeField : Tag { elem_type = 1, shape = 2 };
enum class ShapeField : Tag { dim = 1 };
enum class DimensionField : Tag { dim_value = 1, dim_param = 2 };

template <class Field>
using Builder = protozero::pbf_builder<Field>;

// TensorProto.DataType
int32_t element_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 1;
    case DType::u8:
      return 2;
    case DType::i32:
      return 6;
    case DType::i64:
      return 7;
    case DType::f16:
      return 10;
    case DType::f64:
      return 11;
    case DType::bf16:
      return 16;
  }
  fail(ErrorKind::internal, "{} is no type of ONNX", to_string(dtype));
}

void write(Builder<AttributeField> out, const Attribute& attribute) {
  enum Type : int32_t { kFloat = 1, kInt = 2, kString = 3, kInts = 7 };  // AttributeProto.AttributeType
  out.add_string(AttributeField::name, attribute.name);
  if (const auto* i = std::get_if<int64_t>(&attribute.value)) {
    out.add_int64(AttributeField::i, *i);
    out.add_int32(AttributeField::type, kInt);
  } else if (const auto* f = std::get_if<float>(&attribute.value)) {
    out.add_float(AttributeField::f, *f);
    out.add_int32(AttributeField::type, kFloat);
  } else if (const auto* s = std::get_if<std::string>(&attribute.value)) {
    out.add_bytes(AttributeField::s, *s);
    out.add_int32(AttributeField::type, kString);
  } else {
    for (int64_t one : std::get<std::vector<int64_t>>(attribute.value)) out.add_int64(AttributeField::ints, one);
    out.add_int32(AttributeField::type, kInts);
  }
}

void write(Builder<NodeField> out, const Node& node) {
  for (const std::string& input : node.inputs) out.add_string(NodeField::input, input);
  for (const std::string& output : node.outputs) out.add_string(NodeField::output, output);
  out.add_string(NodeField::name, node.name);
  out.add_string(NodeField::op_type, node.op);
  for (const Attribute& attribute : node.attributes) write(Builder<AttributeField>(out, NodeField::attribute), attribute);
}

void write(Builder<TensorField> out, const Initializer& initializer) {
  const Tensor& tensor = initializer.tensor;
  for (int64_t dim : tensor.shape()) out.add_int64(TensorField::dims, dim);
  out.add_int32(TensorField::data_type, element_type(tensor.dtype()));
  out.add_string(TensorField::name, initializer.name);
  out.add_bytes(TensorField::raw_data, static_cast<const char*>(tensor.raw()), tensor.bytes());
}

void write(Builder<ValueField> out, const Port& port) {
  out.add_string(ValueField::name, port.name);
  Builder<TypeField> type(out, ValueField::type);
  Builder<TensorTypeField> tensor(type, TypeField::tensor_type);
  tensor.add_int32(TensorTypeField::elem_type, element_type(port.dtype));
  Builder<ShapeField> shape(tensor, TensorTypeField::shape);
  for (const Port::Dimension& dimension : port.shape) {
    Builder<DimensionField> dim(shape, ShapeField::dim);
    if (dimension.size == Port::kFree)
      dim.add_string(DimensionField::dim_param, dimension.name);
    else
      dim.add_int64(DimensionField::dim_value, dimension.size);
  }
}

void write(Builder<GraphField> out, const OnnxModel& model) {
  for (const Node& node : model.nodes) write(Builder<NodeField>(out, GraphField::node), node);
  out.add_string(GraphField::name, model.name);
  for (const Initializer& one : model.initializers) write(Builder<TensorField>(out, GraphField::initializer), one);
  for (const Port& port : model.inputs) write(Builder<ValueField>(out, GraphField::input), port);
  for (const Port& port : model.outputs) write(Builder<ValueField>(out, GraphField::output), port);
}

}  // namespace

std::string serialize(const OnnxModel& model) {
  constexpr size_t kMostBytes = (size_t{1} << 31) - 1, kRoom = size_t{16} << 20;  // the room is for all that is no weight
  size_t bytes = 0;
  for (const Initializer& one : model.initializers) bytes += one.tensor.bytes();
  if (bytes > kMostBytes - kRoom)
    fail(ErrorKind::unsupported, "{} has {} bytes of weights, an ONNX file holds no more than {}", model.name, bytes, kMostBytes - kRoom);
  std::string text;
  text.reserve(bytes + kRoom);
  Builder<ModelField> out(text);
  out.add_int64(ModelField::ir_version, kIrVersion);
  out.add_string(ModelField::producer_name, "fovea");
  out.add_string(ModelField::producer_version, model.version);
  write(Builder<GraphField>(out, ModelField::graph), model);
  Builder<OpsetField>(out, ModelField::opset_import).add_int64(OpsetField::version, kOpset);
  for (const auto& [key, value] : model.metadata) {
    Builder<EntryField> entry(out, ModelField::metadata_props);
    entry.add_string(EntryField::key, key);
    entry.add_string(EntryField::value, value);
  }
  return text;
}

}  // namespace fovea::onnx
