// Convolutions of few pixels and many weights (the last stages of a network at batch 1, linear layers): the weights pass through once, and
// what comes next is read ahead. The library waits for them: at 7x7 pixels it takes up to 1.5 times as long.
#include "backends/cpu/few_pixels.h"

#include <type_traits>

#include "backends/cpu/candidates.h"
#include "backends/cpu/conv2d.h"
#include "backends/cpu/simd.h"
#include "base/float_formats.h"

namespace fovea::cpu {
namespace {

// With more pixels than this oneDNN is as fast, because its blocks of pixels suit the caches better. With many weights it is so on several
// threads from a hundred pixels on, and the number of threads must not decide which kernel adds up a picture's numbers.
constexpr int64_t kMostPixels = 400, kMostPixelsForManyWeights = 128, kManyWeights = 1 << 19;
// The most pixels whose windows are gathered into rows before the product. The bf16 limit is lower: there the products take less time than
// the gathering.
constexpr int64_t kMostGatheredPixels = 256, kMostGatheredPixelsBf16 = 64, kLeastOutputsBf16 = 64;
constexpr int64_t kLeastGatheredChannels = 16;
// The most tokens of a linear layer; oneDNN computes those by other code than its convolutions.
constexpr int64_t kMostTokens = 128;
// Up to this many weights the pixels are split between threads: each thread reads all weights, and its pixels are already in its cache from
// the layer before. Above it the weights are split.
constexpr int64_t kMostSharedWeights = 1 << 20;
// Pixels at once: their sums lie in the cache beside the weights. Fewer than the least fill no tile of the product.
constexpr int64_t kPixelsAtOnce = 112, kLeastOwnPixels = 7;
// Below so many products the threads' meeting costs more than it gains.
constexpr int64_t kLeastProducts = 1 << 16;

struct NoTiles {
  explicit NoTiles(int64_t /*pixels*/) {}
};

// T: of the pixels, and of the packed weights; sums are float.
template <class T>
class FewPixelsKernel final : public Kernel {
 public:
  FewPixelsKernel(const Request& request, const ConvProblem& problem)
      : problem_(problem),
        x_stride_(request.inputs[0].row_stride),
        pixels_(problem.results()),
        inputs_(problem.w[1] * problem.w[2] * problem.w[3]),
        depth_(kTiles ? (inputs_ + simd::kTileDepth - 1) / simd::kTileDepth * simd::kTileDepth : inputs_),
        slots_(pixels_ * depth_ * problem.y.channels() < kLeastProducts ? 1 : threads()),
        panels_(problem.y.channels(), slots_),
        shared_(problem.w.elements() <= kMostSharedWeights && pixels_ >= slots_ * kLeastOwnPixels) {
    finish_.y_stride = request.outputs[0].row_stride;
    if (problem.residual) finish_.residual_stride = request.inputs.back().row_stride;
    finish_.activation = problem.activation;
  }

