// The weight gradient of strided 1x1 convolutions of few channels. oneDNN 3.2 writes outside its scratchpad for fewer than 16 of them, so
// the pixels that count are gathered first, and the rest is a convolution of stride 1.
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "ops/conv2d.h"

namespace fovea::cpu {
namespace {

class GatheredKernel final : public Kernel {
 public:
  GatheredKernel(std::unique_ptr<Kernel> kernel, const Conv2dWeightGrad& op, const Operand& x, const Shape& dy)
      : kernel_(std::move(kernel)),
        op_(op),
        x_(x.type.shape),
        dy_(dy),
        x_stride_(x.row_stride),
        gathered_bytes_(align64(static_cast<size_t>(dy.batch() * dy.height() * dy.width() * x_.channels()) * sizeof(float))) {}

  size_t workspace_bytes() const override { return gathered_bytes_ + kernel_->workspace_bytes(); }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    from_ = static_cast<const float*>(inputs[0]);
    gathered_ = static_cast<float*>(workspace);
    const std::array<void*, 2> inner{workspace, inputs[1]};
    kernel_->bind(inner, outputs, static_cast<std::byte*>(workspace) + gathered_bytes_);
  }
  void run() override {
    parallel_for(dy_.batch() * dy_.height(), 1, [this](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) gather(line);
    });
    kernel_->run();
  }
  std::string describe() const override { return kernel_->describe() + ", pixels gathered"; }

 private:
  void gather(int64_t line) const {
    const int64_t n = line / dy_.height(), iy = line % dy_.height() * op_.stride.height - op_.padding.top;
    for (int64_t ox = 0; ox < dy_.width(); ++ox) {
      const int64_t ix = ox * op_.stride.width - op_.padding.left;
      float* const to = gathered_ + (line * dy_.width() + ox) * x_.channels();
      if (iy < 0 || iy >= x_.height() || ix < 0 || ix >= x_.width())
        std::fill_n(to, x_.channels(), 0.0f);
      else
        std::copy_n(from_ + ((n * x_.height() + iy) * x_.width() + ix) * x_stride_, x_.channels(), to);
    }
  }

  std::unique_ptr<Kernel> kernel_;
  Conv2dWeightGrad op_;
  Shape x_, dy_;
  int64_t x_stride_;
  size_t gathered_bytes_;
  const float* from_ = nullptr;
  float* gathered_ = nullptr;
};

}  // namespace

Planned plan_conv2d_weight_grad_strided_1x1(const Request& request) {
  const Conv2dWeightGrad op = *request.op.as<Conv2dWeightGrad>();
  const Operand &x = request.inputs[0], &dy = request.inputs[1];
  if (op.kernel != Size2{1, 1} || op.stride == Size2{1, 1}) return refuse("not a strided 1x1");
  if (request.outputs[0].type.shape[1] >= 16)
    return refuse("{} input channels, the library takes 16 and more", request.outputs[0].type.shape[1]);
  const Shape &from = x.type.shape, &to = dy.type.shape;
  const std::array<Operand, 2> gathered{Operand::dense({DType::f32, Shape{from.batch(), from.channels(), to.height(), to.width()}}), dy};
  Planned planned = plan_conv2d_weight_grad_onednn({Conv2dWeightGrad{{1, 1}, {}, op.groups, {1, 1}}, gathered, request.outputs});
  if (!planned.kernel) return planned;
  return {std::make_unique<GatheredKernel>(std::move(planned.kernel), op, x, to), {}};
}

}  // namespace fovea::cpu
