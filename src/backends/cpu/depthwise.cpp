// Own depthwise convolutions. Weights are packed once where they are constant, else in every run.
#include "backends/cpu/depthwise.h"

#include <algorithm>

#include "backends/cpu/candidates.h"
#include "backends/cpu/conv2d.h"

namespace fovea::cpu {
namespace {

using simd::DepthwiseLine, simd::DepthwisePass, simd::kDepthwiseRows, simd::kDepthwiseUnit;

// A share of the results along the width: those at first, first + step, ... Each sums `kernel` taps, the kernel's columns `column`,
// `column` + column_step, ...
struct Phase {
  int64_t first, step, kernel, column, column_step, left;
  size_t offset = 0;  // in the packed weights, in floats
};

// y(line) from x: forward, or the gradient of x from that of y, whose columns fall into as many phases as the stride has pixels.
struct Plan {
  Shape w, x, y;  // x is what is read and y what is written
  int64_t x_step, y_step, residual_step = 0;
  Size2 stride;
  Padding2 padding;
  bool gradient = false;
  ActivationKind activation = ActivationKind::identity;
  std::vector<Phase> phases;

  int64_t channels() const { return w[0]; }
  int64_t units() const { return (channels() + kDepthwiseUnit - 1) / kDepthwiseUnit; }
  int64_t taps(const Phase& phase) const { return w[2] * phase.kernel; }
  size_t packed_bytes() const {
    size_t floats = 0;
    for (const Phase& phase : phases) floats += static_cast<size_t>(units() * kDepthwiseUnit * taps(phase));
    return floats * sizeof(float);
  }
};

void add_phase(Plan& plan, Phase phase) {
  phase.offset = plan.packed_bytes() / sizeof(float);
  plan.phases.push_back(phase);
}

void add_forward_phase(Plan& plan) { add_phase(plan, {0, 1, plan.w[3], 0, 1, plan.padding.left}); }

// dx(x) is the sum of dy(o) w(j) where o stride = x + left - j. For x = m stride + p these are j = column + u stride, and o = m + e - u.
void add_gradient_phases(Plan& plan) {
  const int64_t stride = plan.stride.width;
  for (int64_t p = 0; p < std::min(stride, plan.y.width()); ++p) {
    const int64_t column = (p + plan.padding.left) % stride, e = (p + plan.padding.left - column) / stride;
    const int64_t kernel = (plan.w[3] - column + stride - 1) / stride;  // 0 or less: nothing reaches these
    add_phase(plan, {p, stride, std::max<int64_t>(0, kernel), column + (kernel - 1) * stride, -stride, kernel - 1 - e});
  }
}

// Units [begin, end) of all phases.
void pack_units(const Plan& plan, const float* w, float* packed, int64_t begin, int64_t end) {
  const int64_t each = plan.w[2] * plan.w[3];
  for (const Phase& phase : plan.phases)
    for (int64_t unit = begin; unit < end; ++unit) {
      float* to = packed + phase.offset + static_cast<size_t>(unit * kDepthwiseUnit * plan.taps(phase));
      const int64_t first = unit * kDepthwiseUnit, count = std::min(kDepthwiseUnit, plan.channels() - first);
      for (int64_t i = 0; i < plan.w[2]; ++i)
        for (int64_t u = 0; u < phase.kernel; ++u, to += kDepthwiseUnit) {
          const float* const from = w + first * each + i * plan.w[3] + phase.column + u * phase.column_step;
          for (int64_t c = 0; c < count; ++c) to[c] = from[c * each];
          std::fill(to + count, to + kDepthwiseUnit, 0.0f);
        }
    }
}

template <class T>
class DepthwiseKernel final : public Kernel {
 public:
  DepthwiseKernel(Plan plan, size_t x_at, size_t w_at, int bias_at, int residual_at, bool constant_weights)
      : plan_(std::move(plan)), x_at_(x_at), w_at_(w_at), bias_at_(bias_at), residual_at_(residual_at), packs_(!constant_weights) {
    // Few lines do not divide evenly among the threads, and channels do.
    const int64_t lines = plan_.y.batch() * plan_.y.height(), most = std::max<int64_t>(1, plan_.channels() / (2 * kDepthwiseUnit));
    for (; groups_ < most; ++groups_) {
      const int64_t items = lines * groups_, longest = (items + threads_ - 1) / threads_;
      if (longest * threads_ * 16 <= items * 17) break;
    }
  }

