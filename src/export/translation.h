// A graph on its way into ONNX: what each value is called there, and how it lies.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "export/onnx_model.h"
#include "ir/graph.h"

namespace fovea::onnx {

// How a value of rank 4 lies in ONNX. The converter of an operation asks for what ONNX's counterpart wants; what is there in another layout
// is brought into this one once, by a Transpose, or by no more than a new shape where height and width are 1.
enum class Layout {
  channels_first,  // [N,C,H,W]
  channels_last,   // [N,H,W,C], fovea's own order in memory: tokens are [N,T,1,C], and a View is a Reshape
  rows,            // [N,C], of vectors
  plain,           // values of another rank, as they are
};

// A value that follows from weights alone.
struct Constant {
  Tensor value;           // in logical order; empty: no constant
  std::string parameter;  // what it was made of, the parameter's name
  Tensor stored;          // that parameter as its checkpoint has it
  std::string change;     // what was done to it: "standardize_weight"; nothing for the parameter itself
};

// The batch of graphs that are translated: 2 tells what there is for each picture from what there is once.
constexpr int64_t kBatch = 2;

class Translation {
 public:
  // `constants` by value. `reserved`: names that nothing but inputs and outputs may have.
  Translation(const Graph& graph, std::vector<Constant> constants, std::set<std::string> reserved);

  const Shape& shape(ValueId id) const { return graph_.type(id).shape; }
  bool is_constant(ValueId id) const { return !constants_[id.index].value.empty(); }
  const Constant& constant(ValueId id) const { return constants_[id.index]; }

  // Says what a value is called in the layout that it is made in.
  void set(ValueId id, Layout layout, std::string name);
  Layout layout(ValueId id) const { return made_[id.index]; }
  // Its name in this layout. Constants lose leading dimensions of 1: they are broadcast.
  std::string value(ValueId id, Layout layout);

  // Constants as converters want them. A parameter whose elements are as in its checkpoint has its own name.
  std::string weights(ValueId id, std::vector<int64_t> dims);
  std::string transposed(ValueId id);  // [O,I,1,1] as [I,O]
  std::string vector(ValueId id) { return weights(id, {shape(id).channels()}); }
  // Numbers that no parameter holds.
  std::string ints(const std::vector<int64_t>& values);
  std::string floats(const std::vector<float>& values, std::vector<int64_t> dims);
  std::string number(double value) { return floats({static_cast<float>(value)}, {}); }

  // Appends a node called "PLACE:OP", as its (first) output is.
  std::string emit(const std::string& op, std::vector<std::string> inputs, Attributes attributes = {});
  std::vector<std::string> emit(const std::string& op, std::vector<std::string> inputs, Attributes attributes, size_t outputs);
  std::string reshape(const std::string& input, const std::vector<int64_t>& dims) { return emit("Reshape", {input, ints(dims)}); }
  std::string transpose(const std::string& input, std::vector<int64_t> order) {
    return emit("Transpose", {input}, {{"perm", std::move(order)}});
  }
  void at(std::string place) { place_ = std::move(place); }
  // The number of pictures, i64 [1].
  std::string batch();

  struct NamedOutput {
    std::string name, value;
  };
  // Gives values the names of outputs. The last call: the names of `value` are not what they were.
  void set_outputs(const std::vector<NamedOutput>& outputs);
  std::vector<Node> take_nodes() { return std::move(nodes_); }
  std::vector<Initializer> take_initializers() { return std::move(initializers_); }

 private:
  std::string unique(const std::string& wanted);
  std::string initializer(const std::string& name, Tensor tensor);
  std::string initializer(ValueId id, const Tensor& content, const std::string& change);
  std::string convert(ValueId id, Layout to);

  const Graph& graph_;
  std::vector<Constant> constants_;
  std::vector<Layout> made_;                           // by value
  std::vector<std::map<Layout, std::string>> values_;  // by value
  std::map<std::string, std::string> shared_;          // initializers by what they hold
  std::set<std::string> taken_;
  std::vector<Node> nodes_;
  std::vector<Initializer> initializers_;
  std::string place_, batch_;
};

}  // namespace fovea::onnx
