// Attention and its gradient with operands in bf16: each core takes heads, whose matrix products are the library's, in bf16 with sums in
// float. The library's fastest code wants matrices without gaps whose depth is a multiple of 32, so a head's rows are copied.
#include "backends/cpu/attention_bf16.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/attention_heads.h"
#include "backends/cpu/candidates.h"
#include "backends/cpu/onednn.h"
#include "base/float_formats.h"
#include "ops/attention.h"

namespace fovea::cpu {
namespace {

using simd::Blocks;

constexpr int64_t kDepth = 32;  // numbers of bf16 in a row of a tile

int64_t padded(int64_t count) { return (count + kDepth - 1) / kDepth * kDepth; }

// In at least so many blocks, where the tokens suffice.
Blocks blocks_of(const Heads& heads, int64_t fewest) {
  constexpr int64_t kMost = 320;  // scores of a block stay in the second-level cache
  const int64_t columns = padded(heads.width);
  // The library multiplies in tiles where a result has at most 8 times as many columns as the product is deep.
  const int64_t most = std::min(kMost, 8 * columns), least = std::max((heads.tokens + most - 1) / most, fewest);
  const int64_t block = padded((heads.tokens + least - 1) / least);
  return {heads.tokens, heads.width, block, (heads.tokens + block - 1) / block, columns};
}

float scale_of(const Heads& heads) { return static_cast<float>(1 / std::sqrt(static_cast<double>(heads.width))); }

// Without gaps.
memory::desc dense_matrix(int64_t rows, int64_t columns, DType type = DType::bf16) { return cpu::matrix(rows, columns, columns, type); }
memory::desc dense_transposed(int64_t rows, int64_t columns) { return cpu::transposed(rows, columns, columns, DType::bf16); }

// A product for one core; cores have arguments of their own, Product below.
class ProductPlan {
 public:
  ProductPlan(const memory::desc& a, const memory::desc& b, const memory::desc& c)
      : a_(a), b_(b), c_(c), desc_(onednn_engine(), a, b, c, plain_attributes(), true) {
    if (desc_) primitive_ = dnnl::matmul(desc_);
  }
  std::string name() const { return desc_ ? desc_.impl_info_str() : "none"; }
  size_t scratchpad_bytes() const { return desc_.scratchpad_desc().get_size(); }
  Primitive with_arguments() const {
    return {primitive_, desc_.scratchpad_desc(), {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}}};
  }

 private:
  memory::desc a_, b_, c_;
  dnnl::matmul::primitive_desc desc_;
  dnnl::primitive primitive_;
};

void multiply(Primitive& product, const void* a, const void* b, void* c, void* scratchpad) {
  product.set(DNNL_ARG_SRC, a);
  product.set(DNNL_ARG_WEIGHTS, b);
  product.set(DNNL_ARG_DST, c);
  product.set_scratchpad(scratchpad);
  product.execute();
}

// Why float products are faster, or nothing. Without tiles (avx512_core_bf16) these took up to 1.9 times as long.
std::string why_slow(std::initializer_list<const ProductPlan*> products) {
  for (const ProductPlan* product : products)
    if (product->name().find("amx") == std::string::npos) return fmt::format("the library multiplies by {}", product->name());
  return {};
}

// Why operands are not for this kernel, or nothing.
std::string why_not(std::initializer_list<const Operand*> operands) {
  for (const Operand* operand : operands) {
    if (operand->type.dtype != DType::bf16) return fmt::format("an operand is {}", to_string(operand->type));
    if (operand->type.elements() == 0) return fmt::format("{} is empty", to_string(operand->type));
  }
  return {};
}

void copy_in(const Blocks& blocks, const Bf16* from, int64_t stride, Bf16* to) {
  for (int64_t token = 0; token < blocks.tokens; ++token) {
    Bf16* const row = to + token * blocks.columns;
    std::fill(std::copy_n(from + token * stride, blocks.width, row), row + blocks.columns, Bf16{0});
  }
  std::fill(to + blocks.tokens * blocks.columns, to + blocks.wide() * blocks.columns, Bf16{0});
}

void copy_out(const Blocks& blocks, const Bf16* from, int64_t rows, Bf16* to, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) std::copy_n(from + row * blocks.columns, blocks.width, to + row * stride);
}

// Numbers of one channel a head, of either type.
float read(Source from, int64_t at) { return from.bf16 ? bfloat16_to_float(from.as<Bf16>()[at].bits) : from.as<float>()[at]; }
void write(Target to, int64_t at, float value) {
  if (to.bf16)
    to.as<Bf16>()[at].bits = float_to_bfloat16(value);
  else
    to.as<float>()[at] = value;
}

