// The static graph: two flat tables, values and nodes, in topological order, single assignment.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/op.h"
#include "ir/types.h"

namespace fovea {

struct ValueId {
  uint32_t index = UINT32_MAX;
  bool valid() const { return index != UINT32_MAX; }
  auto operator<=>(const ValueId&) const = default;
};
struct NodeId {
  uint32_t index = UINT32_MAX;
  bool valid() const { return index != UINT32_MAX; }
  auto operator<=>(const NodeId&) const = default;
};

struct ValueInfo {
  Type type;
  NodeId producer;      // invalid for inputs and states
  uint32_t result = 0;  // which of the producer's results
  std::string name;     // inputs and states have one; others are printed as %12
};

struct NodeInfo {
  Op op;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::string name;  // scope path, for errors, dumps and profiles: "layer1.0.conv2"; gradients are "grad:layer1.0.conv2"
};

// How a new parameter starts, resolved to numbers by the layer that declares it.
struct Init {
  enum class Kind { constant, uniform, normal, truncated_normal };  // value; +-value; standard deviation; the same cut at +-2 absolute
  Kind kind = Kind::constant;
  double value = 0;
};

enum class StateRole { parameter, buffer, optimizer };

// An input with a next-state output that takes its place: parameters, running statistics, moments.
struct State {
  std::string name;  // the checkpoint's own
  ValueId value;
  ValueId next;  // invalid: never written
  StateRole role = StateRole::parameter;
  std::vector<int64_t> stored_shape;  // in the checkpoint; value's type is the logical view of it
  Init init;
};

struct NamedValue {
  std::string name;
  ValueId value;
};

class Graph {
 public:
  // Inputs and outputs have unique names.
  ValueId input(std::string name, Type type);
  ValueId state(std::string name, Type type, StateRole role, std::vector<int64_t> stored_shape, Init init = {});
  // Infers the result types (an Error gets `name` as context) and appends.
  std::vector<ValueId> add(Op op, std::vector<ValueId> inputs, std::string name);
  void set_next(std::string_view state, ValueId next);
  void output(std::string name, ValueId value);

  size_t value_count() const { return values_.size(); }
  size_t node_count() const { return nodes_.size(); }
  const ValueInfo& value(ValueId id) const { return values_[id.index]; }
  const NodeInfo& node(NodeId id) const { return nodes_[id.index]; }
  const Type& type(ValueId id) const { return values_[id.index].type; }
  const std::deque<ValueInfo>& values() const { return values_; }
  const std::deque<NodeInfo>& nodes() const { return nodes_; }
  std::span<const NamedValue> inputs() const { return inputs_; }
  std::span<const NamedValue> outputs() const { return outputs_; }
  std::span<const State> states() const { return states_; }

  const State* find_state(std::string_view name) const;
  const State* state_of(ValueId value) const;
  std::optional<ValueId> find_input(std::string_view name) const;
  std::optional<ValueId> find_output(std::string_view name) const;
  // Types of a list of values.
  Types types(std::span<const ValueId> ids) const;

 private:
  ValueId new_value(ValueInfo info);

  // Whoever builds a graph holds references to types and nodes of it while it grows: a deque never moves them.
  std::deque<ValueInfo> values_;
  std::deque<NodeInfo> nodes_;
  std::vector<NamedValue> inputs_, outputs_;
  std::vector<State> states_;
  std::unordered_map<std::string, size_t> state_by_name_;
  std::unordered_map<uint32_t, size_t> state_by_value_;
};

// Throws Error(internal) that names the node: an id out of range, a read before the producer, types that `infer` would not give,
// a state read after the node that writes it, two writers, two names alike.
void verify(const Graph& graph);

// Text and back; inverse of each other.
std::string print(const Graph& graph);
using ParseOp = Op (*)(std::string_view name, FieldTexts fields);  // the operator registry's
Graph parse(std::string_view text, ParseOp parse_op);

}  // namespace fovea
