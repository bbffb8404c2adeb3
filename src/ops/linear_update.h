// The weight gradient of a linear layer and the update that alone reads it, in one node, so that the gradient need not lie in memory whole.
#pragma once

#include "ir/gradient.h"
#include "ops/adamw_update.h"
#include "ops/rmsprop_update.h"
#include "ops/sgd_update.h"

namespace fovea {

template <class Update>
constexpr std::string_view kLinearUpdateName = "";
template <>
inline constexpr std::string_view kLinearUpdateName<SgdUpdate> = "linear_sgd_update";
template <>
inline constexpr std::string_view kLinearUpdateName<AdamWUpdate> = "linear_adamw_update";
template <>
inline constexpr std::string_view kLinearUpdateName<RmspropUpdate> = "linear_rmsprop_update";

// (parameter [O,I,H,W], x [N,I,H,W], dy [N,O,1,1], what the update reads beside parameter and gradient) -> the update's results, of a layer
// that sees the whole of x at once. What fuse_linear_updates makes.
template <class Update>
struct LinearUpdate {
  static constexpr std::string_view kName = kLinearUpdateName<Update>;
  Update update;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    Update::fields(self.update, visit);
  }
};

// The update's operands: a gradient of this type in place of x and dy.
template <class Operand>
std::vector<Operand> update_operands(std::span<const Operand> inputs, const Operand& gradient) {
  std::vector<Operand> result{inputs[0], gradient};
  result.insert(result.end(), inputs.begin() + 3, inputs.end());
  return result;
}

namespace linear_update {
Type gradient_type(std::string_view op, std::span<const Type> inputs);
Cost cost(std::span<const Type> inputs, std::span<const Type> outputs);
}  // namespace linear_update

template <class Update>
Types infer(const LinearUpdate<Update>& op, std::span<const Type> inputs) {
  return infer(op.update, update_operands(inputs, linear_update::gradient_type(op.kName, inputs)));
}
template <class Update>
bool stays_float(const LinearUpdate<Update>&, int) {
  return true;
}
template <class Update>
Cost cost(const LinearUpdate<Update>&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return linear_update::cost(inputs, outputs);
}
template <class Update>
bool overwrites(const LinearUpdate<Update>& op, int input, int output) {
  if (input == 1 || input == 2) return false;
  return overwrites(op.update, input == 0 ? 0 : input - 1, output);
}

}  // namespace fovea
