// 3x3 convolutions of stride 1 and their input gradients by Winograd's F(4x4, 3x3). The input gradient is such a convolution too: of the
// slope, with the kernel turned by half a turn and its inputs and outputs exchanged.
#include "backends/cpu/winograd.h"

#include "backends/cpu/candidates.h"
#include "backends/cpu/conv2d.h"

namespace fovea::cpu {
namespace {

// y[n, o] = activation(sum over i of x[n, i] * kernel(o, i) + bias[o] + residual[n, o]), from x shifted by (top, left).
struct WinogradProblem {
  Shape x, y;
  int64_t top, left;
  Operand x_rows, y_rows;
  size_t x_input, w_input;
  bool constant;  // the weights
  int64_t first_tap, output_step, input_step, tap_step;
  bool bias = false, residual = false;
  int64_t residual_stride = 0;
  ActivationKind activation = ActivationKind::identity;

  simd::TileGrid grid() const { return simd::grid_of(y.height(), y.width()); }
  int64_t tiles() const { return y.batch() * grid().each(); }
  size_t weight_bytes() const { return static_cast<size_t>(x.channels() * y.channels() * simd::kTilePoints) * sizeof(float); }
};

// Who does what, and how much at once.
struct Partition {
  int64_t threads;
  simd::Panels panels;
  // Tiles whose transformed pixels are there at once, and whose products are.
  int64_t block, part;
  // All threads work on one block and each has panels of its own, so that no weight is read twice; or each has blocks of its own.
  bool shared;
};

// Measured on cores with 1 MiB of second-level cache and 32 MiB between them.
Partition partition_of(const WinogradProblem& problem) {
  constexpr size_t kMiB = size_t{1} << 20;
  const int64_t tiles = problem.tiles(), all = threads();
  const bool shared = problem.weight_bytes() > 16 * kMiB || (problem.weight_bytes() > 4 * kMiB && tiles < 50 * all);
  Partition p{all, simd::Panels(problem.y.channels(), shared ? all : 1), 0, 0, shared};
  const auto even = [](int64_t count, int64_t most) {
    const int64_t parts = (count + most - 1) / most;
    return (count + parts - 1) / parts;
  };
  const int64_t tile_bytes = simd::kTilePoints * problem.x.channels() * static_cast<int64_t>(sizeof(float));
  const int64_t own_most = std::clamp<int64_t>(static_cast<int64_t>(kMiB / 2) / tile_bytes, 14, 56);
  p.block = even(tiles, p.shared ? 196 : std::min(own_most, (tiles + p.threads - 1) / p.threads));
  p.part = even(p.block, 56);
  return p;
}

size_t bytes_of(int64_t floats) { return align64(static_cast<size_t>(floats) * sizeof(float)); }

class WinogradKernel final : public Kernel {
 public:
  explicit WinogradKernel(const WinogradProblem& problem)
      : problem_(problem), partition_(partition_of(problem)), grid_(problem.grid()), zeros_(static_cast<size_t>(problem.x.channels())) {
    row_ = simd::padded_columns(problem.x.channels());
    v_plane_ = partition_.block * row_ + simd::kPlaneGap;
    m_plane_ = partition_.part * simd::kMostColumns + simd::kPlaneGap;
    v_bytes_ = bytes_of(simd::kTilePoints * v_plane_);
    m_bytes_ = bytes_of(simd::kTilePoints * m_plane_);
    int64_t floats = 0;
    for (int64_t panel = 0; panel < partition_.panels.count; ++panel) {
      const int64_t first = partition_.panels.begin(panel), columns = partition_.panels.columns(panel);
      panels_.push_back({{first, columns, std::min(columns, problem.y.channels() - first), problem.x.channels()}, floats});
      floats += simd::kTilePoints * panels_.back().shape.plane();
    }
    u_bytes_ = bytes_of(floats);
  }