  size_t workspace_bytes() const override { return packs_ ? plan_.packed_bytes() : 0; }
  size_t packed_bytes(int input) const override { return !packs_ && static_cast<size_t>(input) == w_at_ ? plan_.packed_bytes() : 0; }
  void pack(int, const void* value, void* packed) override {
    pack_units(plan_, static_cast<const float*>(value), static_cast<float*>(packed), 0, plan_.units());
  }
  std::string packed_form(int /*input*/) const override {
    std::string form = "depthwise";
    for (const Phase& phase : plan_.phases)
      form += fmt::format(", {} columns from {} by {}", phase.kernel, phase.column, phase.column_step);
    return form;
  }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    bound_.set(inputs, outputs, workspace);
  }
  std::string describe() const override { return "own simd depthwise"; }

  void run() override {
    on_cores(threads_, [this] { compute(); });
  }
  void compute() {
    if (packs_)
      parallel_kernel(plan_.units(), 1,
                      [this](int64_t begin, int64_t end) { pack_units(plan_, bound_.in(w_at_), bound_.scratch<float>(), begin, end); });
    const int64_t lines = plan_.y.batch() * plan_.y.height();
    parallel_kernel(lines * groups_, 1, [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t group = begin / lines, line = begin % lines;
        const int64_t image_end = (line / plan_.y.height() + 1) * plan_.y.height();
        const int64_t count = std::min({kStrip, image_end - line, end - begin});
        strip(group, line, count);
        begin += count;
      }
    });
  }

 private:
  static constexpr int64_t kStrip = 4;  // lines whose channels are walked together: taps are read once for all of them

  // The lines of x that line `oy` of y is made of.
  void find_rows(int64_t n, int64_t oy, int64_t kernel, DepthwiseLine<T>& line) const {
    const T* const image = bound_.in<T>(x_at_) + n * plan_.x.height() * plan_.x.width() * plan_.x_step;
    line.rows = 0;
    for (int64_t i = 0; i < plan_.w[2]; ++i) {
      int64_t iy = oy * plan_.stride.height - plan_.padding.top + i;
      if (plan_.gradient) {
        const int64_t reach = oy + plan_.padding.top - i;
        if (reach < 0 || reach % plan_.stride.height != 0) continue;
        iy = reach / plan_.stride.height;
      }
      if (iy < 0 || iy >= plan_.x.height()) continue;
      const auto at = static_cast<size_t>(line.rows++);
      line.x[at] = image + iy * plan_.x.width() * plan_.x_step;
      line.tap[at] = i * kernel;
    }
  }

  void strip(int64_t group, int64_t first_line, int64_t count) const {
    const int64_t pairs = (plan_.channels() + 2 * kDepthwiseUnit - 1) / (2 * kDepthwiseUnit);
    DepthwisePass pass;
    pass.first = pairs * group / groups_ * 2 * kDepthwiseUnit;
    pass.last = std::min(plan_.channels(), pairs * (group + 1) / groups_ * 2 * kDepthwiseUnit);
    pass.x_width = plan_.x.width(), pass.x_step = plan_.x_step;
    pass.residual_step = plan_.residual_step;
    pass.bias = bias_at_ < 0 ? nullptr : bound_.in(static_cast<size_t>(bias_at_));
    pass.activation = plan_.activation;
    pass.stream = stream_ && reinterpret_cast<uintptr_t>(bound_.outputs[0]) % 64 == 0;
    const float* const weights = packs_ ? bound_.scratch<float>() : bound_.in(w_at_);
    std::array<DepthwiseLine<T>, kStrip> lines;
    for (const Phase& phase : plan_.phases) {
      pass.kernel = std::max<int64_t>(1, phase.kernel), pass.stride = plan_.gradient ? 1 : plan_.stride.width, pass.left = phase.left;
      pass.y_step = plan_.y_step * phase.step;
      pass.y_width = (plan_.y.width() - phase.first + phase.step - 1) / phase.step;
      pass.weights = weights + phase.offset, pass.taps = plan_.taps(phase);
      for (int64_t k = 0; k < count; ++k) {
        DepthwiseLine<T>& line = lines[static_cast<size_t>(k)];
        const int64_t at = first_line + k, pixel = at * plan_.y.width() + phase.first;
        find_rows(at / plan_.y.height(), at % plan_.y.height(), phase.kernel, line);
        if (phase.kernel == 0) line.rows = 0;
        line.y = bound_.out<T>(0) + pixel * plan_.y_step;
        line.residual = residual_at_ < 0 ? nullptr : bound_.in<T>(static_cast<size_t>(residual_at_)) + pixel * plan_.residual_step;
      }
      simd::depthwise_lines(pass, lines.data(), count);
    }
  }