// The tasks in equal shares, a slot of the workspace for each core; body(slot, task).
template <class Body>
void for_tasks(int64_t count, size_t slots, const Body& body) {
  const auto shares = static_cast<int64_t>(slots);
  parallel_kernel(shares, 1, [&](int64_t begin, int64_t end) {
    on_cores(1, [&] {
      for (int64_t share = begin; share < end; ++share)
        for (int64_t task = count * share / shares; task < count * (share + 1) / shares; ++task) body(static_cast<size_t>(share), task);
    });
  });
}

class Forward {
 public:
  Forward(const Heads& heads, const Request& request)
      : heads_(heads),
        blocks_(blocks_of(heads, (threads() + heads.count() - 1) / heads.count())),
        scores_(dense_matrix(blocks_.block, blocks_.columns), dense_transposed(blocks_.block, blocks_.columns),
                dense_matrix(blocks_.block, blocks_.block, DType::f32)),
        mix_(dense_matrix(blocks_.block, blocks_.wide()), dense_matrix(blocks_.wide(), blocks_.columns),
             dense_matrix(blocks_.block, blocks_.columns, DType::f32)),
        y_stride_(request.outputs[0].row_stride),
        sum_stride_(request.outputs[1].row_stride),
        sum_type_(request.outputs[1].type.dtype) {
    if (!obstacle().empty()) return;
    HeadLayout layout;
    for (size_t& place : parts_) place = layout.halves(blocks_.wide() * blocks_.columns);
    score_place_ = layout.floats(blocks_.block * blocks_.wide());
    exponential_place_ = layout.halves(blocks_.block * blocks_.wide());
    result_place_ = layout.floats(blocks_.block * blocks_.columns);
    sum_place_ = layout.floats(2 * blocks_.block);
    scratchpad_place_ = layout.add(std::max(scores_.scratchpad_bytes(), mix_.scratchpad_bytes()));
    slot_bytes_ = layout.bytes();
    for (int64_t slot = 0; slot < std::min<int64_t>(threads(), tasks()); ++slot)
      cores_.push_back({scores_.with_arguments(), mix_.with_arguments()});
  }

  std::string obstacle() const { return why_slow({&scores_, &mix_}); }
  std::string name() const { return scores_.name(); }
  size_t workspace_bytes() const { return cores_.size() * slot_bytes_; }

  void run(const Bound& bound) {
    for (Core& core : cores_) core.head = -1;
    for_tasks(tasks(), cores_.size(), [&](size_t slot, int64_t task) { run_block(bound, cores_[slot], slot * slot_bytes_, task); });
  }

 private:
  struct Core {
    Primitive scores, mix;
    int64_t head = -1;  // whose rows are copied
  };

  int64_t tasks() const { return heads_.count() * blocks_.count; }

  // Of queries.
  void run_block(const Bound& bound, Core& core, size_t start, int64_t task) const {
    const auto numbers = [&](size_t place) { return bound.scratch<Bf16>(start + place); };
    const auto floats = [&](size_t place) { return bound.scratch<float>(start + place); };
    void* const scratchpad = floats(scratchpad_place_);
    const int64_t index = task / blocks_.count, b = task % blocks_.count;
    if (std::exchange(core.head, index) != index)
      for (int64_t part = 0; part < 3; ++part)
        copy_in(blocks_, bound.in<Bf16>(0) + heads_.offset(index, part), heads_.stride, numbers(parts_[part]));
    const int64_t block = blocks_.block, block_numbers = block * blocks_.columns, rows = blocks_.rows(b), first = b * block;
    float *const sums = floats(sum_place_), *const log_sums = sums + block;
    for (int64_t k = 0; k < blocks_.count; ++k)
      multiply(core.scores, numbers(parts_[0]) + b * block_numbers, numbers(parts_[1]) + k * block_numbers,
               floats(score_place_) + k * block * block, scratchpad);
    simd::softmax_rows({blocks_, rows, scale_of(heads_), floats(score_place_), numbers(exponential_place_), sums, log_sums});
    if (bound.outputs[1])
      for (int64_t row = 0; row < rows; ++row)
        write({bound.outputs[1], sum_type_}, heads_.offset(index, sum_stride_, 1) + (first + row) * sum_stride_, log_sums[row]);
    if (!bound.outputs[0]) return;
    // Rows that are padding multiply what an earlier kernel left; nobody reads their results.
    multiply(core.mix, numbers(exponential_place_), numbers(parts_[2]), floats(result_place_), scratchpad);
    simd::divide_rows(blocks_, rows, floats(result_place_), sums,
                      bound.out<Bf16>(0) + heads_.offset(index, y_stride_, heads_.width) + first * y_stride_, y_stride_);
  }