  size_t workspace_bytes() const override {
    const auto slots = static_cast<size_t>(partition_.threads);
    return own_weights() + (partition_.shared ? 1 : slots) * v_bytes_ + slots * m_bytes_;
  }
  size_t packed_bytes(int input) const override {
    return problem_.constant && static_cast<size_t>(input) == problem_.w_input ? u_bytes_ : 0;
  }
  void pack(int /*input*/, const void* value, void* packed) override {
    on_cores(static_cast<int>(partition_.threads),
             [&] { transform_weights(static_cast<const float*>(value), static_cast<float*>(packed)); });
  }
  std::string packed_form(int /*input*/) const override {
    return fmt::format("winograd 4x4, {} panels, first tap {}, steps {} {} {}", panels_.size(), problem_.first_tap, problem_.output_step,
                       problem_.input_step, problem_.tap_step);
  }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    bound_.set(inputs, outputs, workspace);
    pixels_ = {bound_.in(problem_.x_input), zeros_.data(), problem_.x.height(), problem_.x.width(), problem_.x.channels(),
               problem_.x_rows.row_stride,  problem_.top,  problem_.left};
    results_ = {bound_.out(0), problem_.y.height(), problem_.y.width(), problem_.y_rows.row_stride};
    if (problem_.bias) results_.bias = bound_.in(2);
    if (problem_.residual) results_.residual = bound_.in(problem_.bias ? 3 : 2);
    results_.residual_stride = problem_.residual_stride;
    results_.activation = problem_.activation;
  }

  void run() override {
    on_cores(static_cast<int>(partition_.threads), [this] { compute(); });
  }
  void compute() {
    const float* const w = bound_.in(problem_.w_input);
    if (!problem_.constant) transform_weights(w, bound_.scratch<float>());
    const float* const u = problem_.constant ? w : bound_.scratch<float>();
    if (partition_.shared)
      run_shared(u);
    else
      run_apart(u);
  }
  std::string describe() const override {
    return problem_.constant ? "own simd winograd 4x4" : "own simd winograd 4x4, weights transformed";
  }

 private:
  struct Panel {
    simd::WeightPanel shape;
    int64_t offset;  // in the transformed weights
  };

  size_t own_weights() const { return problem_.constant ? 0 : u_bytes_; }

  void transform_weights(const float* w, float* u) const {
    const simd::KernelWeights weights{w + problem_.first_tap, problem_.output_step, problem_.input_step, problem_.tap_step};
    constexpr int64_t kDepth = 16;
    const int64_t depth = problem_.x.channels(), parts = (depth + kDepth - 1) / kDepth;
    parallel_kernel(static_cast<int64_t>(panels_.size()) * parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Panel& panel = panels_[static_cast<size_t>(i / parts)];
        const int64_t first = i % parts * kDepth;
        simd::winograd_weights(weights, panel.shape, first, std::min(depth, first + kDepth), u + panel.offset);
      }
    });
  }

  // The results of one panel, from the transformed pixels of tiles [first, first + tiles).
  void run_panel(const float* u, const Panel& panel, int64_t first, int64_t tiles, const float* v, float* m) const {
    const auto& [from, columns, outputs, depth] = panel.shape;
    for (int64_t at = 0; at < tiles; at += partition_.part) {
      const int64_t count = std::min(partition_.part, tiles - at);
      simd::winograd_product({count, depth, columns, v + at * row_, row_, v_plane_, u + panel.offset, panel.shape.plane(), m, m_plane_});
      simd::winograd_results(results_, grid_, {m, columns, m_plane_, first + at, count, from, outputs});
    }
  }

  // Calls body(first tile, tiles) for the blocks [begin, end) of `count`.
  template <class Body>
  void for_blocks(int64_t begin, int64_t end, int64_t count, const Body& body) const {
    const int64_t tiles = problem_.tiles();
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = tiles * block / count;
      body(first, tiles * (block + 1) / count - first);
    }
  }
  int64_t blocks() const { return (problem_.tiles() + partition_.block - 1) / partition_.block; }

  void run_apart(const float* u) const {
    const int64_t slots = partition_.threads, count = blocks();
    parallel_kernel(slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        auto* const v = bound_.scratch<float>(own_weights() + static_cast<size_t>(slot) * (v_bytes_ + m_bytes_));
        auto* const m = v + v_bytes_ / sizeof(float);
        for_blocks(count * slot / slots, count * (slot + 1) / slots, count, [&](int64_t first, int64_t tiles) {
          simd::winograd_pixels(pixels_, grid_, first, tiles, v, row_, v_plane_);
          for (const Panel& panel : panels_) run_panel(u, panel, first, tiles, v, m);
        });
      }
    });
  }

  void run_shared(const float* u) const {
    auto* const v = bound_.scratch<float>(own_weights());
    for_blocks(0, blocks(), blocks(), [&](int64_t first, int64_t tiles) {
      parallel_kernel(tiles, 1, [&](int64_t begin, int64_t end) {
        simd::winograd_pixels(pixels_, grid_, first + begin, end - begin, v + begin * row_, row_, v_plane_);
      });
      const int64_t slots = partition_.threads, count = partition_.panels.count;
      parallel_kernel(slots, 1, [&](int64_t begin, int64_t end) {
        for (int64_t slot = begin; slot < end; ++slot) {
          auto* const m = bound_.scratch<float>(own_weights() + v_bytes_ + static_cast<size_t>(slot) * m_bytes_);
          for (int64_t panel = count * slot / slots; panel < count * (slot + 1) / slots; ++panel)
            run_panel(u, panels_[static_cast<size_t>(panel)], first, tiles, v, m);
        }
      });
    });
  }

  WinogradProblem problem_;
  Partition partition_;
  simd::TileGrid grid_;
  int64_t row_ = 0, v_plane_ = 0, m_plane_ = 0;
  size_t v_bytes_ = 0, m_bytes_ = 0, u_bytes_ = 0;
  std::vector<Panel> panels_;
  std::vector<float> zeros_;
  Bound bound_;
  simd::TilePixels pixels_{};
  simd::TileResults results_{};
};

