#include "backend/staged_kernel.h"

#include <algorithm>

#include "base/float_formats.h"
#include "base/parallel.h"

namespace fovea::backend {
namespace {

constexpr size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }
constexpr int64_t kGrain = 16384;  // numbers a thread should have

// An operand outside, and within the kernel where that is another form.
struct StagedOperand {
  DType outside_dtype = DType::f32, inside_dtype = DType::f32;
  int64_t rows = 1, columns = 0, outside_stride = 0, inside_stride = 0;
  size_t offset = 0;  // of the inner form in the workspace
  bool staged = false;
  void* outside = nullptr;
  void* inside = nullptr;
};

// Rounds to nearest even where numbers become narrower.
void convert(const void* from, DType from_dtype, void* to, DType to_dtype, int64_t count) {
  if (from_dtype == to_dtype) {
    std::copy_n(static_cast<const std::byte*>(from), count * static_cast<int64_t>(size_of(from_dtype)), static_cast<std::byte*>(to));
  } else if (from_dtype == DType::bf16) {
    const auto* const x = static_cast<const uint16_t*>(from);
    for (int64_t i = 0; i < count; ++i) static_cast<float*>(to)[i] = bfloat16_to_float(x[i]);
  } else {
    const auto* const x = static_cast<const float*>(from);
    for (int64_t i = 0; i < count; ++i) static_cast<uint16_t*>(to)[i] = float_to_bfloat16(x[i]);
  }
}

void copy_rows(const StagedOperand& operand, const void* from, DType from_dtype, int64_t from_stride, void* to, DType to_dtype,
               int64_t to_stride) {
  const auto from_bytes = static_cast<int64_t>(size_of(from_dtype)), to_bytes = static_cast<int64_t>(size_of(to_dtype));
  const bool dense = from_stride == operand.columns && to_stride == operand.columns;
  const int64_t rows = dense ? operand.rows * operand.columns : operand.rows, columns = dense ? 1 : operand.columns;
  parallel_for(rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns)), [&](int64_t begin, int64_t end) {
    const auto* const x = static_cast<const std::byte*>(from);
    auto* const y = static_cast<std::byte*>(to);
    if (dense) return convert(x + begin * from_bytes, from_dtype, y + begin * to_bytes, to_dtype, end - begin);
    for (int64_t row = begin; row < end; ++row)
      convert(x + row * from_stride * from_bytes, from_dtype, y + row * to_stride * to_bytes, to_dtype, columns);
  });
}

class StagedKernel final : public Kernel {
 public:
  StagedKernel(std::unique_ptr<Kernel> kernel, std::span<const Operand> inputs, std::span<const Operand> outputs,
               std::span<const Operand> wanted_inputs, std::span<const Operand> wanted_outputs)
      : kernel_(std::move(kernel)), inputs_(staged(inputs, wanted_inputs)), outputs_(staged(outputs, wanted_outputs)) {
    inside_inputs_.resize(inputs.size());
    inside_outputs_.resize(outputs.size());
  }
  size_t workspace_bytes() const override { return bytes_ + kernel_->workspace_bytes(); }
  bool depends_on_cores() const override { return kernel_->depends_on_cores(); }
  size_t packed_bytes(int input) const override { return inputs_[static_cast<size_t>(input)].staged ? 0 : kernel_->packed_bytes(input); }
  void pack(int input, const void* value, void* packed) override { kernel_->pack(input, value, packed); }
  std::string packed_form(int input) const override { return kernel_->packed_form(input); }

  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    point(inputs_, inside_inputs_, inputs, workspace);
    point(outputs_, inside_outputs_, outputs, workspace);
    kernel_->bind(inside_inputs_, inside_outputs_, static_cast<std::byte*>(workspace) + bytes_);
  }

  void run() override {
    for (const StagedOperand& operand : inputs_)
      if (operand.staged)
        copy_rows(operand, operand.outside, operand.outside_dtype, operand.outside_stride, operand.inside, operand.inside_dtype,
                  operand.inside_stride);
    kernel_->run();
    for (const StagedOperand& operand : outputs_)
      if (operand.staged && operand.outside)
        copy_rows(operand, operand.inside, operand.inside_dtype, operand.inside_stride, operand.outside, operand.outside_dtype,
                  operand.outside_stride);
  }
  std::string describe() const override { return kernel_->describe() + (converts_ ? ", converted" : ", rows copied"); }

 private:
  std::vector<StagedOperand> staged(std::span<const Operand> outside, std::span<const Operand> inside) {
    std::vector<StagedOperand> operands;
    for (size_t i = 0; i < outside.size(); ++i) {
      const Type& type = outside[i].type;
      StagedOperand next;
      next.outside_dtype = type.dtype;
      next.inside_dtype = inside[i].type.dtype;
      const bool pixels = type.shape.rank() == Shape::max_rank;
      next.columns = pixels ? type.shape.channels() : type.elements();
      next.rows = next.columns > 0 ? type.elements() / next.columns : 0;
      next.outside_stride = pixels ? outside[i].row_stride : next.columns;
      next.inside_stride = pixels ? inside[i].row_stride : next.columns;
      next.offset = bytes_;
      // What is one row lies as it should whatever the distance between rows.
      const bool moves = next.rows > 1 && next.outside_stride != next.inside_stride;
      next.staged = outside[i].used && (next.outside_dtype != next.inside_dtype || moves);
      converts_ = converts_ || next.outside_dtype != next.inside_dtype;
      if (next.staged) bytes_ += align64(inside[i].type.bytes());
      operands.push_back(next);
    }
    return operands;
  }

  static void point(std::vector<StagedOperand>& operands, std::vector<void*>& inside, std::span<void* const> outside, void* workspace) {
    for (size_t i = 0; i < operands.size(); ++i) {
      operands[i].outside = outside[i];
      operands[i].inside = operands[i].staged ? static_cast<std::byte*>(workspace) + operands[i].offset : outside[i];
      inside[i] = operands[i].inside;
    }
  }

  std::unique_ptr<Kernel> kernel_;
  size_t bytes_ = 0;
  bool converts_ = false;
  std::vector<StagedOperand> inputs_, outputs_;
  std::vector<void*> inside_inputs_, inside_outputs_;
};

}  // namespace

std::vector<Operand> staged(std::span<const Operand> operands, bool widen) {
  std::vector<Operand> result(operands.begin(), operands.end());
  for (Operand& operand : result) {
    if (operand.type.shape.rank() == Shape::max_rank) operand.row_stride = operand.type.shape.channels();
    if (widen && operand.type.dtype == DType::bf16) operand.type.dtype = DType::f32;
  }
  return result;
}

bool same_form(std::span<const Operand> a, std::span<const Operand> b) {
  return std::ranges::equal(a, b, [](const Operand& x, const Operand& y) { return x.type == y.type && x.row_stride == y.row_stride; });
}

std::unique_ptr<Kernel> stage(std::unique_ptr<Kernel> kernel, std::span<const Operand> inputs, std::span<const Operand> outputs,
                              std::span<const Operand> wanted_inputs, std::span<const Operand> wanted_outputs) {
  return std::make_unique<StagedKernel>(std::move(kernel), inputs, outputs, wanted_inputs, wanted_outputs);
}

}  // namespace fovea::backend