  Heads heads_;
  Blocks blocks_;
  ProductPlan scores_, mix_;
  int64_t y_stride_, sum_stride_;
  DType sum_type_;
  std::array<size_t, 3> parts_{};  // queries, keys, values
  size_t score_place_ = 0, exponential_place_ = 0, result_place_ = 0, sum_place_ = 0, scratchpad_place_ = 0, slot_bytes_ = 0;
  std::vector<Core> cores_;
};

// Scores lie transposed, a row for each key: a block of keys then has its gradients from rows of them, and only the queries' gradient needs
// a transposed matrix, which the library reads more slowly. That one is all of the scores' gradient, of one head for each core.
class Backward {
 public:
  Backward(const Heads& heads, const Request& request)
      : heads_(heads),
        blocks_(blocks_of(heads, 1)),
        scores_(dense_matrix(blocks_.block, blocks_.columns), dense_transposed(blocks_.block, blocks_.columns),
                dense_matrix(blocks_.block, blocks_.block, DType::f32)),
        mix_(dense_matrix(blocks_.block, blocks_.wide()), dense_matrix(blocks_.wide(), blocks_.columns),
             dense_matrix(blocks_.block, blocks_.columns)),
        mix_transposed_(dense_transposed(blocks_.wide(), blocks_.wide()), dense_matrix(blocks_.wide(), blocks_.columns),
                        dense_matrix(blocks_.wide(), blocks_.columns)),
        dy_stride_(request.inputs[0].row_stride),
        y_stride_(request.inputs[2].row_stride),
        sum_stride_(request.inputs[3].row_stride),
        out_stride_(request.outputs[0].row_stride),
        sum_type_(request.inputs[3].type.dtype) {
    if (!obstacle().empty()) return;
    HeadLayout layout;
    for (size_t& place : parts_) place = layout.halves(blocks_.wide() * blocks_.columns);
    log_sum_place_ = layout.floats(blocks_.wide());
    mean_place_ = layout.floats(blocks_.wide());
    score_place_ = layout.floats(blocks_.block * blocks_.wide());
    slope_place_ = layout.floats(blocks_.block * blocks_.wide());
    probability_place_ = layout.halves(blocks_.block * blocks_.wide());
    score_slope_place_ = layout.halves(blocks_.wide() * blocks_.wide());
    result_place_ = layout.halves(blocks_.wide() * blocks_.columns);
    scratchpad_place_ = layout.add(std::max({scores_.scratchpad_bytes(), mix_.scratchpad_bytes(), mix_transposed_.scratchpad_bytes()}));
    slot_bytes_ = layout.bytes();
    for (int64_t slot = 0; slot < std::min<int64_t>(threads(), heads.count()); ++slot)
      cores_.push_back({scores_.with_arguments(), mix_.with_arguments(), mix_transposed_.with_arguments()});
  }

  std::string obstacle() const { return why_slow({&scores_, &mix_, &mix_transposed_}); }
  std::string name() const { return scores_.name(); }
  size_t workspace_bytes() const { return cores_.size() * slot_bytes_; }

  void run(const Bound& bound) {
    for_tasks(heads_.count(), cores_.size(), [&](size_t slot, int64_t index) { run_head(bound, cores_[slot], slot * slot_bytes_, index); });
  }

 private:
  struct Core {
    Primitive scores, mix, mix_transposed;
  };

  void copy_head(const Bound& bound, size_t start, int64_t index) const {
    for (int64_t part = 0; part < 3; ++part)
      copy_in(blocks_, bound.in<Bf16>(1) + heads_.offset(index, part), heads_.stride, bound.scratch<Bf16>(start + parts_[part]));
    const Bf16* const dy = bound.in<Bf16>(0) + heads_.offset(index, dy_stride_, heads_.width);
    const Bf16* const y = bound.in<Bf16>(2) + heads_.offset(index, y_stride_, heads_.width);
    copy_in(blocks_, dy, dy_stride_, bound.scratch<Bf16>(start + parts_[3]));
    auto *const log_sums = bound.scratch<float>(start + log_sum_place_), *const means = bound.scratch<float>(start + mean_place_);
    for (int64_t token = 0; token < blocks_.tokens; ++token) {
      log_sums[token] = read(bound.source(3, sum_type_), heads_.offset(index, sum_stride_, 1) + token * sum_stride_);
      means[token] = simd::dot(dy + token * dy_stride_, y + token * y_stride_, heads_.width);
    }
    std::fill(log_sums + blocks_.tokens, log_sums + blocks_.wide(), 0.0f);
    std::fill(means + blocks_.tokens, means + blocks_.wide(), 0.0f);
  }

