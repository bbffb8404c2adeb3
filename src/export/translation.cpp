#include "export/translation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "engine/layout.h"

namespace fovea::onnx {
namespace {

bool is_vector(const Shape& shape) { return shape.rank() == Shape::max_rank && shape.height() == 1 && shape.width() == 1; }

std::vector<int64_t> without_leading_ones(std::vector<int64_t> dims) {
  const auto first = std::find_if(dims.begin(), dims.end(), [](int64_t dim) { return dim != 1; });
  dims.erase(dims.begin(), first);
  return dims;
}

template <class T>
Tensor tensor_of(const std::vector<T>& values, std::vector<int64_t> dims) {
  Tensor tensor(dtype_of<T>(), std::move(dims));
  std::copy(values.begin(), values.end(), tensor.mutable_values<T>().begin());
  return tensor;
}

bool same_elements(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace

Translation::Translation(const Graph& graph, std::vector<Constant> constants, std::set<std::string> reserved)
    : graph_(graph),
      constants_(std::move(constants)),
      made_(graph.value_count(), Layout::plain),
      values_(graph.value_count()),
      taken_(std::move(reserved)) {}

void Translation::set(ValueId id, Layout layout, std::string name) {
  made_[id.index] = layout;
  values_[id.index][layout] = std::move(name);
}

std::string Translation::value(ValueId id, Layout layout) {
  if (is_constant(id)) {
    const Shape& shape = this->shape(id);
    if (layout == Layout::rows) return vector(id);
    if (layout != Layout::channels_last)
      return weights(id, without_leading_ones(std::vector<int64_t>(shape.dims().begin(), shape.dims().end())));
    Tensor content(DType::f32, without_leading_ones({shape.batch(), shape.height(), shape.width(), shape.channels()}));
    engine::write_memory(constant(id).value, graph_.type(id), content.mutable_raw());
    return initializer(id, content, "transposed");
  }
  auto& names = values_[id.index];
  if (names.empty()) fail(ErrorKind::internal, "a value that ONNX does not have is read");
  if (const auto found = names.find(layout); found != names.end()) return found->second;
  return names[layout] = convert(id, layout);
}

std::string Translation::convert(ValueId id, Layout to) {
  const Shape& shape = this->shape(id);
  const Layout from = layout(id);
  const std::string source = values_[id.index].at(from);
  if (from == Layout::plain || to == Layout::plain || (to == Layout::rows && !is_vector(shape)))
    fail(ErrorKind::internal, "{} is asked for in a layout that it does not have", to_string(shape));
  if (to == Layout::rows) return emit("Flatten", {source}, {{"axis", int64_t{1}}});
  const bool first = to == Layout::channels_first;
  if (is_vector(shape))
    return reshape(source, first ? std::vector<int64_t>{0, shape.channels(), 1, 1} : std::vector<int64_t>{0, 1, 1, shape.channels()});
  return transpose(source, first ? std::vector<int64_t>{0, 3, 1, 2} : std::vector<int64_t>{0, 2, 3, 1});
}

std::string Translation::unique(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

std::string Translation::initializer(const std::string& name, Tensor tensor) {
  initializers_.push_back({unique(name), std::move(tensor)});
  return initializers_.back().name;
}

std::string Translation::initializer(ValueId id, const Tensor& content, const std::string& change) {
  std::string& known = shared_[fmt::format("value {} {} {}", id.index, shape_string(content.shape()), change)];
  if (!known.empty()) return known;
  const Constant& constant = this->constant(id);
  std::string name = constant.parameter;
  if (!same_elements(content, constant.stored)) {
    if (!constant.change.empty()) name += ":" + constant.change;
    if (!same_elements(content, constant.value)) name += ":" + change;
  }
  return known = initializer(name, content);
}

std::string Translation::weights(ValueId id, std::vector<int64_t> dims) {
  return initializer(id, constant(id).value.reshaped(std::move(dims)), "");
}

std::string Translation::transposed(ValueId id) {
  const Shape& shape = this->shape(id);
  const int64_t outputs = shape[0], inputs = shape[1];
  Tensor result(DType::f32, {inputs, outputs});
  const auto from = constant(id).value.values<float>();
  const auto to = result.mutable_values<float>();
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t i = 0; i < inputs; ++i) to[static_cast<size_t>(i * outputs + o)] = from[static_cast<size_t>(o * inputs + i)];
  return initializer(id, result, "transposed");
}

std::string Translation::ints(const std::vector<int64_t>& values) {
  const std::string name = fmt::format("ints:{}", fmt::join(values, ","));
  std::string& known = shared_[name];
  if (known.empty()) known = initializer(name, tensor_of(values, {static_cast<int64_t>(values.size())}));
  return known;
}

std::string Translation::floats(const std::vector<float>& values, std::vector<int64_t> dims) {
  const std::string key = fmt::format("floats {} {}", shape_string(dims), fmt::join(values, ","));
  std::string& known = shared_[key];
  if (known.empty())
    known = initializer(values.size() == 1 ? fmt::format("number:{}", values[0]) : "numbers", tensor_of(values, std::move(dims)));
  return known;
}

std::string Translation::emit(const std::string& op, std::vector<std::string> inputs, Attributes attributes) {
  return emit(op, std::move(inputs), std::move(attributes), 1).front();
}

std::vector<std::string> Translation::emit(const std::string& op, std::vector<std::string> inputs, Attributes attributes, size_t outputs) {
  std::vector<std::string> names;
  for (size_t i = 0; i < outputs; ++i) names.push_back(unique(place_ + ":" + op));
  nodes_.push_back({op, names[0], std::move(inputs), names, std::move(attributes)});
  return names;
}

std::string Translation::batch() {
  if (batch_.empty())
    batch_ = emit("Shape", {values_[graph_.inputs()[0].value.index].begin()->second}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
  return batch_;
}

void Translation::set_outputs(const std::vector<NamedOutput>& outputs) {
  std::map<std::string, std::string> renamed;  // values of nodes
  for (const Node& node : nodes_)
    for (const std::string& name : node.outputs) renamed.emplace(name, name);
  std::vector<Node> copies;
  for (const auto& [name, value] : outputs) {
    const auto found = renamed.find(value);
    if (found != renamed.end() && found->second == value)
      found->second = name;
    else  // an input, or an output already
      copies.push_back({"Identity", name, {found == renamed.end() ? value : found->second}, {name}, {}});
  }
  for (Node& node : nodes_)
    for (auto* names : {&node.inputs, &node.outputs})
      for (std::string& name : *names)
        if (const auto found = renamed.find(name); found != renamed.end()) name = found->second;
  nodes_.insert(nodes_.end(), copies.begin(), copies.end());
}

}  // namespace fovea::onnx