// Where it pays: for few tiles, reading or transforming four times as many weights takes longer than the library's direct convolution.
Planned plan_for_enough_tiles(const WinogradProblem& problem) {
  constexpr size_t kCachedWeights = size_t{16} << 20;
  const int64_t least = !problem.constant ? 64 : problem.weight_bytes() > kCachedWeights ? 9 : 4;
  if (problem.tiles() < least) return refuse("{} tiles of 4x4 results, it takes {} and more", problem.tiles(), least);
  return {std::make_unique<WinogradKernel>(problem), {}};
}

Planned plan_winograd_forward(const Request& request, const ConvProblem& conv) {
  if (std::string reason = not_winograd(conv); !reason.empty()) return refuse("{}", reason);
  const int64_t in = conv.x.channels();
  WinogradProblem problem{conv.x,
                          conv.y,
                          conv.padding.top,
                          conv.padding.left,
                          request.inputs[0],
                          request.outputs[0],
                          0,
                          1,
                          request.inputs[1].constant,
                          0,
                          9 * in,
                          1,
                          in};
  problem.bias = conv.bias, problem.residual = conv.residual, problem.activation = conv.activation;
  if (conv.residual) problem.residual_stride = request.inputs.back().row_stride;
  return plan_for_enough_tiles(problem);
}

}  // namespace

Planned plan_conv2d_winograd(const Request& request) {
  return plan_winograd_forward(request, problem_of(*request.op.as<Conv2d>(), request));
}
Planned plan_fused_conv2d_winograd(const Request& request) {
  return plan_winograd_forward(request, problem_of(*request.op.as<FusedConv2d>(), request));
}

Planned plan_conv2d_input_grad_winograd(const Request& request) {
  const ConvProblem conv = problem_of(*request.op.as<Conv2dInputGrad>(), request);
  if (std::string reason = not_winograd(conv); !reason.empty()) return refuse("{}", reason);
  const int64_t in = conv.x.channels();
  return plan_for_enough_tiles({conv.y, conv.x, 2 - conv.padding.top, 2 - conv.padding.left, request.inputs[1], request.outputs[0], 1, 0,
                                request.inputs[0].constant, 8 * in, 1, 9 * in, -in});
}

}  // namespace fovea::cpu
