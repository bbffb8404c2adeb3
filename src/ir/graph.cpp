#include "ir/graph.h"

#include "base/error.h"

namespace fovea {

ValueId Graph::new_value(ValueInfo info) {
  values_.push_back(std::move(info));
  return {static_cast<uint32_t>(values_.size() - 1)};
}

ValueId Graph::input(std::string name, Type type) {
  if (find_input(name)) fail(ErrorKind::internal, "two inputs are named '{}'", name);
  const ValueId id = new_value({std::move(type), {}, 0, name});
  inputs_.push_back({std::move(name), id});
  return id;
}

ValueId Graph::state(std::string name, Type type, StateRole role, std::vector<int64_t> stored_shape, Init init) {
  if (find_state(name)) fail(ErrorKind::internal, "two parameters are named '{}'", name);
  const ValueId id = new_value({std::move(type), {}, 0, name});
  state_by_name_[name] = states_.size();
  state_by_value_[id.index] = states_.size();
  states_.push_back({std::move(name), id, {}, role, std::move(stored_shape), init});
  return id;
}

std::vector<ValueId> Graph::add(Op op, std::vector<ValueId> inputs, std::string name) {
  const Types operands = types(inputs);
  Types results = in_context(name, [&] { return op.infer(operands); });
  const NodeId node{static_cast<uint32_t>(nodes_.size())};
  std::vector<ValueId> outputs;
  for (Type& type : results) outputs.push_back(new_value({std::move(type), node, static_cast<uint32_t>(outputs.size()), {}}));
  nodes_.push_back({std::move(op), std::move(inputs), outputs, std::move(name)});
  return outputs;
}

void Graph::set_next(std::string_view state, ValueId next) {
  const auto found = state_by_name_.find(std::string(state));
  if (found == state_by_name_.end()) fail(ErrorKind::internal, "there is no state '{}'", state);
  State& entry = states_[found->second];
  if (entry.next.valid()) fail(ErrorKind::internal, "state '{}' is written twice", state);
  entry.next = next;
}

void Graph::output(std::string name, ValueId value) {
  if (find_output(name)) fail(ErrorKind::internal, "two outputs are named '{}'", name);
  outputs_.push_back({std::move(name), value});
}

const State* Graph::find_state(std::string_view name) const {
  const auto found = state_by_name_.find(std::string(name));
  return found == state_by_name_.end() ? nullptr : &states_[found->second];
}

const State* Graph::state_of(ValueId value) const {
  const auto found = state_by_value_.find(value.index);
  return found == state_by_value_.end() ? nullptr : &states_[found->second];
}

namespace {

std::optional<ValueId> find_named(std::span<const NamedValue> list, std::string_view name) {
  for (const NamedValue& entry : list)
    if (entry.name == name) return entry.value;
  return std::nullopt;
}

}  // namespace

std::optional<ValueId> Graph::find_input(std::string_view name) const { return find_named(inputs_, name); }
std::optional<ValueId> Graph::find_output(std::string_view name) const { return find_named(outputs_, name); }

Types Graph::types(std::span<const ValueId> ids) const {
  Types result;
  result.reserve(ids.size());
  for (ValueId id : ids) result.push_back(type(id));
  return result;
}

}  // namespace fovea
