// Updates of linear layers' weights, part by part: a part's gradient is made in scratch memory and used up before the next one's.
#include "ops/linear_update.h"

#include <algorithm>
#include <vector>

#include "backends/cpu/candidates.h"
#include "backends/cpu/cpu.h"
#include "ops/conv2d.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kPartBytes = int64_t{4} << 20;  // of the gradient: what caches hold until the update has read it

// Results [first, first + rows) of the layer: their gradient, and their update.
struct Part {
  int64_t first, rows;
  std::unique_ptr<Kernel> gradient, update;
};

class LinearUpdateKernel final : public Kernel {
 public:
  LinearUpdateKernel(std::vector<Part> parts, int64_t row, std::vector<bool> sliced, DType maps)
      : parts_(std::move(parts)), row_bytes_(static_cast<size_t>(row) * sizeof(float)), sliced_(std::move(sliced)), maps_(maps) {
    for (const Part& part : parts_) {
      gradient_bytes_ = std::max(gradient_bytes_, align64(static_cast<size_t>(part.rows) * row_bytes_));
      inner_bytes_ = std::max({inner_bytes_, part.gradient->workspace_bytes(), part.update->workspace_bytes()});
    }
  }

  size_t workspace_bytes() const override { return gradient_bytes_ + inner_bytes_; }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    void* const scratch = static_cast<std::byte*>(workspace) + gradient_bytes_;
    for (const Part& part : parts_) {
      const auto at = [&](void* base) -> void* {
        return base ? static_cast<std::byte*>(base) + static_cast<size_t>(part.first) * row_bytes_ : nullptr;
      };
      void* const dy = static_cast<std::byte*>(inputs[2]) + static_cast<size_t>(part.first) * size_of(maps_);
      part.gradient->bind(std::array<void*, 2>{inputs[1], dy}, std::array<void*, 1>{workspace}, scratch);
      std::vector<void*> in = update_operands<void*>(inputs, workspace), out;
      for (size_t i = 0; i < in.size(); ++i)
        if (sliced_[i]) in[i] = at(in[i]);
      for (void* output : outputs) out.push_back(at(output));
      part.update->bind(in, out, scratch);
    }
  }
  void run() override {
    for (const Part& part : parts_) {
      part.gradient->run();
      part.update->run();
    }
  }
  std::string describe() const override { return parts_.front().gradient->describe() + ", updated in parts"; }

 private:
  std::vector<Part> parts_;
  size_t row_bytes_;
  std::vector<bool> sliced_;  // by the update's operand: whether it has rows of the weight
  DType maps_;                // of dy
  size_t gradient_bytes_ = 0, inner_bytes_ = 0;
};

template <class Update>
Planned plan(const Request& request) {
  const Update op = request.op.as<LinearUpdate<Update>>()->update;
  const Operand& dy = request.inputs[2];
  const Shape& weight = request.inputs[0].type.shape;
  const int64_t outputs = weight[0], row = weight[1] * weight[2] * weight[3];
  // Pixels lie in memory as the weights of a result do, so that the layer is one of a single pixel.
  const Type& map = request.inputs[1].type;
  if (!is_dense(request.inputs[1])) return refuse("{} is not dense", to_string(map));
  const Operand x = Operand::dense({map.dtype, {map.shape.batch(), row, 1, 1}});
  for (std::span<const Operand> operands : {request.inputs, request.outputs})
    for (const Operand& operand : operands)
      if (operand.type.shape == weight && !is_dense(operand)) return refuse("{} is not dense", to_string(operand.type));
  if (weight.elements() == 0) return refuse("{} is empty", to_string(weight));
  const Operand whole = Operand::dense(request.inputs[0].type);
  std::vector<bool> sliced;
  for (const Operand& operand : update_operands(request.inputs, whole)) sliced.push_back(operand.type.shape == weight);
  sliced[1] = false;  // the gradient is a part's own

  const int64_t most = std::clamp<int64_t>(kPartBytes / (row * static_cast<int64_t>(sizeof(float))), 1, outputs);
  const int64_t count = (outputs + most - 1) / most;
  std::vector<Part> parts;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = outputs * i / count, rows = outputs * (i + 1) / count - first;
    const auto part_of = [&](Operand operand) {
      if (operand.type.shape == weight) {
        const bool used = operand.used;
        operand = Operand::dense({operand.type.dtype, {rows, row, 1, 1}});
        operand.used = used;
      }
      return operand;
    };
    Operand slope = dy;
    slope.type.shape = {dy.type.shape.batch(), rows, 1, 1};
    const Operand gradient = part_of(whole);
    std::vector<Operand> in, out;
    for (const Operand& operand : update_operands(request.inputs, whole)) in.push_back(part_of(operand));
    for (const Operand& operand : request.outputs) out.push_back(part_of(operand));
    parts.push_back(
        {first, rows, cpu_backend().plan(Conv2dWeightGrad{}, std::array{x, slope}, std::array{gradient}), cpu_backend().plan(op, in, out)});
  }
  return {std::make_unique<LinearUpdateKernel>(std::move(parts), row, std::move(sliced), dy.type.dtype), {}};
}

}  // namespace

Planned plan_linear_sgd_update(const Request& request) { return plan<SgdUpdate>(request); }
Planned plan_linear_adamw_update(const Request& request) { return plan<AdamWUpdate>(request); }
Planned plan_linear_rmsprop_update(const Request& request) { return plan<RmspropUpdate>(request); }

}  // namespace fovea::cpu