  void run_head(const Bound& bound, Core& core, size_t start, int64_t index) const {
    const auto numbers = [&](size_t place) { return bound.scratch<Bf16>(start + place); };
    const auto floats = [&](size_t place) { return bound.scratch<float>(start + place); };
    const auto result = [&](int64_t part) {
      return bound.out<Bf16>(0) + heads_.offset(index, out_stride_, heads_.width) + part * heads_.heads * heads_.width;
    };
    void* const scratchpad = floats(scratchpad_place_);
    copy_head(bound, start, index);
    const int64_t block = blocks_.block, block_numbers = block * blocks_.columns;
    Bf16 *const queries = numbers(parts_[0]), *const keys = numbers(parts_[1]), *const values = numbers(parts_[2]);
    Bf16 *const dy = numbers(parts_[3]), *const results = numbers(result_place_);
    for (int64_t b = 0; b < blocks_.count; ++b) {
      const int64_t rows = blocks_.rows(b), first = b * block;
      for (int64_t q = 0; q < blocks_.count; ++q) {
        multiply(core.scores, keys + b * block_numbers, queries + q * block_numbers, floats(score_place_) + q * block * block, scratchpad);
        multiply(core.scores, values + b * block_numbers, dy + q * block_numbers, floats(slope_place_) + q * block * block, scratchpad);
      }
      Bf16* const score_slopes = numbers(score_slope_place_) + first * blocks_.wide();
      simd::softmax_grad_rows({blocks_, rows, scale_of(heads_), floats(score_place_), floats(slope_place_), floats(log_sum_place_),
                               floats(mean_place_), numbers(probability_place_), score_slopes});
      multiply(core.mix, numbers(probability_place_), dy, results, scratchpad);
      copy_out(blocks_, results, rows, result(2) + first * out_stride_, out_stride_);
      multiply(core.mix, score_slopes, queries, results, scratchpad);
      copy_out(blocks_, results, rows, result(1) + first * out_stride_, out_stride_);
    }
    multiply(core.mix_transposed, numbers(score_slope_place_), keys, results, scratchpad);
    copy_out(blocks_, results, blocks_.tokens, result(0), out_stride_);
  }

  Heads heads_;
  Blocks blocks_;
  ProductPlan scores_, mix_, mix_transposed_;
  int64_t dy_stride_, y_stride_, sum_stride_, out_stride_;
  DType sum_type_;
  std::array<size_t, 4> parts_{};  // queries, keys, values, dy
  size_t log_sum_place_ = 0, mean_place_ = 0, score_place_ = 0, slope_place_ = 0, probability_place_ = 0, score_slope_place_ = 0,
         result_place_ = 0, scratchpad_place_ = 0, slot_bytes_ = 0;
  std::vector<Core> cores_;
};

template <class Plan>
Planned accept_plan(const Heads& heads, const Request& request) {
  constexpr int64_t kFewestTokens = 16;  // of 7, products in float took two thirds of the time; of 17, one and a half times as long
  if (heads.tokens < kFewestTokens) return refuse("{} tokens, from {} on the library's products pay", heads.tokens, kFewestTokens);
  std::shared_ptr<Plan> plan;
  on_cores(1, [&] { plan = std::make_shared<Plan>(heads, request); });  // each product is for one
  if (std::string reason = plan->obstacle(); !reason.empty()) return refuse("{}", reason);
  return accept(
      plan->workspace_bytes(), [plan](const Bound& bound) { plan->run(bound); }, fmt::format("own simd, onednn matmul {}", plan->name()));
}

}  // namespace

Planned plan_attention_bf16(const Request& request) {
  if (std::string reason = why_not({&request.inputs[0], &request.outputs[0]}); !reason.empty()) return refuse("{}", reason);
  return accept_plan<Forward>({request.inputs[0], request.op.as<Attention>()->heads}, request);
}

Planned plan_attention_grad_bf16(const Request& request) {
  constexpr int64_t kMostTokens = 2048;  // 8 MiB of scores' gradients for each core
  if (std::string reason = why_not({&request.inputs[0], &request.inputs[1], &request.inputs[2], &request.outputs[0]}); !reason.empty())
    return refuse("{}", reason);
  const Heads heads(request.inputs[1], request.op.as<AttentionGrad>()->heads);
  if (heads.tokens > kMostTokens) return refuse("{} tokens, at most {} are taken", heads.tokens, kMostTokens);
  return accept_plan<Backward>(heads, request);
}

}  // namespace fovea::cpu
