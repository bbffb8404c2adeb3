// Where a model's text stands: the path is the checkpoint's own name and the prefix of every error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/value.h"

namespace fovea {

// A place in a network that has a name in the weights' library: an output that may be asked for, a cut for freezing.
struct Tap {
  std::string name;  // the module's, "layer3", "features.5"
  ValueId value;     // [N, channels, H, W], or tokens [N, channels, T, 1]
  int64_t channels = 0;
  double stride = 0;  // input pixels from one position to the next
  // Of tokens: the first `prefix` of them belong to no place (class token), the others are the places of the grid, row by row.
  bool tokens = false;
  Size2 grid{0, 0};
  int64_t prefix = 0;
};

// A parameter [1, prefix + places, C] with a row for each place of a grid, so that its shape follows from the size that it was made for.
struct PositionTable {
  std::string name;
  int64_t prefix = 0;  // rows before the grid's, of tokens that belong to no place
  Size2 grid{0, 0};
};

class Scope {
 public:
  // The graph and the lists live as long as every scope of them.
  Scope(Graph& graph, std::vector<Tap>& taps, std::vector<PositionTable>& positions)
      : graph_(&graph), taps_(&taps), positions_(&positions) {}

  // The place below: s["layer1"][0]["conv1"] has the path "layer1.0.conv1".
  Scope operator[](std::string_view name) const;
  Scope operator[](int64_t index) const;
  const std::string& path() const { return path_; }
  // "layer1.0.conv1.weight"
  std::string name(std::string_view leaf) const;

  Graph& graph() const { return *graph_; }
  // A parameter or buffer of this place. `stored` is its shape in the checkpoint, `view` what the graph sees.
  Value parameter(std::string_view leaf, const Shape& view, std::vector<int64_t> stored, Init init) const;
  Value buffer(std::string_view leaf, const Type& view, std::vector<int64_t> stored, Init init) const;
  // Appends a node named by the path; returns its first result.
  Value emit(Op op, std::initializer_list<Value> inputs) const;
  // Makes `value` the tap of this place, and returns it.
  Value tap(Value value) const;
  Value tap_tokens(Value value, Size2 grid, int64_t prefix) const;
  // A parameter [1, prefix + places, channels], stored so, whose rows belong to places of the grid.
  Value positions(std::string_view leaf, int64_t channels, int64_t prefix, Size2 grid, Init init) const;

 private:
  Graph* graph_;
  std::vector<Tap>* taps_;
  std::vector<PositionTable>* positions_;
  std::string path_;
};

}  // namespace fovea