  Plan plan_;
  static constexpr size_t kStreamed = size_t{16} << 20;  // bytes of results that no cache holds until the next operation reads them
  bool stream_ = plan_.y.elements() * sizeof(T) >= kStreamed && plan_.y_step * sizeof(T) % 64 == 0;
  size_t x_at_, w_at_;
  int bias_at_, residual_at_;  // below 0: absent
  bool packs_;
  int threads_ = threads();
  int64_t groups_ = 1;  // of channels
  Bound bound_;
};

std::string not_depthwise(const ConvProblem& problem, const Operand& w) {
  const Shape &x = problem.x, &y = problem.y;
  if (problem.maps == DType::f64) return "maps of several types";
  if (problem.groups != x.channels() || y.channels() != x.channels()) return "not depthwise";
  const int64_t width = problem.w[3], height = problem.w[2];
  if (width != 3 && width != 5 && width != 7) return fmt::format("kernel of width {}", width);
  if (height > kDepthwiseRows) return fmt::format("kernel of height {}", height);
  if (x.elements() == 0 || y.elements() == 0) return "nothing to compute";
  if (!is_dense(w)) return "weights that are not dense";
  return {};
}

Planned make(Plan plan, const Operand& x, size_t x_at, size_t w_at, int bias_at, int residual_at, bool constant_weights) {
  if (x.type.dtype == DType::bf16)
    return {std::make_unique<DepthwiseKernel<Bf16>>(std::move(plan), x_at, w_at, bias_at, residual_at, constant_weights), {}};
  return {std::make_unique<DepthwiseKernel<float>>(std::move(plan), x_at, w_at, bias_at, residual_at, constant_weights), {}};
}

Planned plan_depthwise_forward(const Request& request, const ConvProblem& problem) {
  if (std::string reason = not_depthwise(problem, request.inputs[1]); !reason.empty()) return refuse("{}", reason);
  if (!simd::has_depthwise(problem.w[3], problem.stride.width)) return refuse("stride {} along the width", problem.stride.width);
  const int residual_at = problem.residual ? (problem.bias ? 3 : 2) : -1;
  Plan plan;
  plan.w = problem.w, plan.x = problem.x, plan.y = problem.y;
  plan.x_step = request.inputs[0].row_stride, plan.y_step = request.outputs[0].row_stride;
  if (residual_at >= 0) plan.residual_step = request.inputs[static_cast<size_t>(residual_at)].row_stride;
  plan.stride = problem.stride, plan.padding = problem.padding, plan.activation = problem.activation;
  add_forward_phase(plan);
  return make(std::move(plan), request.inputs[0], 0, 1, problem.bias ? 2 : -1, residual_at, request.inputs[1].constant);
}

}  // namespace

Planned plan_conv2d_depthwise(const Request& request) {
  return plan_depthwise_forward(request, problem_of(*request.op.as<Conv2d>(), request));
}
Planned plan_fused_conv2d_depthwise(const Request& request) {
  return plan_depthwise_forward(request, problem_of(*request.op.as<FusedConv2d>(), request));
}

Planned plan_conv2d_input_grad_depthwise(const Request& request) {
  const ConvProblem problem = problem_of(*request.op.as<Conv2dInputGrad>(), request);
  if (std::string reason = not_depthwise(problem, request.inputs[0]); !reason.empty()) return refuse("{}", reason);
  Plan plan;
  plan.w = problem.w, plan.x = problem.y, plan.y = problem.x;
  plan.x_step = request.inputs[1].row_stride, plan.y_step = request.outputs[0].row_stride;
  plan.stride = problem.stride, plan.padding = problem.padding, plan.gradient = true;
  add_gradient_phases(plan);
  return make(std::move(plan), request.inputs[1], 1, 0, -1, -1, request.inputs[0].constant);
}