  size_t workspace_bytes() const override { return gathered_bytes() + static_cast<size_t>(slots_) * sum_bytes(); }
  size_t packed_bytes(int input) const override {
    return input == 1 ? align64(static_cast<size_t>(depth_ * simd::padded_columns(problem_.y.channels())) * sizeof(T)) : 0;
  }
  void pack(int /*input*/, const void* value, void* packed) override {
    on_cores(threads_, [&] {
      parallel_kernel(panels_.count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t panel = begin; panel < end; ++panel)
          pack_panel(static_cast<const float*>(value), panel, static_cast<T*>(packed) + panels_.begin(panel) * depth_);
      });
    });
  }
  std::string packed_form(int /*input*/) const override {
    return fmt::format("few pixels, {}, {} panels, depth {}", kTiles ? "bf16" : "f32", panels_.count, depth_);
  }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    bound_.set(inputs, outputs, workspace);
  }

  void run() override {
    on_cores(threads_, [this] { compute(); });
  }
  void compute() {
    if (gathers()) parallel_kernel(pixels_, slots_ > 1 ? 1 : pixels_, [&](int64_t begin, int64_t end) { gather(begin, end); });
    const T* const x = gathers() ? bound_.scratch<T>() : bound_.in<T>(0);
    const int64_t stride = gathers() ? depth_ : x_stride_;
    parallel_kernel(slots_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        auto* const sums = bound_.scratch<float>(gathered_bytes() + static_cast<size_t>(slot) * sum_bytes());
        if (shared_)
          run_part(x, stride, pixels_ * slot / slots_, pixels_ * (slot + 1) / slots_, 0, panels_.count, sums);
        else
          run_part(x, stride, 0, pixels_, panels_.count * slot / slots_, panels_.count * (slot + 1) / slots_, sums);
      }
    });
  }
  std::string describe() const override {
    return std::string(kTiles ? "own amx few pixels" : "own simd few pixels") + (gathers() ? ", gathered" : "");
  }

 private:
  static constexpr bool kTiles = std::is_same_v<T, Bf16>;

  bool gathers() const { return !problem_.pointwise() || depth_ > inputs_; }
  size_t gathered_bytes() const { return gathers() ? align64(static_cast<size_t>(pixels_ * depth_) * sizeof(T)) : 0; }
  size_t sum_bytes() const { return align64(static_cast<size_t>(std::min(pixels_, kPixelsAtOnce) * simd::kMostColumns) * sizeof(float)); }

  // Of pixels [begin, end), x being the first of all, the results of panels [first_panel, end_panel).
  void run_part(const T* x, int64_t stride, int64_t begin, int64_t end, int64_t first_panel, int64_t end_panel, float* sums) const {
    const int64_t blocks = (end - begin + kPixelsAtOnce - 1) / kPixelsAtOnce;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t from = begin + (end - begin) * block / blocks, to = begin + (end - begin) * (block + 1) / blocks;
      const std::conditional_t<kTiles, simd::MatrixTiles, NoTiles> tiles(to - from);
      for (int64_t panel = first_panel; panel < end_panel; ++panel) {
        const int64_t first = panels_.begin(panel), columns = panels_.columns(panel);
        simd::pixel_product(
            simd::PixelProduct<T>{to - from, depth_, columns, x + from * stride, stride, bound_.in<T>(1) + first * depth_, sums});
        finish_pixels(from, to, first, columns, sums);
      }
    }
  }

  // Results [first, first + columns) of pixels [begin, end) from their sums.
  void finish_pixels(int64_t begin, int64_t end, int64_t first, int64_t columns, const float* sums) const {
    simd::Finish finish = finish_;
    finish.rows = end - begin, finish.columns = std::min(columns, problem_.y.channels() - first);
    finish.sums = sums, finish.sums_stride = columns;
    if (problem_.bias) finish.bias = bound_.in(2) + first;
    if (problem_.residual) finish.residual = bound_.in<T>(problem_.bias ? 3 : 2) + begin * finish.residual_stride + first;
    finish.y = bound_.out<T>(0) + begin * finish.y_stride + first;
    simd::finish(finish);
  }

  // Weights [output][depth] as a panel; columns beyond the last output are 0, and depths beyond the last input.
  void pack_panel(const float* w, int64_t panel, T* to) const {
    const int64_t first = panels_.begin(panel), columns = panels_.columns(panel);
    const int64_t outputs = std::min(columns, problem_.y.channels() - first);
    constexpr int64_t kBlock = 16;  // rows of the panel that are written while they lie in the cache
    for (int64_t begin = 0; begin < depth_; begin += kBlock)
      for (int64_t c = 0; c < columns; ++c)
        for (int64_t k = begin; k < std::min(depth_, begin + kBlock); ++k) {
          const float value = c < outputs && k < inputs_ ? w[(first + c) * inputs_ + k] : 0.0f;
          if constexpr (kTiles)
            to[c / simd::kPanelUnit * simd::kPanelUnit * depth_ + (k / 2 * simd::kPanelUnit + c % simd::kPanelUnit) * 2 + k % 2] = {
                float_to_bfloat16(value)};
          else
            to[k * columns + c] = value;
        }
  }

  // The pixels that each of the results [begin, end) is made from, one after another.
  void gather(int64_t begin, int64_t end) const {
    const auto& [stride, padding, groups, x, w, y, bias, residual, activation, maps] = problem_;
    T* to = bound_.scratch<T>() + begin * depth_;
    for (int64_t at = begin; at < end; ++at) {
      const int64_t picture = at / (y.height() * y.width()), top = at / y.width() % y.height() * stride.height - padding.top,
                    left = at % y.width() * stride.width - padding.left;
      for (int64_t i = top; i < top + w[2]; ++i)
        for (int64_t j = left; j < left + w[3]; ++j, to += x.channels()) {
          if (i < 0 || i >= x.height() || j < 0 || j >= x.width())
            std::fill_n(to, x.channels(), T{});
          else
            std::copy_n(bound_.in<T>(0) + ((picture * x.height() + i) * x.width() + j) * x_stride_, x.channels(), to);
        }
      to = std::fill_n(to, depth_ - inputs_, T{});
    }
  }

  ConvProblem problem_;
  int64_t x_stride_, pixels_;
  int64_t inputs_, depth_;  // of a result; as the product takes them
  int64_t slots_;
  simd::Panels panels_;
  bool shared_;  // the weights
  int threads_ = threads();
  simd::Finish finish_{};  // its activation and strides
  Bound bound_;
};

