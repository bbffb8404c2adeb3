#include "nn/scope.h"

#include <fmt/format.h>

namespace fovea {

Scope Scope::operator[](std::string_view name) const {
  Scope below = *this;
  below.path_ = this->name(name);
  return below;
}

Scope Scope::operator[](int64_t index) const { return (*this)[fmt::format("{}", index)]; }

std::string Scope::name(std::string_view leaf) const { return path_.empty() ? std::string(leaf) : fmt::format("{}.{}", path_, leaf); }

Value Scope::parameter(std::string_view leaf, const Shape& view, std::vector<int64_t> stored, Init init) const {
  return {*graph_, graph_->state(name(leaf), {DType::f32, view}, StateRole::parameter, std::move(stored), init)};
}

Value Scope::buffer(std::string_view leaf, const Type& view, std::vector<int64_t> stored, Init init) const {
  return {*graph_, graph_->state(name(leaf), view, StateRole::buffer, std::move(stored), init)};
}

Value Scope::emit(Op op, std::initializer_list<Value> inputs) const {
  return fovea::emit(std::move(op), std::span<const Value>(inputs.begin(), inputs.size()), path_).front();
}

Value Scope::tap(Value value) const {
  taps_->push_back({.name = path_, .value = value.id(), .channels = value.channels()});
  return value;
}

Value Scope::tap_tokens(Value value, Size2 grid, int64_t prefix) const {
  taps_->push_back({.name = path_, .value = value.id(), .channels = value.channels(), .tokens = true, .grid = grid, .prefix = prefix});
  return value;
}

Value Scope::positions(std::string_view leaf, int64_t channels, int64_t prefix, Size2 grid, Init init) const {
  positions_->push_back({name(leaf), prefix, grid});
  const int64_t rows = prefix + grid.height * grid.width;
  return parameter(leaf, {1, rows, channels}, {1, rows, channels}, init);
}

}  // namespace fovea