namespace {

template <class T>
Planned plan_weight_grad(const Request& request, const Conv2dWeightGrad& op) {
  const Shape x = request.inputs[0].type.shape, dy = request.inputs[1].type.shape;
  const int64_t channels = x.channels(), taps = op.kernel.height * op.kernel.width, lines = dy.batch() * dy.height(), parts = threads();
  simd::DepthwiseBlock<T> shape{};
  shape.channels = channels, shape.height = x.height(), shape.width = x.width();
  shape.out_height = dy.height(), shape.out_width = dy.width();
  shape.x_step = request.inputs[0].row_stride, shape.dy_step = request.inputs[1].row_stride;
  shape.kernel_height = op.kernel.height, shape.kernel_width = op.kernel.width;
  shape.stride_height = op.stride.height, shape.stride_width = op.stride.width;
  shape.top = op.padding.top, shape.left = op.padding.left;
  // Small maps have few lines and many channels: threads share those. Others share the lines, which lie in memory one after the other.
  const bool share_channels = dy.width() <= 14 && channels >= 64 * parts;
  const int64_t copies = share_channels ? 1 : parts;
  // Lines added up in float before they go to the double sums, and as many channels as keep their inputs in a core's second-level cache.
  const int64_t block_lines = (255 + dy.width()) / dy.width();
  const int64_t channel_bytes = (x.width() * op.stride.height + dy.width()) * block_lines * static_cast<int64_t>(sizeof(T));
  const int64_t most_channels = std::max<int64_t>(64, (int64_t{640} << 10) / channel_bytes / 32 * 32);
  const size_t part_bytes = align64(static_cast<size_t>(taps * channels) * sizeof(double));
  return accept(part_bytes * static_cast<size_t>(copies), [=](const Bound& bound) {
    parallel_kernel(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        simd::DepthwiseBlock<T> block = shape;
        block.x = bound.in<T>(0), block.dy = bound.in<T>(1);
        block.sums = bound.scratch<double>(static_cast<size_t>(share_channels ? 0 : part) * part_bytes);
        const int64_t units = (channels + 31) / 32, stop_line = share_channels ? lines : lines * (part + 1) / parts;
        const int64_t first = share_channels ? units * part / parts * 32 : 0;
        const int64_t last = share_channels ? std::min(channels, units * (part + 1) / parts * 32) : channels;
        for (int64_t tap = 0; tap < taps; ++tap) std::fill_n(block.sums + tap * channels + first, last - first, 0.0);
        for (int64_t c = first; c < last; c = block.last_channel) {
          block.first_channel = c, block.last_channel = std::min(last, c + most_channels);
          for (int64_t line = share_channels ? 0 : lines * part / parts; line < stop_line; line = block.last) {
            block.first = line, block.last = std::min(stop_line, line + block_lines);
            simd::depthwise_weight_grad(block);
          }
        }
      }
    });
    // From [tap][channel] to the weights' [channel][tap].
    parallel_kernel(channels, std::max<int64_t>(1, kGrain / taps), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        for (int64_t tap = 0; tap < taps; ++tap) {
          double sum = 0;
          for (int64_t part = 0; part < copies; ++part)
            sum += bound.scratch<double>(static_cast<size_t>(part) * part_bytes)[tap * channels + c];
          bound.out(0)[c * taps + tap] = static_cast<float>(sum);
        }
    });
  });
}

}  // namespace

Planned plan_conv2d_weight_grad_depthwise(const Request& request) {
  const ConvProblem problem = problem_of(*request.op.as<Conv2dWeightGrad>(), request);
  if (std::string reason = not_depthwise(problem, request.outputs[0]); !reason.empty()) return refuse("{}", reason);
  const Conv2dWeightGrad& op = *request.op.as<Conv2dWeightGrad>();
  return request.inputs[0].type.dtype == DType::bf16 ? plan_weight_grad<Bf16>(request, op) : plan_weight_grad<float>(request, op);
}

namespace {

// The library's float kernel is as fast or faster for 3x3 with stride 2, as bench/convolution.cpp measures it at batch 1 and 16.
template <class O>
Planned plan_library_forward(const Request& request, Candidate library) {
  const ConvProblem problem = problem_of(*request.op.as<O>(), request);
  if (std::string reason = not_depthwise(problem, request.inputs[1]); !reason.empty()) return refuse("{}", reason);
  const bool slow_activation = problem.activation == ActivationKind::silu;  // the library's takes longer than the sums
  if (request.inputs[0].type.dtype != DType::f32 || problem.w[3] != 3 || problem.stride.width != 2 || slow_activation)
    return refuse("own kernels are faster");
  return library(request);
}

}  // namespace

Planned plan_conv2d_library_depthwise(const Request& request) { return plan_library_forward<Conv2d>(request, plan_conv2d_onednn); }
Planned plan_fused_conv2d_library_depthwise(const Request& request) {
  return plan_library_forward<FusedConv2d>(request, plan_fused_conv2d_onednn);
}

}  // namespace fovea::cpu