Planned plan_few_pixels_forward(const Request& request, const ConvProblem& problem) {
  const int64_t pixels = problem.results();
  if (problem.maps == DType::f64) return refuse("maps of several types");
  if (problem.maps == DType::bf16 && !simd::has_matrix_tiles()) return refuse("bf16 without matrix tiles");
  if (problem.groups != 1) return refuse("{} groups, it takes 1", problem.groups);
  if (problem.x.elements() == 0 || pixels == 0) return refuse("{} is empty", to_string(problem.x));
  const bool bf16 = problem.maps == DType::bf16;
  const int64_t most = problem.pointwise() ? kMostPixels : bf16 ? kMostGatheredPixelsBf16 : kMostGatheredPixels;
  if (pixels > most) return refuse("{} pixels, it takes {} and fewer", pixels, most);
  if (!problem.pointwise() && bf16 && problem.y.channels() < kLeastOutputsBf16)
    return refuse("{} result channels, it takes {} and more", problem.y.channels(), kLeastOutputsBf16);
  if (!problem.pointwise() && problem.x.channels() < kLeastGatheredChannels)
    return refuse("{} channels to gather, it takes {} and more", problem.x.channels(), kLeastGatheredChannels);
  if (pixels > kMostPixelsForManyWeights && problem.w.elements() > kManyWeights)
    return refuse("{} weights, for {} pixels it takes {} and fewer", problem.w.elements(), pixels, kManyWeights);
  if (problem.linear() && pixels > kMostTokens) return refuse("{} pixels of a linear layer, it takes {} and fewer", pixels, kMostTokens);
  if (!request.inputs[1].constant) return refuse("weights change");
  if (problem.maps == DType::bf16) return {std::make_unique<FewPixelsKernel<Bf16>>(request, problem), {}};
  return {std::make_unique<FewPixelsKernel<float>>(request, problem), {}};
}

}  // namespace

Planned plan_conv2d_few_pixels(const Request& request) {
  return plan_few_pixels_forward(request, problem_of(*request.op.as<Conv2d>(), request));
}
Planned plan_fused_conv2d_few_pixels(const Request& request) {
  return plan_few_pixels_forward(request, problem_of(*request.op.as<FusedConv2d>(), request));
}

}  // namespace fovea::cpu
